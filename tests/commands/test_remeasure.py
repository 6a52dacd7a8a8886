"""`cinema remeasure`: new numbers beside the old ones, results replaced in one step, the model's own mask kept."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from corrected_results import LV, edited_mask, heart_study, shrunk, stored_labels, written_results
from scan_runs import call

from cinema_cmr.core.vocabulary import View
from cinema_cmr.datasets.readers.results import list_cases, read_case
from cinema_cmr.report.record.stored import changed_output, read_measurements, read_run


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("cinema_cmr.report.html.write_report", lambda *given: given[-1].write_text("page"))
    return written_results(tmp_path / "results")


def test_results_are_replaced_and_the_model_s_mask_stays(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = stored_labels(results)
    mask = edited_mask(results, tmp_path / "edited.nii.gz", shrunk(0, 4))
    (results / "notes.txt").write_text("mine")
    assert call("remeasure", results, "--mask", mask, "--basal-rule", "all-slices", "--overwrite") == 0
    printed = capsys.readouterr().out
    assert "Short axis mask:" in printed and "frames 0, 4" in printed and "LV ejection fraction" in printed
    np.testing.assert_array_equal(stored_labels(results, folder="segmentation/original"), own)
    record, run = read_measurements(results / "measurements.json"), read_run(results / "run.json")
    assert changed_output(results, run) is None and "images/sax.nii.gz" in run.outputs
    blood_ml = (stored_labels(results)[..., 0] == LV).sum(axis=(0, 1)) @ heart_study()[View.SAX].voxel_volumes_ml
    assert record.summary.lv_edv_ml is not None and record.edits is not None
    volumes = record.curves.values["lv_volume_ml"]
    assert volumes[0] == pytest.approx(blood_ml, rel=1e-5)
    assert (results / "notes.txt").read_text() == "mine"
    annotated = read_case(list_cases(results)[0])
    assert annotated.labelled_frames == {View.SAX: (0, 4)}


def test_a_new_folder_has_everything_and_the_old_one_stays(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.read_bytes() for path in results.rglob("*") if path.is_file()}
    mask = edited_mask(results, tmp_path / "edited.nii.gz", shrunk(0), view=View.LAX_4C)
    assert (
        call("remeasure", results, "--mask", f"lax_4c={mask}", "--es-frame", 3, "-o", tmp_path / "new", "--json") == 0
    )
    document = json.loads(capsys.readouterr().out)
    assert document["corrected"] and document["edits"]["rules"] == [{"name": "es_frame", "model": None, "now": 3}]
    assert document["changed"]["lv_es_frame"]["now"] == 3 and document["summary"]["es_frame"] == 3
    assert {path: path.read_bytes() for path in before} == before
    names = {str(path.relative_to(tmp_path / "new")) for path in (tmp_path / "new").rglob("*") if path.is_file()}
    assert names == {str(path.relative_to(results)) for path in before}
    assert call("remeasure", results, "-o", tmp_path / "new") == 3
    assert "--overwrite" in capsys.readouterr().err


def test_objects_of_before_are_named(results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What `cinema export` wrote still has the model's numbers, and could be sent as if it had the corrected ones."""
    (results / "dicom").mkdir()
    (results / "dicom" / "fhir.json").write_text('{"timestamp": "2026-01-01T00:00:00+00:00"}')
    assert call("remeasure", results, "--es-frame", 3, "--overwrite") == 0
    assert "results/dicom' still holds the objects of before" in capsys.readouterr().err
    assert call("remeasure", results, "--es-frame", 4, "-o", tmp_path / "new") == 0
    assert "still holds" not in capsys.readouterr().err


def test_a_failure_leaves_the_old_results_whole(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    mask = edited_mask(results, tmp_path / "edited.nii.gz", shrunk(0))
    before = {path: path.read_bytes() for path in results.rglob("*") if path.is_file()}

    def fail(*_: object) -> None:
        raise OSError(28, "disk full")

    monkeypatch.setattr("cinema_cmr.report.html.write_report", fail)
    assert call("remeasure", results, "--mask", mask, "--overwrite") == 3
    assert {path: path.read_bytes() for path in results.rglob("*") if path.is_file()} == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["edited.nii.gz", "results"]


def test_wrong_calls_say_what_to_do(results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("remeasure", results) == 2
    assert "expected -o FOLDER for new results, or --overwrite" in capsys.readouterr().err
    assert call("remeasure", results, "--overwrite", "--mask", "sax=a", "--mask", "b") == 2
    assert "one file for each view" in capsys.readouterr().err
    assert call("remeasure", tmp_path, "--overwrite") == 3
    assert "cinema analyse" in capsys.readouterr().err
    assert call("remeasure", results, "--overwrite", "--mask", tmp_path / "none.nii.gz") == 3
    assert "none.nii.gz" in capsys.readouterr().err


def test_nothing_changed_is_said(results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("remeasure", results, "-o", tmp_path / "new") == 0
    assert "nothing differs from the model's own run" in capsys.readouterr().out
    assert read_measurements(tmp_path / "new" / "measurements.json").edits is None
