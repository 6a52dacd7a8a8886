"""`cinema views`: the recognised view of each series of a study."""

from __future__ import annotations

import shlex
from pathlib import Path

from jsonargparse import ArgumentParser, Namespace

from cinema_cmr.commands.console import Console
from cinema_cmr.commands.options.dataclass_options import option_values
from cinema_cmr.commands.options.shared_options import add_series_options
from cinema_cmr.core.study import Study
from cinema_cmr.io.read import read_study
from cinema_cmr.io.views_file import describe_series, write_views_file
from cinema_cmr.pipeline.analysis_options import SeriesOptions

__all__ = ["add_arguments", "run"]


def add_arguments(parser: ArgumentParser) -> None:
    """Add the study and the form of the output."""
    parser.add_argument("input", metavar="INPUT", help="DICOM folder, zip, NIfTI file or folder of them")
    add_series_options(parser)
    parser.add_argument("-o", "--output", metavar="FILE", help="table to edit and to give to --views; CSV or JSON")
    parser.add_argument("--overwrite", action="store_true", help="replace an existing table")
    parser.add_argument(
        "--descriptions", action="store_true", help="the series' descriptions in full; they may hold names"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def run(given: Namespace) -> int:
    """Read the study and print its views, series and issues."""
    choices = SeriesOptions(**option_values(given, SeriesOptions)).choices()
    study = read_study(Path(given.input), choices=choices)
    if given.output:
        write_views_file(study, Path(given.output), overwrite=given.overwrite, full_descriptions=given.descriptions)
    text = _text(study, in_full=given.descriptions)
    if given.output:
        text += (
            f"\ntable: {given.output}; edit it, then cinema analyse STUDY --views {shlex.quote(given.output)} -o OUT"
        )
    Console(as_json=given.json).result(text, _document(study, in_full=given.descriptions))
    return 0


def _text(study: Study, *, in_full: bool) -> str:
    lines = []
    for cine in study.cines:
        size = " x ".join(f"{n}" for n in cine.array.shape[:3])
        spacing = " x ".join(f"{mm:.2f}" for mm in cine.spacing_mm)
        frames = "1 frame" if cine.n_frames == 1 else f"{cine.n_frames} frames"
        lines.append(f"{cine.view.title}: {cine.label}, {size} voxels of {spacing} mm, {frames}")
    for d in study.decisions:
        description = describe_series(study, d.series, in_full=in_full)
        named = f"{d.series} ({description})" if description else d.series
        lines.append(f"{'kept' if d.kept else 'left out'}: {named}: {d.reason}")
    lines += [f"{issue.severity}: {issue.message}" for issue in study.issues]
    return "\n".join(lines)


def _document(study: Study, *, in_full: bool) -> dict[str, object]:
    return {
        "name": study.name,
        "cines": [
            {
                "view": str(cine.view),
                "label": cine.label,
                "shape": list(cine.array.shape),
                "spacing_mm": list(cine.spacing_mm),
            }
            for cine in study.cines
        ],
        "series": [
            {
                "series": d.series,
                "description": describe_series(study, d.series, in_full=in_full) or None,
                "view": d.view and str(d.view),
                "kept": d.kept,
                "reason": d.reason,
            }
            for d in study.decisions
        ],
        "issues": [{"code": i.code, "severity": i.severity, "message": i.message} for i in study.issues],
    }
