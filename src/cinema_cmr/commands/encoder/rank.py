"""`cinema rank`: which of many unlabelled studies to label next."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from jsonargparse import ArgumentParser, Namespace

from cinema_cmr.commands.console import Console
from cinema_cmr.core.errors import UsageError

if TYPE_CHECKING:
    from cinema_cmr.core.errors import CinemaError
    from cinema_cmr.pipeline.ranking import RankedStudy

__all__ = ["add_arguments", "run"]

_SHOWN = 20
"""Lines of the order on stdout; the table has all."""


def add_arguments(parser: ArgumentParser) -> None:
    """Studies, those that are labelled already, models and table."""
    parser.add_argument("inputs", nargs="*", help="studies as for `cinema analyse`, not labelled yet")
    parser.add_argument("--manifest", metavar="FILE", help="inputs: one path a line, or a column 'path' (CSV, Parquet)")
    parser.add_argument("--labelled", nargs="+", default=[], metavar="STUDY", help="studies that have labels already")
    parser.add_argument("-n", "--number", type=int, help="how many to order; default: all")
    parser.add_argument("-o", "--output", help="table of the order (CSV)")
    parser.add_argument("--model", default="cinema-sax", help="segmentation whose doubt counts, or none")
    parser.add_argument("--encoder", default="cinema-small-sax", help="autoencoder whose features tell studies apart")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    parser.add_argument("--overwrite", action="store_true", help="replace a table that is there")
    parser.add_argument("--json", action="store_true", help="the order on stdout as one JSON document")


def run(given: Namespace) -> int:
    """Print the order and write its table; the exit code is that of the first study that cannot be judged, or 0."""
    from cinema_cmr.io.output_folder import check_new_files
    from cinema_cmr.pipeline.ranking import rank

    if given.number is not None and given.number < 1:
        raise UsageError(f"{given.number} studies to order; expected 1 or more: -n 8")
    table = None if given.output is None else Path(given.output)
    if table is not None:
        check_new_files(table.parent, [table.name], overwrite=given.overwrite)
    console, codes = Console(as_json=given.json), list[int]()

    def failed(name: str, error: CinemaError) -> None:
        console.failure(name, error)
        codes.append(error.exit_code)

    show = console.stage("rank")
    found = rank(
        given.inputs,
        manifest=given.manifest,
        labelled=given.labelled,
        model=None if given.model == "none" else given.model,
        encoder=given.encoder,
        n=given.number,
        device=given.device,
        report=lambda done, total: show("studies", done, total),
        failed=failed,
    )
    if table is not None:
        found.write(table, overwrite=given.overwrite)
    where = "" if table is None else f"\ntable: {table}"
    console.result(f"{_text(found)}{where}", {"studies": [vars(one) for one in found], "failed": len(codes)})
    return next(iter(codes), 0)


def _text(found: list[RankedStudy]) -> str:
    lines = [
        f"{one.rank:>4}  {one.name}"
        f"  stands for {100 * one.gain:.1f} %"
        + ("" if one.confidence is None else f", confidence {one.confidence:.3f}")
        for one in found[:_SHOWN]
    ]
    more = [f"      and {len(found) - _SHOWN} more"] if len(found) > _SHOWN else []
    return "\n".join(["label next:", *lines, *more])
