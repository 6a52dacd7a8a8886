"""The PDF of the report: held byte by byte, valid, printed where there is a browser."""

from __future__ import annotations

from pathlib import Path

import pytest
from dicom_tools import validation_errors
from interop_hearts import analysed, stack_cine, write_study
from pydicom import dcmread

from cinema_cmr.interop import encapsulated_pdf
from cinema_cmr.interop.encapsulated_pdf import find_browser, pdf_object, print_pdf
from cinema_cmr.interop.export import export_context
from cinema_cmr.io.dicom.writing.series import DicomShape


@pytest.mark.medium
def test_the_object_holds_the_pdf(tmp_path: Path) -> None:
    study = write_study(tmp_path / "study", stack_cine(), shape=DicomShape.ENHANCED)
    pdf = b"%PDF-1.4 odd"[:11]
    pdf_object(export_context(analysed(study), study), pdf, series_number=1).save_as(
        tmp_path / "pdf.dcm", enforce_file_format=True
    )
    read = dcmread(tmp_path / "pdf.dcm")
    assert read.EncapsulatedDocument[: read.EncapsulatedDocumentLength] == pdf
    assert "research only" in read.DocumentTitle
    assert validation_errors(tmp_path / "pdf.dcm") == []


def test_without_a_browser_there_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(encapsulated_pdf, "find_browser", lambda: None)
    assert print_pdf(tmp_path / "report.html") is None


@pytest.mark.browser
def test_a_page_is_printed(tmp_path: Path) -> None:
    if find_browser() is None:
        pytest.skip("no browser of the Chromium family is installed")
    page = tmp_path / "report.html"
    page.write_text("<h1>LV EDV 151 ml</h1>")
    pdf = print_pdf(page)
    assert pdf is not None and pdf.startswith(b"%PDF") and len(pdf) > 1000
