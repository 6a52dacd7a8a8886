"""`cinema prepare`: studies of any kind, or a dataset's, into a store from which single frames are read at once."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser, Namespace

from cinema_cmr.commands.console import Console
from cinema_cmr.commands.options import add_output_options, listed_inputs
from cinema_cmr.commands.training_data import find_cases
from cinema_cmr.io.output_folder import check_writable

__all__ = ["add_arguments", "run"]


def add_arguments(parser: ArgumentParser) -> None:
    """Inputs, store, and how many processes."""
    parser.add_argument(
        "inputs",
        nargs="*",
        help="DICOM folders, zips, NIfTI files or folders of them, each one study; or a dataset, NAME:FOLDER",
    )
    parser.add_argument("--manifest", help="a file that lists inputs, one path a line or a CSV with a column 'path'")
    add_output_options(parser)
    parser.add_argument("--workers", type=int, default=1, help="processes; the files are the same for any number")


def run(given: Namespace) -> int:
    """Prepare every input; the exit code is the first reason for trouble, or 0."""
    from cinema_cmr.data.population import MANIFEST_FILE, prepare_population

    inputs = [source for path in listed_inputs(given) for source in _sources(path)]
    check_writable(given.output)
    console = Console(as_json=given.json)
    cases = prepare_population(
        inputs,
        Path(given.output),
        workers=given.workers,
        overwrite=given.overwrite,
        progress=lambda done, n, case: _tell(console, done, n, case),
    )
    counts = {status: sum(case.status == status for case in cases) for status in ("done", "kept", "failed")}
    manifest = Path(given.output) / MANIFEST_FILE
    text = f"{counts['done']} prepared, {counts['kept']} there before, {counts['failed']} failed: {manifest}"
    console.result(text, {"manifest": str(manifest), **counts})
    return next((case.exit_code for case in cases if case.status == "failed"), 0)


def _sources(path: Path) -> list[Any]:
    """The path, or each case of the dataset that `NAME:FOLDER` speaks of."""
    name, colon, root = str(path).partition(":")
    if not colon or path.exists() or not Path(root).is_dir():
        return [path]
    from cinema_cmr.data.population import Source

    dataset, cases = find_cases(str(path))
    return [
        Source(name=f"{name}-{case.name}", paths=case.files or (case.folder,), read=partial(dataset.study, case))
        for case in cases
    ]


def _tell(console: Console, done: int, n: int, case: Any) -> None:
    if case.status == "failed":
        console.note(f"cinema: {case.name}: {case.error}")
    console.stage("prepare")("studies", done, n)
