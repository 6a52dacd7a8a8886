"""`cinema embed`: studies in, a table of features out; no label is needed."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from jsonargparse import ArgumentParser, Namespace

from cinema_cmr.commands.case_pool import each_result
from cinema_cmr.commands.console import Console
from cinema_cmr.commands.options.shared_options import listed_studies
from cinema_cmr.commands.options.worker_options import add_engine_options, engine_request, in_this_process
from cinema_cmr.core.errors import InternalError
from cinema_cmr.io.manifest import ManifestRow, study_names
from cinema_cmr.io.output_folder import check_new_files

if TYPE_CHECKING:
    from cinema_cmr.population.feature_work import Embedded
    from cinema_cmr.population.listed_studies import ListedStudy

__all__ = ["add_arguments", "run"]


def add_arguments(parser: ArgumentParser) -> None:
    """Studies, table and model."""
    parser.add_argument("inputs", nargs="*", help="studies as for `cinema prepare`, prepared files, or whole stores")
    parser.add_argument("--manifest", metavar="FILE", help="inputs: one path a line, or a column 'path' (CSV, Parquet)")
    parser.add_argument("-o", "--output", required=True, help="the table: a name that ends in .csv or .parquet")
    parser.add_argument(
        "--model", default="cinema-small", help="an autoencoder: the package's own, a published name, or a folder"
    )
    parser.add_argument("--cycle", action="store_true", help="the mean over the cycle instead of every frame")
    parser.add_argument(
        "--heart", action="store_true", help="also vectors of the tokens about the heart: a stack's in thirds"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    parser.add_argument("--precision", default="auto", help="auto, fp32 or bf16")
    parser.add_argument("--overwrite", action="store_true", help="replace a table that is there")
    parser.add_argument("--json", action="store_true", help="the result on stdout as one JSON document")
    group = parser.add_argument_group("workers")
    group.add_argument(
        "--workers",
        type=int,
        default=1,
        help="processes, a thread each on a CPU (slurm: in each job)",
    )
    group.add_argument("--shard", metavar="I/N", help="only every N-th study, from the I-th, in a table of its own")
    add_engine_options(group)


def run(given: Namespace) -> int:
    """Write the table of all studies that can be read; the exit code is the first reason for trouble, or 0."""
    from cinema_cmr.commands.encoder.feature_table import check_table, write_table

    table = Path(given.output)
    check_table(table)
    check_new_files(table.parent, [table.name], overwrite=given.overwrite)
    console, studies = Console(as_json=given.json), _studies(given)
    found = _embedded(studies, given, console)
    rows = [row for one in found for row in one.rows]
    failed = [one for one in found if one.error is not None]
    if rows:
        write_table(rows, table, overwrite=given.overwrite)
        text = f"{len(rows)} vectors of {len(studies) - len(failed)} studies, {len(failed)} failed: {table}"
        console.result(text, {"table": str(table), "vectors": len(rows), "failed": len(failed)})
    return next((one.error.exit_code for one in failed if one.error is not None), 0)


def _embedded(studies: Sequence[ListedStudy], given: Namespace, console: Console) -> list[Embedded]:
    """Return what became of each study, in their order, whichever was finished first.

    Of an engine that lost a job the other jobs' vectors are kept; the studies of the lost one failed.
    """
    from cinema_cmr.population.feature_work import failed_study

    found, report = {}, console.stage("embed")
    try:
        for one in _each(studies, given, console):
            if one.error is not None:
                console.failure(one.study.name, one.error)
            found[one.study.name] = one
            report("studies", len(found), len(studies))
    except InternalError as error:
        if not found:
            raise
        console.failure("embed", error)
        found |= {study.name: failed_study(study, error) for study in studies if study.name not in found}
    return [found[study.name] for study in studies]


def _each(studies: Sequence[ListedStudy], given: Namespace, console: Console) -> Iterator[Embedded]:
    from cinema_cmr.population.feature_work import FeatureWork, embed_here, embed_on_engine, failed_study

    options = {"device": given.device, "precision": given.precision, "over_cycle": given.cycle, "heart": given.heart}
    work = FeatureWork(model=given.model, **options)
    if in_this_process(given):
        # As each of several workers; NumPy's own threads are set by then, and may change the last bits of an input.
        return each_result(embed_here(work), studies, workers=1, threads=1, failed=failed_study)
    request, table = engine_request(given, device=given.device), Path(given.output)
    return embed_on_engine(work, studies, request, logs=table.with_name(f"{table.stem}-slurm"), note=console.note)


def _studies(given: Namespace) -> list[ListedStudy]:
    """Return the shard's studies of the command line, the manifest and the stores among them."""
    from cinema_cmr.data.temporary_store import expand_stores
    from cinema_cmr.population.listed_studies import ListedStudy, parse_shard, shard_of

    rows: list[ManifestRow] = []
    for row in listed_studies(given).rows:
        paths = expand_stores([row.path])
        rows += [row] if paths == [row.path] else [ManifestRow(path=path) for path in paths]
    named = zip(study_names(rows), rows, strict=True)
    studies = [ListedStudy(name=name, path=Path(os.path.abspath(row.path))) for name, row in named]
    return shard_of(studies, parse_shard(given.shard))
