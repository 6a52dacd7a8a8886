"""`cinema views`: the recognised view of each series of a study."""

from __future__ import annotations

from pathlib import Path

from jsonargparse import ArgumentParser, Namespace

from cinema_cmr.commands.console import Console
from cinema_cmr.commands.options.dataclass_options import option_values
from cinema_cmr.commands.options.shared_options import add_series_options
from cinema_cmr.core.study import Study
from cinema_cmr.io.read import read_study
from cinema_cmr.io.views_file import write_views_file
from cinema_cmr.pipeline.analysis_options import SeriesOptions

__all__ = ["add_arguments", "run"]


def add_arguments(parser: ArgumentParser) -> None:
    """Add the study and the form of the output."""
    parser.add_argument("input", metavar="INPUT", help="DICOM folder, zip, NIfTI file or folder of them")
    add_series_options(parser)
    parser.add_argument("-o", "--output", metavar="FILE", help="table to edit and to give to --views; CSV or JSON")
    parser.add_argument("--overwrite", action="store_true", help="replace an existing table")
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def run(given: Namespace) -> int:
    """Read the study and print its views, series and issues."""
    choices = SeriesOptions(**option_values(given, SeriesOptions)).choices()
    study = read_study(Path(given.input), choices=choices)
    if given.output:
        write_views_file(study, Path(given.output), overwrite=given.overwrite)
    Console(as_json=given.json).result(_text(study), _document(study))
    return 0


def _text(study: Study) -> str:
    lines = []
    for cine in study.cines:
        size = " x ".join(f"{n}" for n in cine.array.shape[:3])
        spacing = " x ".join(f"{mm:.2f}" for mm in cine.spacing_mm)
        frames = "1 frame" if cine.n_frames == 1 else f"{cine.n_frames} frames"
        lines.append(f"{cine.view.title}: {cine.label}, {size} voxels of {spacing} mm, {frames}")
    lines += [f"{'kept' if d.kept else 'left out'}: {_named(d.series, study)}: {d.reason}" for d in study.decisions]
    lines += [f"{issue.severity}: {issue.message}" for issue in study.issues]
    return "\n".join(lines)


def _named(series: str, study: Study) -> str:
    description = study.descriptions.get(series)
    return series if description is None else f"{series} ({description})"


def _document(study: Study) -> dict[str, object]:
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
                "description": study.descriptions.get(d.series),
                "view": d.view and str(d.view),
                "kept": d.kept,
                "reason": d.reason,
            }
            for d in study.decisions
        ],
        "issues": [{"code": i.code, "severity": i.severity, "message": i.message} for i in study.issues],
    }
