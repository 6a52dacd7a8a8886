"""`cinema remeasure`: finished results measured and reported again, with corrected masks, frames or rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path

from jsonargparse import ArgumentParser, Namespace

from cinema_cmr.commands.console import Console
from cinema_cmr.commands.dicom.export import note_older_objects
from cinema_cmr.commands.options.dataclass_options import add_options, option_values
from cinema_cmr.commands.options.moved_point import POINT, point_option
from cinema_cmr.commands.options.normal_ranges_file import read_normal_ranges
from cinema_cmr.commands.options.view_files import VIEW_FILE, files_by_view
from cinema_cmr.core.errors import UsageError
from cinema_cmr.core.serialise import Json, json_values
from cinema_cmr.core.study import Subject
from cinema_cmr.interop.older_objects import has_older_objects
from cinema_cmr.io.output_folder import check_writable
from cinema_cmr.measure.measure import MeasureOptions
from cinema_cmr.report.corrections import ValueChange, changed_values, correction_lines, shown_changes
from cinema_cmr.report.record.study_record import StudyRecord
from cinema_cmr.report.wording import number, sentence, unit_text

__all__ = ["add_arguments", "run"]


def add_arguments(parser: ArgumentParser) -> None:
    """Add the results, the corrections and the output."""
    parser.add_argument("results", metavar="RESULTS", help="folder that `cinema analyse` wrote")
    group = parser.add_argument_group("correction")
    group.add_argument(
        "--mask",
        action="append",
        default=[],
        metavar=VIEW_FILE,
        help="corrected mask, of sax unless named (default: those of RESULTS, edited in place or not)",
    )
    group.add_argument(
        "--image",
        action="append",
        default=[],
        metavar=VIEW_FILE,
        help="NIfTI image for the report, where RESULTS has none",
    )
    group.add_argument(
        "--point",
        action="append",
        default=[],
        metavar=f"{POINT}=X,Y,Z",
        help="landmark moved to x, y, z (RAS mm), or =model, e.g. lax_4c:mitral_septal:8=12,-30,41",
    )
    rules = add_options(parser, MeasureOptions, title="measurement (default: as before)")
    rules.add_argument("--find-frames", action="store_true", help="find ED and ES again, in place of frames given")
    rules.add_argument("--normal-ranges", metavar="FILE", help="CSV or JSON table of reference ranges")
    add_options(parser, Subject, title="subject (default: as before)")
    parser.set_defaults({field.name: None for field in fields(MeasureOptions)})
    output = parser.add_argument_group("output")
    output.add_argument("-o", "--output", metavar="FOLDER", help="new folder for the results")
    output.add_argument("--overwrite", action="store_true", help="replace the results; the model's own masks stay")
    output.add_argument("--json", action="store_true", help="print one JSON document")


def run(given: Namespace) -> int:
    """Measure, write, and print the old and the new values."""
    from cinema_cmr.pipeline.remeasure import Corrections, remeasure
    from cinema_cmr.report.write import write_results

    if given.output is None and not given.overwrite:
        raise UsageError("no output given; expected -o FOLDER for new results, or --overwrite to replace RESULTS")
    folder = Path(given.output or given.results)
    check_writable(folder)
    values = option_values(given, MeasureOptions, Subject)
    corrections = Corrections(
        masks=files_by_view(given.mask),
        images=files_by_view(given.image),
        rules={name: value for name, value in values.items() if value is not None},
        find_frames=given.find_frames,
        normal_ranges=read_normal_ranges(given.normal_ranges) if given.normal_ranges else None,
        points=tuple(map(point_option, given.point)),
    )
    analysis = remeasure(given.results, corrections)
    record = write_results(analysis, folder, overwrite=given.overwrite)
    console = Console(as_json=given.json)
    console.result(_text(record, folder), _document(record, folder))
    if has_older_objects(folder, record.edits):
        note_older_objects(folder, console)
    return 0


def _text(record: StudyRecord, folder: Path) -> str:
    changed = shown_changes(record)
    lines = correction_lines(record) or ["nothing differs from the model's own run"]
    lines = [f"{record.study.name}: {lines[0]}", *(f"  {line}" for line in lines[1:])]
    if changed:
        width = max(len(value.title) for value in changed)
        lines.append(f"  {'':{width}}  {'model':>9}  {'now':>9}")
        lines += [_row(value, width) for value in changed]
    flags = [flag for flag in record.flags if flag.code == "corrected-frame-unused"]
    lines += [f"  warning: {flag.message}" for flag in flags]
    return "\n".join([*lines, f"  report: {folder / 'report.html'}"])


def _row(value: ValueChange, width: int) -> str:
    model, now = number(value.model, value.unit), number(value.now, value.unit)
    return f"  {sentence(value.title):{width}}  {model:>9}  {now:>9}  {unit_text(value.unit)}"


def _document(record: StudyRecord, folder: Path) -> Mapping[str, Json]:
    return json_values(
        {
            "name": record.study.name,
            "folder": str(folder),
            "corrected": record.edits is not None and record.edits.is_corrected,
            "changed": {value.name: {"model": value.model, "now": value.now} for value in changed_values(record)},
            "summary": record.summary,
            "flags": record.flags,
            "edits": record.edits,
        }
    )
