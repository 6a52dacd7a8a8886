"""All results of one analysis, written into a folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path, PurePosixPath

from cinema_cmr.core.analysis import Analysis
from cinema_cmr.core.errors import UnreadableFileError
from cinema_cmr.core.run_facts import Stopwatch
from cinema_cmr.core.serialise import json_text
from cinema_cmr.io.atomic import write_text
from cinema_cmr.io.nifti.image import write_mask
from cinema_cmr.io.output_folder import results_folder
from cinema_cmr.io.provenance import folder_digests, mask_note
from cinema_cmr.report.record.build import build_record, mask_file
from cinema_cmr.report.record.measurements_csv import write_measurements_csv
from cinema_cmr.report.record.run_record import write_run_json
from cinema_cmr.report.record.stored import read_run
from cinema_cmr.report.record.study_record import StudyRecord

__all__ = ["write_results"]


def write_results(analysis: Analysis, folder: Path | str, *, overwrite: bool = False) -> StudyRecord:
    """Write report.html, measurements.json and .csv, segmentation/<view>.nii.gz and run.json; return the record.

    Nothing appears before everything is written. Raises `OutputExistsError` if one of these files exists and
    `overwrite` is False; other files in the folder are left alone.
    """
    watch = Stopwatch(analysis.run.seconds)
    record = build_record(analysis)
    earlier = _earlier_outputs(Path(folder)) if overwrite else ()
    with results_folder(folder, last="run.json", overwrite=overwrite, replaced=earlier) as draft:
        with watch.stage("write"):
            _write(analysis, record, draft)
        write_run_json(replace(analysis.run, seconds=watch.seconds), draft / "run.json", outputs=folder_digests(draft))
    return record


def _earlier_outputs(folder: Path) -> list[str]:
    """Return the files of the results that are replaced, such as the mask of a view that is no longer found."""
    try:
        named = read_run(folder / "run.json").outputs
    except UnreadableFileError:
        return []
    return [name for name in named if not (PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts)]


def _write(analysis: Analysis, record: StudyRecord, folder: Path) -> None:
    # Figures take most of a second to import, and masks alone need none.
    from cinema_cmr.report.html import write_report

    run = analysis.run
    note = mask_note(
        input_sha256=run.input_sha256 or "", model_sha256=run.model_hash or "", options=run.inference_settings
    )
    for view, prediction in analysis.predictions.items():
        write_mask(prediction.labels, analysis.study[view], folder / mask_file(view), note=note)
    write_text(folder / "measurements.json", json_text(record))
    write_measurements_csv(record, folder / "measurements.csv")
    write_report(analysis, record, folder / "report.html")
