"""`cinema compare`: two finished results beside each other, on a page and in the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from jsonargparse import ArgumentParser, Namespace

from cinema_cmr.commands.console import Console
from cinema_cmr.commands.options.view_files import VIEW_FILE, files_by_view
from cinema_cmr.core.serialise import json_values
from cinema_cmr.io.output_folder import check_writable
from cinema_cmr.report.comparison.compared import ComparedValue, ComparisonRecord, SideRecord
from cinema_cmr.report.wording import change, number, sentence, unit_text, words

__all__ = ["add_arguments", "run"]


def add_arguments(parser: ArgumentParser) -> None:
    """Add the two results, their names, and the output."""
    parser.add_argument("first", metavar="A", help="folder that `cinema analyse` or `cinema remeasure` wrote")
    parser.add_argument("second", metavar="B", help="another one, of the same study or of another visit")
    parser.add_argument(
        "--names", nargs=2, default=["A", "B"], metavar=("A", "B"), help="names on the page, e.g. model reader"
    )
    parser.add_argument(
        "--image",
        action="append",
        default=[],
        metavar=VIEW_FILE,
        help="NIfTI image behind the outlines, where A has none (of sax unless named)",
    )
    parser.add_argument("-o", "--output", metavar="FOLDER", required=True, help="folder for compare.html and .json")
    parser.add_argument("--overwrite", action="store_true", help="replace an earlier comparison there")
    parser.add_argument("--json", action="store_true", help="print compare.json")


def run(given: Namespace) -> int:
    """Compare, write the page and its JSON, and print both values of the principal numbers."""
    from cinema_cmr.pipeline.compare_results import compare_results

    check_writable(given.output)
    first, second = given.names
    compared = compare_results(given.first, given.second, names=(first, second), images=files_by_view(given.image))
    page = compared.write(Path(given.output), overwrite=given.overwrite)
    lines = [*_lines(compared.record), f"page: {page}"]
    Console(as_json=given.json).result("\n".join(lines), json_values(compared.record))
    return 0


def _lines(record: ComparisonRecord) -> Iterator[str]:
    from cinema_cmr.report.comparison.comparison_page import principal_values, score_text, verdict

    yield from map(_side_line, (record.first, record.second))
    if not record.same_images:
        yield "the images differ" if record.same_images is False else "whether the images are the same is unknown"
    values = principal_values(record)
    width = max((len(one.title) for one in values), default=0)
    yield f"{'':{width}}  {record.first.title[:9]:>9}  {record.second.title[:9]:>9}  {'change':>8}  {'limit':>7}"
    yield from (_value_line(one, width) for one in values)
    yield verdict(record)[1]
    for view in record.views:
        scores = ", ".join(f"{words(name)} {score_text(score)}" for name, score in view.dice.items())
        yield f"{view.view.title}: {view.reason or f'Dice over all frames: {scores}'}"
    yield from (f"{words(one.name)}: {one.first} | {one.second}" for one in record.settings)


def _side_line(side: SideRecord) -> str:
    masks = "masks corrected by a reader" if side.has_corrected_masks else "masks of the model"
    return " ".join([f"{side.title}: {side.model}, {masks}.", *side.corrections])


def _value_line(one: ComparedValue, width: int) -> str:
    limit = "" if one.limit is None else f"±{number(one.limit, one.unit)}"
    mark = f"{'' if one.same_rule else '  by another rule'}{'  beyond noise' if one.is_beyond else ''}"
    return (
        f"{sentence(one.title):{width}}  {number(one.first, one.unit):>9}  {number(one.second, one.unit):>9}"
        f"  {change(one.difference, one.unit):>8}  {limit:>7}  {unit_text(one.unit)}{mark}"
    )
