"""All results of an analysis in one folder."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest
from corrected_results import heart_analysis
from interop_hearts import with_atria

from cinema_cmr.core.analysis import Analysis
from cinema_cmr.core.errors import OutputExistsError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.io.nifti.image import read_nifti_cine
from cinema_cmr.report.record.stored import changed_output, read_measurements, read_run
from cinema_cmr.report.write import write_results

OUTPUTS = {
    "images/sax.nii.gz",
    "measurements.csv",
    "measurements.json",
    "report.html",
    "segmentation/labels_itksnap.txt",
    "segmentation/labels_slicer.ctbl",
    "segmentation/original/sax.nii.gz",
    "segmentation/sax.nii.gz",
}


@pytest.mark.medium
def test_folder_holds_every_file_and_is_not_overwritten(analysis: Analysis, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    record = write_results(analysis, folder)
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert files == OUTPUTS | {"run.json"}
    assert read_measurements(folder / "measurements.json") == record
    assert "write" in read_run(folder / "run.json").seconds and "write" not in record.seconds
    with pytest.raises(OutputExistsError, match="--overwrite"):
        write_results(analysis, folder)


@pytest.mark.parametrize("views", [(View.SAX, View.LAX_4C), (View.LAX_4C, View.SAX)])
def test_one_table_names_the_labels_of_all_masks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, views: tuple[View, ...]
) -> None:
    monkeypatch.setattr("cinema_cmr.report.html.write_report", lambda *given: given[-1].write_text("page"))
    tables = {}
    for name, whole in (("plain", heart_analysis()), ("chambers", with_atria(heart_analysis()))):
        ordered = replace(whole, predictions={view: whole.predictions[view] for view in views})
        write_results(ordered, tmp_path / name, images=False)
        tables[name] = (tmp_path / name / "segmentation" / "labels_slicer.ctbl").read_text()
    plain, chambers = tables["plain"], tables["chambers"]
    assert "atrium" not in plain and chambers.startswith(plain)
    assert chambers.removeprefix(plain) == "4 left_atrium 245 158 11 255\n5 right_atrium 168 85 247 255\n"


def test_failure_leaves_no_folder(analysis: Analysis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("cinema_cmr.report.html.write_report", fail)
    with pytest.raises(OSError, match="disk full"):
        write_results(analysis, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_failure_leaves_other_files_and_earlier_results(
    analysis: Analysis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "run.json").write_text("earlier")
    (tmp_path / "notes.txt").write_text("mine")
    monkeypatch.setattr("cinema_cmr.report.html.write_report", None)
    with pytest.raises(TypeError):
        write_results(analysis, tmp_path, overwrite=True)
    files = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert files == {"run.json": "earlier", "notes.txt": "mine"}


def test_mask_of_a_view_is_its_prediction_on_the_grid_of_the_cine(
    analysis: Analysis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cinema_cmr.report.html.write_report", lambda *_: None)
    write_results(analysis, tmp_path / "out")
    mask = nibabel.load(tmp_path / "out" / "segmentation" / "sax.nii.gz")
    assert np.array_equal(np.asarray(mask.dataobj), analysis.predictions[View.SAX].labels.array)
    assert np.allclose(mask.affine, analysis.study[View.SAX].affine, atol=1e-4)


def test_run_json_has_the_hash_of_each_file_and_tells_a_changed_one(
    analysis: Analysis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cinema_cmr.report.html.write_report", lambda *given: given[-1].write_text("page"))
    folder = tmp_path / "out"
    write_results(analysis, folder)
    run = read_run(folder / "run.json")
    assert set(run.outputs) == OUTPUTS
    assert changed_output(folder, run) is None
    (folder / "segmentation" / "lax_2c.nii.gz").write_text("of mine")
    write_results(analysis, folder, overwrite=True)
    assert (folder / "segmentation" / "lax_2c.nii.gz").exists(), "no file of ours"
    (folder / "report.html").write_text("another")
    assert changed_output(folder, run) == "report.html"
    (folder / "report.html").unlink()
    assert changed_output(folder, run) == "report.html"
    assert changed_output(folder, replace(run, outputs={})) == "every file (run.json has no hashes)"


def test_a_mask_of_earlier_results_goes_with_them_but_no_file_outside(
    analysis: Analysis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cinema_cmr.report.html.write_report", lambda *given: given[-1].write_text("page"))
    folder = tmp_path / "out"
    write_results(analysis, folder)
    (folder / "segmentation" / "lax_2c.nii.gz").write_text("earlier")
    (tmp_path / "outside").write_text("mine")
    run = json.loads((folder / "run.json").read_text())
    run["outputs"] |= dict.fromkeys(["segmentation/lax_2c.nii.gz", "../outside", str(tmp_path / "outside")], "0")
    (folder / "run.json").write_text(json.dumps(run))
    write_results(analysis, folder, overwrite=True)
    assert not (folder / "segmentation" / "lax_2c.nii.gz").exists() and (tmp_path / "outside").exists()


def test_images_are_written_where_no_nifti_file_holds_them_or_as_asked(
    analysis: Analysis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cinema_cmr.report.html.write_report", lambda *given: given[-1].write_text("page"))
    write_results(analysis, tmp_path / "dicom")
    image = nibabel.load(tmp_path / "dicom" / "images" / "sax.nii.gz")
    assert np.array_equal(image.get_fdata(), analysis.study[View.SAX].array) and image.get_data_dtype() == np.int16
    cine, _ = read_nifti_cine(tmp_path / "dicom" / "images" / "sax.nii.gz")
    of_file = replace(analysis, study=replace(analysis.study, cines=(cine,)))
    for name, images, expected in (("auto", None, False), ("all", True, True), ("none", False, False)):
        write_results(of_file, tmp_path / name, images=images)
        assert (tmp_path / name / "images" / "sax.nii.gz").exists() is expected, name
    write_results(analysis, tmp_path / "bare", images=False)
    assert not (tmp_path / "bare" / "images").exists()


def test_files_of_earlier_results_are_copied_as_they_are(
    analysis: Analysis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cinema_cmr.report.html.write_report", lambda *given: given[-1].write_text("page"))
    (tmp_path / "own").write_bytes(b"the model's own mask")
    files = {"segmentation/original/sax.nii.gz": tmp_path / "own"}
    write_results(replace(analysis, files=files), tmp_path / "out")
    assert (tmp_path / "out" / "segmentation" / "original" / "sax.nii.gz").read_bytes() == b"the model's own mask"
