"""Finished results as DICOM segmentation, structured report and PDF, and as FHIR."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cinema_cmr.core.analysis import Analysis
from cinema_cmr.core.errors import UsageError
from cinema_cmr.interop.encapsulated_pdf import find_browser
from cinema_cmr.interop.export import ExportedFile, check_export, export_analysis
from cinema_cmr.interop.exported_frames import PhaseChoice
from cinema_cmr.interop.older_objects import objects_folder
from cinema_cmr.pipeline.stored_analysis import read_analysis

__all__ = ["DicomExport", "export_dicom"]


@dataclass(frozen=True, kw_only=True)
class DicomExport:
    """The written objects; the folder identifies the patient, as the images do."""

    folder: Path
    files: tuple[ExportedFile, ...]
    no_pdf: str | None = None
    """Why there is no PDF of the report; None where there is one."""

    @property
    def paths(self) -> tuple[Path, ...]:
        """Paths of the files."""
        return tuple(self.folder / one.name for one in self.files)


def export_dicom(
    results: Analysis | Path | str,
    study: Path | str,
    folder: Path | str | None = None,
    *,
    phases: PhaseChoice = "ed-es",
    overwrite: bool = False,
) -> DicomExport:
    """Write results as DICOM SEG, SR and PDF, and as a FHIR bundle, into a new folder, RESULTS/dicom by default; for
    a study of `cinema serve-dicom` the folder whose objects it sends.

    `results`: a folder that `analyse` wrote, or an analysis, which has no report for the PDF yet; `study`: the DICOM
    folder, file or zip that was analysed, whose patient and identifiers the objects carry; `phases`: frames with a
    segmentation, "ed-es" or "all". Raises `InputError` for another study or one that is not DICOM, `UsageError` without
    highdicom, `OutputExistsError` for a folder that holds files.
    """
    if isinstance(results, Analysis):
        if folder is None:
            raise UsageError("no folder for the export of an analysis; expected one as the third argument")
        analysis, target, report = results, Path(folder), None
        check_export(study, target)
    else:
        target = objects_folder(Path(results)) if folder is None else Path(folder)
        check_export(study, target)
        analysis, page = read_analysis(results, study), Path(results) / "report.html"
        report = page if page.exists() else None
    files = export_analysis(analysis, study, target, phases=phases, report=report, overwrite=overwrite)
    return DicomExport(folder=target, files=files, no_pdf=_no_pdf(files, report))


def _no_pdf(files: tuple[ExportedFile, ...], report: Path | None) -> str | None:
    if any(one.kind == "DOC" for one in files):
        return None
    if report is None:
        return "no report.html"
    return "the browser failed" if find_browser() else "no browser"
