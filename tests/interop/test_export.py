"""A whole export: what is written, where it may not be, and what happens to what was there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from interop_hearts import analysed, long_axis_cine, stack_cine, write_study
from pydicom import dcmread

from cinema_cmr.core.errors import InputError, OutputExistsError, UsageError
from cinema_cmr.core.results import Measurements
from cinema_cmr.interop.export import check_export, export_analysis
from cinema_cmr.io.dicom.writing.series import DicomShape

pytest.importorskip("highdicom")


@pytest.mark.medium
def test_an_export_is_one_study_of_distinct_series(tmp_path: Path) -> None:
    study = write_study(tmp_path / "study", stack_cine(), long_axis_cine(), shape=DicomShape.ENHANCED)
    analysis = analysed(study)
    files = export_analysis(analysis, study, tmp_path / "dicom")
    assert [one.kind for one in files] == ["SEG", "SEG", "SEG", "SEG", "SR", "FHIR"]
    assert {one.name for one in files} == {path.name for path in (tmp_path / "dicom").iterdir()}
    objects = [dcmread(path) for path in sorted((tmp_path / "dicom").glob("*.dcm"))]
    images = [dcmread(path, stop_before_pixels=True) for path in study.rglob("*.dcm")]
    assert {one.StudyInstanceUID for one in objects} == {one.StudyInstanceUID for one in images}
    assert {one.FrameOfReferenceUID for one in objects if one.Modality == "SEG"} == {images[0].FrameOfReferenceUID}
    for keyword in ("SeriesInstanceUID", "SeriesNumber", "SOPInstanceUID"):
        assert len({one[keyword].value for one in objects}) == len(objects)
    with pytest.raises(OutputExistsError):
        export_analysis(analysis, study, tmp_path / "dicom")
    again = export_analysis(analysis, study, tmp_path / "dicom", overwrite=True)
    assert again == files
    with pytest.raises(InputError, match="lacks 2 of the 2"):
        other = write_study(tmp_path / "other", stack_cine(how="i"), shape=DicomShape.ENHANCED)
        export_analysis(analysis, other, tmp_path / "wrong")
    assert not (tmp_path / "wrong").exists()


@pytest.mark.medium
def test_masks_without_measurements_have_no_report(tmp_path: Path) -> None:
    study = write_study(tmp_path / "study", stack_cine(), shape=DicomShape.ENHANCED)
    analysis = replace(analysed(study), measurements=Measurements())
    files = export_analysis(analysis, study, tmp_path / "dicom", phases="all")
    assert [one.kind for one in files] == [*["SEG"] * 8, "FHIR"]


def test_results_do_not_become_part_of_the_study(tmp_path: Path) -> None:
    (tmp_path / "study").mkdir()
    with pytest.raises(UsageError, match="lies inside the study"):
        check_export(tmp_path / "study", tmp_path / "study" / "results" / "dicom")
    check_export(tmp_path / "study", tmp_path / "study-results")
