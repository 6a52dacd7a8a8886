"""Values that stand for a patient, in every text of the input: none reaches what a command prints or writes."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import nibabel
import pytest
from scan_runs import call, scan
from synthetic_dicom import Heart, StudyWriter, short_axis_planes

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
VARIANTS = ("cut", "one-cut", "two-patients", "two-days", "words-as-numbers", "odd-words")


@pytest.fixture
def canaries(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The benchmark, which makes inputs with canaries and looks for them."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("canaries")


def hits(canaries: Any, known: set[str], printed: Any, out: Path) -> list[str]:
    texts = [("printed", (printed.out + printed.err).encode()), *canaries.texts_below(out)]
    found: list[str] = canaries.search(texts, known)
    return found


@pytest.mark.parametrize("variant", ["plain", *(pytest.param(name, marks=pytest.mark.medium) for name in VARIANTS)])
def test_no_command_gives_away_a_text_of_a_dicom_study(
    canaries: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], variant: str
) -> None:
    StudyWriter(folder=tmp_path / "source").add(
        short_axis_planes(Heart(), n=1), series=1, n_frames=8, CardiacNumberOfImages=8, NominalInterval=800
    )
    study, out = tmp_path / "study", tmp_path / "out"
    known = canaries.write_dicom(tmp_path / "source", study, variant=variant)
    codes = [
        call("views", study),
        call("views", study, "--json"),
        call("views", study, "-o", out / "views.csv"),
        call("prepare", study, "-o", out / "store"),
        call("deidentify", study, "-o", out / "images"),
    ]
    assert len(known) > 700
    assert hits(canaries, known, capsys.readouterr(), out) == []
    assert set(codes[:4]) == ({0} if variant in ("plain", "one-cut") else {3})


def test_no_command_gives_away_a_text_of_a_nifti_file(
    canaries: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = tmp_path / "sax.nii.gz"
    canaries.write_nifti(nibabel.load(scan(tmp_path)), image)
    (tmp_path / "cut.nii.gz").write_bytes(image.read_bytes()[:-200])
    out = tmp_path / "out"
    assert call("views", image, "--json") == 0
    assert call("views", tmp_path / "cut.nii.gz") == 3
    assert call("prepare", image, "-o", out) == 0
    assert hits(canaries, canaries.NIFTI_CANARIES, capsys.readouterr(), out) == []


def test_what_is_searched_for_is_found(canaries: Any) -> None:
    texts = [("a", b"..ZQFILEQZ.."), ("b", b'{"born": "1943-08-29"}'), ("c", canaries.canary_of(0x100010).encode())]
    hashed = canaries.hashlib.sha256(b"zqfileqz").hexdigest()
    found = canaries.search([*texts, ("d", hashed.encode())], {"zqfileqz", "zq00100010qz"})
    assert found == ["a: zqfileqz", "b: 1943-08-29", "c: zq00100010qz", "d: hash of zqfileqz"]


def test_the_stored_table_has_no_hit() -> None:
    stored = json.loads((BENCHMARKS / "results" / "canaries.json").read_text(encoding="utf-8"))
    assert stored["n_canaries"] > 700
    assert {name: one["hits"] for name, one in stored["found"].items() if one["hits"]} == {}
