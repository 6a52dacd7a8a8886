"""`cinema phantom`: synthetic studies whose truth is known."""

from __future__ import annotations

from pathlib import Path

from jsonargparse import ArgumentParser, Namespace

from cinema_cmr.commands.console import Console
from cinema_cmr.core.errors import unknown_name
from cinema_cmr.core.vocabulary import View
from cinema_cmr.io.output_folder import check_writable

__all__ = ["add_arguments", "run"]

_VIEWS = tuple(str(view) for view in View if view is not View.OTHER)


def add_arguments(parser: ArgumentParser) -> None:
    """How many, of what kind, and where."""
    parser.add_argument("-o", "--output", required=True, help="folder of the cohort; a run that was cut off goes on")
    parser.add_argument("-n", "--number", type=int, default=10, help="subjects")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--views", default=",".join(_VIEWS), help="views, separated by commas")
    parser.add_argument("--format", choices=["nifti", "dicom"], default="nifti")
    parser.add_argument("--group", help="NOR, DCM, HCM, MINF or RV; drawn for each subject where not given")
    parser.add_argument("--style", help="scanner style; drawn for each subject where not given")
    parser.add_argument("--frames", type=int, default=25, help="frames a cycle")
    parser.add_argument("--workers", type=int, default=1, help="processes; the subjects are the same for any number")
    parser.add_argument("--overwrite", action="store_true", help="remove the cohort's subjects that are there first")
    parser.add_argument("--json", action="store_true", help="the answer as one JSON document")


def run(given: Namespace) -> int:
    """Write the cohort and tell where its manifest is."""
    from cinema_cmr.phantom.cohort import CohortConfig, write_cohort

    config = CohortConfig(
        n=given.number,
        seed=given.seed,
        views=tuple(_view(name.strip()) for name in given.views.split(",")),
        format=given.format,
        group=given.group,
        style=given.style,
        n_frames=given.frames,
    )
    check_writable(given.output)
    console = Console(as_json=given.json)
    tell = console.stage("phantom")
    manifest = write_cohort(
        Path(given.output),
        config,
        workers=given.workers,
        overwrite=given.overwrite,
        progress=lambda done, n, _name: tell("subjects", done, n),
    )
    console.result(f"{given.number} subjects: {manifest}", {"manifest": str(manifest), "subjects": given.number})
    return 0


def _view(name: str) -> View:
    if name not in _VIEWS:
        raise unknown_name("view", name, _VIEWS)
    return View(name)
