"""Results as DICOM and FHIR from Python: of an analysis in memory and of its folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from interop_hearts import analysed, stack_cine, write_study

from cinema_cmr.core.errors import UsageError
from cinema_cmr.interop import encapsulated_pdf
from cinema_cmr.io.dicom.writing.series import DicomShape
from cinema_cmr.io.provenance import input_digest
from cinema_cmr.pipeline.dicom_export import export_dicom
from cinema_cmr.report.write import write_results

pytest.importorskip("highdicom")


@pytest.mark.medium
def test_an_analysis_and_its_folder_give_the_same_objects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encapsulated_pdf, "find_browser", lambda: None)
    monkeypatch.setattr("cinema_cmr.pipeline.dicom_export.find_browser", lambda: None)
    study = write_study(tmp_path / "study", stack_cine(), shape=DicomShape.ENHANCED)
    found = analysed(study)
    analysis = replace(found, run=replace(found.run, input_sha256=input_digest(study)))
    write_results(analysis, tmp_path / "results")
    stored = export_dicom(tmp_path / "results", study)
    assert stored.folder == tmp_path / "results" / "dicom" and stored.no_pdf == "no browser"
    assert all(path.is_file() for path in stored.paths) and {one.kind for one in stored.files} == {"SEG", "SR", "FHIR"}
    direct = export_dicom(analysis, study, tmp_path / "direct")
    assert direct.files == stored.files and direct.no_pdf == "no report.html"
    with pytest.raises(UsageError, match="no folder for"):
        export_dicom(analysis, study)
