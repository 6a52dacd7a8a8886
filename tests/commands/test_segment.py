"""`cinema segment`: one mask per image, kept only for the same input, and a bad image that stops no other."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel
import numpy as np
import pytest
from oracles import same
from scan_runs import LABELS, call, scan, use_oracle


@pytest.fixture(autouse=True)
def _oracle(monkeypatch: pytest.MonkeyPatch) -> None:
    use_oracle(monkeypatch)


def test_manifest_paths_start_at_its_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scan(tmp_path / "data", "one")
    scan(tmp_path / "data", "two")
    (tmp_path / "data" / "list.csv").write_text("group,path\nA,one.nii.gz\nB,two.nii.gz\n")
    assert call("segment", "--manifest", tmp_path / "data" / "list.csv", "-o", tmp_path / "out") == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["one_seg.nii.gz", "two_seg.nii.gz"]
    assert call("segment", "-o", tmp_path / "out") == 2
    assert "no input given" in capsys.readouterr().err


def test_a_mask_is_kept_only_for_the_same_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = scan(tmp_path, labels=LABELS[..., :1])
    assert call("segment", source, "-o", tmp_path / "out") == 0
    assert call("segment", source, "-o", tmp_path / "out") == 0 and "kept" in capsys.readouterr().out
    scan(tmp_path, labels=LABELS[..., 3:4])
    assert call("segment", source, "-o", tmp_path / "out") == 3
    assert "another input" in capsys.readouterr().err


def test_bad_image_stops_no_other_and_its_exit_code_is_returned(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = LABELS[..., :1]
    bad, good = tmp_path / "bad.nii.gz", scan(tmp_path, "good", labels)
    bad.write_bytes(b"no image")
    assert call("segment", bad, good, "-o", tmp_path / "out", "--json") == 3
    failed, done = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert (failed["name"], failed["status"], failed["mask"], failed["flags"]) == ("bad", "failed", None, None)
    assert "bad.nii.gz" in failed["error"]
    assert (done["name"], done["status"], done["error"]) == ("good", "done", None)
    mask = np.asarray(nibabel.load(done["mask"]).dataobj).reshape(labels.shape)
    assert min(same(mask, labels, code) for code in (1, 2, 3)) > 0.97
