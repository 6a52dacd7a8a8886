"""`cinema compare`: both values in the terminal, a page and its JSON, exit codes for what cannot be compared."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from corrected_results import edited_mask, shrunk, written_results
from scan_runs import call


@pytest.fixture
def both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Results of the model, and of a reader."""
    monkeypatch.setattr("cinema_cmr.report.html.write_report", lambda *given: given[-1].write_text("page"))
    model = written_results(tmp_path / "model")
    mask = edited_mask(model, tmp_path / "edited.nii.gz", shrunk(0, 4))
    assert call("remeasure", model, "--mask", mask, "-o", tmp_path / "reader") == 0
    return model, tmp_path / "reader"


@pytest.mark.medium
def test_numbers_stand_beside_each_other_and_the_page_is_written(
    both: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert call("compare", *both, "--names", "model", "reader", "-o", tmp_path / "out") == 0
    printed = capsys.readouterr().out
    assert "masks corrected by a reader. Short axis mask" in printed and "beyond noise" in printed
    assert "short axis: Dice over all frames: RV 1.000" in printed and printed.endswith("compare.html\n")
    record = json.loads((tmp_path / "out" / "compare.json").read_text())
    assert call("compare", *both, "-o", tmp_path / "out") == 3, "there already"
    capsys.readouterr()
    assert call("compare", *both, "--names", "model", "reader", "-o", tmp_path / "out", "--overwrite", "--json") == 0
    assert json.loads(capsys.readouterr().out) == record


def test_exit_codes_of_what_cannot_be_compared(
    both: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, reader = both
    out = tmp_path / "out"
    assert call("compare", model, model, "-o", out) == 2
    assert call("compare", model, tmp_path / "nothing", "-o", out) == 3
    assert "has no run.json" in capsys.readouterr().err
    shutil.copy(tmp_path / "edited.nii.gz", model / "segmentation" / "sax.nii.gz")
    assert call("compare", model, reader, "-o", out) == 3 and not out.exists()
    assert "cinema remeasure" in capsys.readouterr().err
