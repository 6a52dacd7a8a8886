"""`cinema phantom` writes the cohort of its options and refuses unknown views."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from cinema_cmr.cli import main


@pytest.mark.medium
def test_a_cohort_has_the_requested_subjects_and_views(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["phantom", "-o", str(tmp_path / "c"), "-n", "1", "--frames", "2", "--views", "lax_4c", "--group", "HCM"]
    assert main([*words, "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    manifest = Path(printed["manifest"])
    (row,) = csv.DictReader(manifest.read_text().splitlines())
    assert printed["subjects"] == 1 and row["group"] == "HCM"
    assert sorted(path.name for path in (manifest.parent / row["labels"]).iterdir()) == ["lax_4c.nii.gz"]


def test_unknown_views_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["phantom", "-o", str(tmp_path / "c"), "--views", "sax,lax_5c"]) == 2
    assert "lax_5c" in capsys.readouterr().err and not (tmp_path / "c").exists()
