"""`cinema prepare`: stores studies, or the cases of a dataset, so that single frames are read quickly."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from jsonargparse import ArgumentParser, Namespace

from cinema_cmr.commands.console import Console
from cinema_cmr.commands.options.shared_options import add_output_options, listed_studies
from cinema_cmr.commands.options.worker_options import add_engine_options, engine_request, in_this_process
from cinema_cmr.io.manifest import ManifestRow, study_names
from cinema_cmr.io.output_folder import check_writable

if TYPE_CHECKING:
    from cinema_cmr.data.population import PreparedCase, Source

__all__ = ["add_arguments", "run"]


def add_arguments(parser: ArgumentParser) -> None:
    """Add the inputs, the output and the workers."""
    parser.add_argument(
        "inputs",
        nargs="*",
        help="studies (DICOM folders, zips, NIfTI files or folders of them), or a dataset as NAME:FOLDER",
    )
    parser.add_argument("--manifest", metavar="FILE", help="inputs: one path a line, or a column 'path' (CSV, Parquet)")
    add_output_options(parser)
    group = parser.add_argument_group("workers")
    group.add_argument("--workers", type=int, default=1, help="processes (slurm: in each job); no effect on results")
    add_engine_options(group)


def run(given: Namespace) -> int:
    """Prepare every input; the exit code is that of the first failure, or 0."""
    from cinema_cmr.data.population import MANIFEST_FILE, prepare_population
    from cinema_cmr.population.store_work import store_on_engine

    inputs = _sources(listed_studies(given).rows)
    check_writable(given.output)
    console = Console(as_json=given.json)
    cases = prepare_population(
        inputs,
        Path(given.output),
        store=None if in_this_process(given) else store_on_engine(engine_request(given), console.note),
        overwrite=given.overwrite,
        progress=lambda done, n, case: _report(console, done, n, case),
    )
    counts = {status: sum(case.status == status for case in cases) for status in ("done", "kept", "failed")}
    manifest = Path(given.output) / MANIFEST_FILE
    text = f"{counts['done']} prepared, {counts['kept']} kept, {counts['failed']} failed: {manifest}"
    console.result(text, {"manifest": str(manifest), **counts})
    return next((case.exit_code for case in cases if case.status == "failed"), 0)


def _sources(rows: Sequence[ManifestRow]) -> list[Source]:
    """Return each study with its name and facts, and each case of an input that is a dataset, `NAME:FOLDER`.

    Paths are absolute: a worker may have another working folder.
    """
    from cinema_cmr.data.population import Source
    from cinema_cmr.io.read import read_study

    studies = [row for row in rows if not _is_dataset(row.path)]
    found = [
        Source(name=name, paths=(path,), read=partial(read_study, path), subject=row.subject)
        for name, row in zip(study_names(studies), studies, strict=True)
        for path in [Path(os.path.abspath(row.path))]
    ]
    return found + [case for row in rows if _is_dataset(row.path) for case in _cases(str(row.path))]


def _is_dataset(path: Path) -> bool:
    _, colon, root = str(path).partition(":")
    return bool(colon) and not path.exists() and Path(root).is_dir()


def _cases(dataset_of_folder: str) -> list[Source]:
    from cinema_cmr.data.population import Source
    from cinema_cmr.datasets.reading import find_cases

    name, _, root = dataset_of_folder.partition(":")
    dataset, cases = find_cases(f"{name}:{os.path.abspath(root)}")
    return [
        Source(name=f"{name}-{case.name}", paths=case.files or (case.folder,), read=partial(dataset.study, case))
        for case in cases
    ]


def _report(console: Console, done: int, n: int, case: PreparedCase) -> None:
    if case.status == "failed":
        console.note(f"cinema: {case.name}: {case.error}")
    console.stage("prepare")("studies", done, n)
