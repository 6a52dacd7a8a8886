"""All results of one analysis, written into a folder."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path, PurePosixPath

from cinema_cmr.core.analysis import Analysis
from cinema_cmr.core.errors import UnreadableFileError
from cinema_cmr.core.run_facts import Stopwatch
from cinema_cmr.core.serialise import json_text
from cinema_cmr.io.atomic import write_text
from cinema_cmr.io.label_tables import label_tables
from cinema_cmr.io.nifti.image import write_image, write_mask
from cinema_cmr.io.nifti.source import nifti_source
from cinema_cmr.io.output_folder import results_folder
from cinema_cmr.io.provenance import folder_digests, mask_note
from cinema_cmr.report.record.build import build_record, image_file, mask_file, model_mask_file
from cinema_cmr.report.record.measurements_csv import write_measurements_csv
from cinema_cmr.report.record.run_record import write_run_json
from cinema_cmr.report.record.stored import read_run
from cinema_cmr.report.record.study_record import StudyRecord

__all__ = ["write_results"]


def write_results(
    analysis: Analysis, folder: Path | str, *, overwrite: bool = False, images: bool | None = None
) -> StudyRecord:
    """Write report, measurements, masks with the model's own beside them, images and run.json; return the record.

    `images`: write the image of each view with a mask or landmarks, True for all, False for none; None writes those
    that no NIfTI file holds on the same grid, as of DICOM. Nothing appears before everything is written. Raises
    `OutputExistsError` if one of these files exists and `overwrite` is False; other files in the folder are left alone.
    """
    watch = Stopwatch(analysis.run.seconds)
    record = build_record(analysis)
    earlier = _earlier_outputs(Path(folder)) if overwrite else ()
    with results_folder(folder, last="run.json", overwrite=overwrite, replaced=earlier) as draft:
        with watch.stage("write"):
            _copy_files(analysis.files, draft)
            _write_masks(analysis, draft)
            with ThreadPoolExecutor(1) as beside:  # compression runs outside Python's lock
                images_written = beside.submit(_write_images, analysis, draft, images)
                _write_pages(analysis, record, draft)
                images_written.result()
        write_run_json(replace(analysis.run, seconds=watch.seconds), draft / "run.json", outputs=folder_digests(draft))
    return record


def _earlier_outputs(folder: Path) -> list[str]:
    """Return the files of the results that are replaced, such as the mask of a view that is no longer found."""
    try:
        named = read_run(folder / "run.json").outputs
    except UnreadableFileError:
        return []
    return [name for name in named if not (PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts)]


def _copy_files(files: Mapping[str, Path], draft: Path) -> None:
    for name, file in files.items():
        (draft / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, draft / name)


def _write_masks(analysis: Analysis, draft: Path) -> None:
    """Write the masks that are not copied, the model's own beside them, and the tables of their labels."""
    run = analysis.run
    note = mask_note(
        input_sha256=run.input_sha256 or "", model_sha256=run.model_hash or "", options=run.inference_settings
    )
    corrected = {edit.view for edit in analysis.edits.masks} if analysis.edits else set()
    schemes = {prediction.labels.scheme for prediction in analysis.predictions.values()}
    for view, prediction in analysis.predictions.items():
        mask, own = draft / mask_file(view), draft / model_mask_file(view)
        if not mask.exists():
            described = f"{note[:69]} corrected" if view in corrected else note
            write_mask(prediction.labels, analysis.study[view], mask, note=described)
        if not own.exists():
            _copy_files({model_mask_file(view): mask}, draft)
        # One table for all masks: that of the chambers has the names of every cine mask.
        scheme = "chambers" if "chambers" in schemes else prediction.labels.scheme
        for name, text in label_tables(scheme).items():
            write_text(mask.with_name(name), text, overwrite=True)


def _write_images(analysis: Analysis, draft: Path, images: bool | None) -> None:
    for view in {**analysis.predictions, **analysis.landmarks}:
        cine, path = analysis.study[view], draft / image_file(view)
        wanted = nifti_source(cine) is None if images is None else images
        if wanted and cine.has_image and not path.exists():
            write_image(cine, path)
        elif images is False:
            path.unlink(missing_ok=True)


def _write_pages(analysis: Analysis, record: StudyRecord, draft: Path) -> None:
    # Figures take most of a second to import, and masks alone need none.
    from cinema_cmr.report.html import write_report

    write_text(draft / "measurements.json", json_text(record))
    write_measurements_csv(record, draft / "measurements.csv")
    write_report(analysis, record, draft / "report.html")
