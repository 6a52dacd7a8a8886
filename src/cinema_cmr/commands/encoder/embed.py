"""`cinema embed`: studies in, a table of features out; no label is needed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from jsonargparse import ArgumentParser, Namespace

from cinema_cmr.commands.console import Console
from cinema_cmr.commands.options.shared_options import listed_inputs
from cinema_cmr.io.output_folder import check_new_files

if TYPE_CHECKING:
    from cinema_cmr.inference.features import FeatureExtractor, FeatureRow

__all__ = ["add_arguments", "run"]


def add_arguments(parser: ArgumentParser) -> None:
    """Studies, table and model."""
    parser.add_argument("inputs", nargs="*", help="studies as for `cinema prepare`, prepared files, or whole stores")
    parser.add_argument("--manifest", help="a file that lists inputs, one path a line or a CSV with a column 'path'")
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


def run(given: Namespace) -> int:
    """Write the table of all studies that can be read; the exit code is the first reason for trouble, or 0."""
    from cinema_cmr.commands.encoder.feature_table import check_table, write_table
    from cinema_cmr.data.temporary_store import expand_stores
    from cinema_cmr.inference.features import FeatureRow
    from cinema_cmr.io.names import unique_names

    table = Path(given.output)
    check_table(table)
    check_new_files(table.parent, [table.name], overwrite=given.overwrite)
    inputs = expand_stores(listed_inputs(given))
    console, extractor = Console(as_json=given.json), _extractor(given)
    report, rows, codes = console.stage("embed"), list[FeatureRow](), list[int]()
    for number, (source, name) in enumerate(zip(inputs, unique_names(inputs), strict=True), 1):
        try:
            rows += _rows(source, name, extractor, given)
        except Exception as error:  # of any kind: the next study may be a good one
            codes.append(console.failure(name, error).exit_code)
        report("studies", number, len(inputs))
    if rows:
        write_table(rows, table, overwrite=given.overwrite)
        text = f"{len(rows)} vectors of {len(inputs) - len(codes)} studies: {table}"
        console.result(text, {"table": str(table), "vectors": len(rows), "failed": len(codes)})
    return codes[0] if codes else 0


def _rows(source: Path, name: str, extractor: FeatureExtractor, given: Namespace) -> list[FeatureRow]:
    from dataclasses import replace

    from cinema_cmr.data.temporary_store import open_or_prepare

    with open_or_prepare(source, name) as study:
        rows = extractor.rows(study, over_cycle=given.cycle, heart=given.heart)
    return [replace(row, study=name) for row in rows]


def _extractor(given: Namespace) -> FeatureExtractor:
    from cinema_cmr.inference.features import FeatureExtractor
    from cinema_cmr.inference.runtime import choose_runtime
    from cinema_cmr.models.weights import load_model

    return FeatureExtractor(load_model(given.model), choose_runtime(given.device, given.precision))
