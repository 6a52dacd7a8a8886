"""The report as an Encapsulated PDF object (PS3.3 A.45.1), printed by a browser where one is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from cinema_cmr.interop.dicom_object import ObjectContext, SeriesIdentity, item, new_object

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = ["find_browser", "pdf_object", "print_pdf"]

_ENCAPSULATED_PDF = "1.2.840.10008.5.1.4.1.1.104.1"
_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
_PRINT_S = 120


def find_browser() -> str | None:
    """Return the path of an installed browser of the Chromium family; None without one."""
    return next((path for path in map(shutil.which, _BROWSERS) if path), None)


def print_pdf(page: Path) -> bytes | None:
    """Print an HTML page as PDF; None if no browser is installed or it fails, e.g. without a writable home."""
    browser = find_browser()
    if browser is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "report.pdf"
        options = ["--headless", "--disable-gpu", "--no-pdf-header-footer", f"--user-data-dir={folder}/profile"]
        # Chromium refuses its sandbox to root; the page is our own and loads nothing.
        options += ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
        command = [browser, *options, f"--print-to-pdf={target}", page.resolve().as_uri()]
        try:
            subprocess.run(command, capture_output=True, timeout=_PRINT_S, check=True)
            data = target.read_bytes()
        except (OSError, subprocess.SubprocessError):
            return None
    return data if data.startswith(b"%PDF") else None


def pdf_object(context: ObjectContext, pdf: bytes, *, series_number: int) -> Dataset:
    """Return the object that holds a printed report; the page itself holds no identity."""
    series = SeriesIdentity(
        uid=context.uid("series", "PDF"),
        number=series_number,
        modality="DOC",
        description="CineMA report - research only",
    )
    dataset = new_object(context, series, sop_class=_ENCAPSULATED_PDF, instance=1)
    dataset.update(
        item(
            ConversionType="WSD",
            AcquisitionDateTime="",
            BurnedInAnnotation="NO",
            DocumentTitle="Cine cardiac MRI measurements - research only",
            ConceptNameCodeSequence=[],
            VerificationFlag="UNVERIFIED",
            MIMETypeOfEncapsulatedDocument="application/pdf",
            EncapsulatedDocument=pdf + b"\0" * (len(pdf) % 2),
            EncapsulatedDocumentLength=len(pdf),
        )
    )
    return dataset
