"""`cinema embed`: studies in, a table of features out; no label is needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from jsonargparse import ArgumentParser, Namespace

from cinema_cmr.commands.case_pool import each_result
from cinema_cmr.commands.console import Console
from cinema_cmr.commands.options.shared_options import listed_studies
from cinema_cmr.core.errors import CinemaError, as_cinema_error
from cinema_cmr.io.manifest import ManifestRow, study_names
from cinema_cmr.io.output_folder import check_new_files

if TYPE_CHECKING:
    from cinema_cmr.inference.features import FeatureExtractor, FeatureRow

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
    parser.add_argument(
        "--workers", type=int, default=1, help="processes, a thread each on a CPU; no effect on results (default: 1)"
    )
    parser.add_argument("--shard", metavar="I/N", help="only every N-th study, from the I-th, in a table of its own")
    parser.add_argument("--overwrite", action="store_true", help="replace a table that is there")
    parser.add_argument("--json", action="store_true", help="the result on stdout as one JSON document")


def run(given: Namespace) -> int:
    """Write the table of all studies that can be read; the exit code is the first reason for trouble, or 0."""
    from cinema_cmr.commands.encoder.feature_table import check_table, write_table

    table = Path(given.output)
    check_table(table)
    check_new_files(table.parent, [table.name], overwrite=given.overwrite)
    console, cases = Console(as_json=given.json), _cases(given)
    found = _embedded(cases, given, console)
    rows = [row for one in found for row in one.rows]
    failed = [one for one in found if one.error is not None]
    if rows:
        write_table(rows, table, overwrite=given.overwrite)
        text = f"{len(rows)} vectors of {len(cases) - len(failed)} studies, {len(failed)} failed: {table}"
        console.result(text, {"table": str(table), "vectors": len(rows), "failed": len(failed)})
    return next((one.error.exit_code for one in failed if one.error is not None), 0)


@dataclass(frozen=True, kw_only=True)
class _Case:
    number: int
    """In the order of the inputs."""
    name: str
    path: Path


@dataclass(frozen=True, kw_only=True)
class _Embedded:
    case: _Case
    rows: Sequence[FeatureRow] = ()
    error: CinemaError | None = None


def _embed(given: Namespace, case: _Case) -> _Embedded:
    """Return the vectors of a study; whatever goes wrong with it does not stop the others."""
    extractor = _extractor(given.model, given.device, given.precision)  # its failure is no study's fault
    try:
        return _Embedded(case=case, rows=_rows(case, extractor, given))
    except Exception as error:  # of any kind: the next study may be a good one
        return _died(case, error)


def _embedded(cases: Sequence[_Case], given: Namespace, console: Console) -> list[_Embedded]:
    """Return what became of each case, in their order, whichever was finished first."""
    found, report = [], console.stage("embed")
    _extractor.cache_clear()  # of an earlier call: another model may be there by now
    for one in each_result(partial(_embed, given), cases, workers=given.workers, failed=_died):
        if one.error is not None:
            console.failure(one.case.name, one.error)
        found.append(one)
        report("studies", len(found), len(cases))
    return sorted(found, key=lambda one: one.case.number)


def _died(case: _Case, error: Exception) -> _Embedded:
    return _Embedded(case=case, error=as_cinema_error(error))


def _cases(given: Namespace) -> list[_Case]:
    """Return the shard's studies of the command line, the manifest and the stores among them."""
    from cinema_cmr.data.temporary_store import expand_stores
    from cinema_cmr.population.listed_studies import parse_shard

    rows: list[ManifestRow] = []
    for row in listed_studies(given).rows:
        paths = expand_stores([row.path])
        rows += [row] if paths == [row.path] else [ManifestRow(path=path) for path in paths]
    first, step = parse_shard(given.shard)
    named = zip(study_names(rows), rows, strict=True)
    cases = [_Case(number=number, name=name, path=row.path) for number, (name, row) in enumerate(named)]
    return cases[first - 1 :: step]


def _rows(case: _Case, extractor: FeatureExtractor, given: Namespace) -> list[FeatureRow]:
    from cinema_cmr.data.temporary_store import open_or_prepare

    with open_or_prepare(case.path, case.name) as study:
        rows = extractor.rows(study, over_cycle=given.cycle, heart=given.heart)
    return [replace(row, study=case.name) for row in rows]


@lru_cache(maxsize=1)
def _extractor(model: str, device: str, precision: str) -> FeatureExtractor:
    """Return the model, once a process. One thread on a CPU, so that the number of workers changes no bit."""
    import torch

    from cinema_cmr.inference.features import FeatureExtractor
    from cinema_cmr.inference.runtime import choose_runtime
    from cinema_cmr.models.weights import load_model

    runtime = choose_runtime(device, precision)
    if runtime.device == "cpu":
        torch.set_num_threads(1)
    return FeatureExtractor(load_model(model), runtime)
