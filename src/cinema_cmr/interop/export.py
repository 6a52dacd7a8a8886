"""Results of one analysis in the forms that other systems read, in a folder: DICOM objects and a FHIR bundle."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from cinema_cmr.core.analysis import Analysis
from cinema_cmr.core.errors import UsageError
from cinema_cmr.core.serialise import json_text
from cinema_cmr.core.vocabulary import View
from cinema_cmr.interop.dicom_object import ObjectContext, check_dicom_extra
from cinema_cmr.interop.encapsulated_pdf import pdf_object, print_pdf
from cinema_cmr.interop.exported_frames import PhaseChoice, exported_phases
from cinema_cmr.interop.fhir import fhir_bundle
from cinema_cmr.interop.older_objects import FHIR_FILE
from cinema_cmr.interop.seg import segmentation_objects, view_sources
from cinema_cmr.interop.sr import SegmentationReference, report_object
from cinema_cmr.interop.study_files import read_study_files
from cinema_cmr.io.atomic import write_text
from cinema_cmr.io.dicom.files import quiet_pydicom
from cinema_cmr.io.output_folder import atomic_folder

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = ["ExportedFile", "check_export", "export_analysis", "export_context"]

_FIRST_SERIES = 9001
"""Series number of the first object; scanners count from 1."""


@dataclass(frozen=True, kw_only=True)
class ExportedFile:
    """One written file."""

    name: str
    kind: str
    """Modality of the object: SEG, SR or DOC; FHIR for the bundle."""
    description: str


def export_analysis(
    analysis: Analysis,
    study: Path | str,
    folder: Path | str,
    *,
    phases: PhaseChoice = "ed-es",
    report: Path | None = None,
    overwrite: bool = False,
) -> tuple[ExportedFile, ...]:
    """Write segmentations, structured report, PDF and FHIR bundle of an analysis into a new folder; return the files.

    `study` is the folder, file or zip that was analysed: patient and study of the objects are those of its images.
    The folder therefore identifies the patient, unlike the other results. `report` is the HTML page for the PDF, which
    is left out without a browser. Raises `InputError` for a study that was not read from DICOM or whose images are not
    there, `UsageError` without highdicom, `OutputExistsError` for a folder that holds files.
    """
    check_export(study, folder)
    context = export_context(analysis, study)
    files = []
    with atomic_folder(folder, overwrite=overwrite) as draft, quiet_pydicom():
        for name, dataset in _objects(context, phases, report):
            dataset.save_as(draft / name, enforce_file_format=True)
            kind, description = str(dataset.Modality), str(dataset.SeriesDescription)
            files.append(ExportedFile(name=name, kind=kind, description=description))
        write_text(draft / FHIR_FILE, json_text(fhir_bundle(context)))
    return (*files, ExportedFile(name=FHIR_FILE, kind="FHIR", description="R4 bundle of observations"))


def check_export(study: Path | str, folder: Path | str) -> None:
    """Raise `UsageError` where an export cannot succeed; call it before long work.

    Results inside the study's folder would be part of the study when it is read again.
    """
    check_dicom_extra()
    source, target = Path(study).resolve(), Path(folder).resolve()
    if source.is_dir() and target.is_relative_to(source):
        raise UsageError(
            f"'{Path(folder).name}' lies inside the study '{source.name}'; expected a folder outside of it, as DICOM"
            " results are DICOM files too: choose another output"
        )


def export_context(analysis: Analysis, study: Path | str) -> ObjectContext:
    """Return what the objects of an analysis share, with the headers of the images that were segmented."""
    images = (
        image
        for view in analysis.predictions
        for row in view_sources(analysis.study[view]).images
        for image in row
        if image is not None
    )
    uids = {image.instance_uid for image in images}
    return ObjectContext(analysis=analysis, files=read_study_files(study, uids), written=datetime.now())


def _objects(context: ObjectContext, choice: PhaseChoice, report: Path | None) -> Iterator[tuple[str, Dataset]]:
    """Yield file name and object: segmentations of each view, the report that refers to those of the stack, the PDF."""
    number = _FIRST_SERIES
    stack = []
    for view in context.analysis.predictions:
        phases = exported_phases(context.analysis, view, choice)
        datasets = segmentation_objects(context, view, phases, first_series=number)
        for phase, dataset in zip(phases, datasets, strict=True):
            yield f"seg_{view}_{phase.frame:03d}.dcm", dataset
            if view is View.SAX:
                stack.append(SegmentationReference(frame=phase.frame, dataset=dataset))
        number += len(phases)
    measured = report_object(context, stack, series_number=number)
    if measured is not None:
        yield "sr.dcm", measured
    pdf = print_pdf(report) if report is not None else None
    if pdf is not None:
        yield "report_pdf.dcm", pdf_object(context, pdf, series_number=number + 1)
