"""`cinema phantom`: synthetic studies with ground truth."""

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
    """Add the options of the cohort."""
    parser.add_argument("-o", "--output", required=True, help="folder of the cohort; an interrupted run continues")
    parser.add_argument("-n", "--number", type=int, default=10, help="number of subjects (default: 10)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the cohort (default: 0)")
    parser.add_argument("--views", default=",".join(_VIEWS), help="views, separated by commas (default: all)")
    parser.add_argument(
        "--format", choices=["nifti", "dicom"], default="nifti", help="format of the images (default: nifti)"
    )
    parser.add_argument("--group", help="disease group: NOR, DCM, HCM, MINF or RV (default: drawn for each subject)")
    parser.add_argument("--style", help="scanner style (default: drawn for each subject)")
    parser.add_argument("--frames", type=int, default=25, help="frames per cardiac cycle (default: 25)")
    parser.add_argument("--workers", type=int, default=1, help="number of processes; no effect on results (default: 1)")
    parser.add_argument("--overwrite", action="store_true", help="remove existing subjects of the cohort first")
    parser.add_argument("--json", action="store_true", help="print the result as one JSON document")


def run(args: Namespace) -> int:
    """Write the cohort and print the path of its manifest."""
    from cinema_cmr.phantom.cohort import CohortConfig, write_cohort

    config = CohortConfig(
        n=args.number,
        seed=args.seed,
        views=tuple(_parse_view(name.strip()) for name in args.views.split(",")),
        format=args.format,
        group=args.group,
        style=args.style,
        n_frames=args.frames,
    )
    check_writable(args.output)
    console = Console(as_json=args.json)
    report = console.stage("phantom")
    manifest = write_cohort(
        Path(args.output),
        config,
        workers=args.workers,
        overwrite=args.overwrite,
        progress=lambda done, n, _name: report("subjects", done, n),
    )
    console.result(f"{args.number} subjects: {manifest}", {"manifest": str(manifest), "subjects": args.number})
    return 0


def _parse_view(name: str) -> View:
    if name not in _VIEWS:
        raise unknown_name("view", name, _VIEWS)
    return View(name)
