"""`cinema datasets`: which datasets are known and how to get them, what of one is there, and Rescan's conversion."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser, Namespace

from cinema_cmr.commands.console import Console
from cinema_cmr.core.errors import UsageError

__all__ = ["add_arguments", "run"]

_UNUSABLE = 3
"""Exit code where a case is missing or broken."""


def add_arguments(parser: ArgumentParser) -> None:
    """What to do, and with which dataset."""
    parser.add_argument("action", choices=[*_DO], nargs="?", default="list", help="list, check or convert")
    parser.add_argument("data", nargs="?", help="check and convert: NAME:FOLDER, e.g. mnms:OpenDataset")
    parser.add_argument("-o", "--output", help="convert: folder for the converted dataset")
    parser.add_argument(
        "--quick", action="store_true", help="check: only what the folder's listing tells, open nothing"
    )
    parser.add_argument("--overwrite", action="store_true", help="convert: replace scans that are there")
    parser.add_argument("--markdown", action="store_true", help="list: as the table of docs/datasets.md")
    parser.add_argument("--json", action="store_true", help="one JSON document a line")


def run(given: Namespace) -> int:
    """Do what was asked; exit code 3 where a case is missing, broken or could not be converted."""
    if given.action != "list" and given.data is None:
        raise UsageError(f"cinema datasets {given.action} needs NAME:FOLDER; see `cinema datasets` for the names")
    act: Callable[[Namespace, Console], int] = _DO[given.action]
    return act(given, Console(as_json=given.json))


def _list(given: Namespace, console: Console) -> int:
    from cinema_cmr.datasets.overview import markdown_table
    from cinema_cmr.datasets.registry import DATASETS

    if given.markdown:
        print(markdown_table(dataset.card for dataset in DATASETS.values()))
        return 0
    for name, dataset in DATASETS.items():
        card = dataset.card
        number = f"{card.n_cases} cases" if card.n_cases is not None else "number of cases not stated"
        text = f"{name}: {card.title}\n  {number}; licence: {card.licence}\n  {card.how_to_get}"
        console.result(text + (f"\n  cite: {card.citation}" if card.citation else ""), vars(card))
    return 0


def _check(given: Namespace, console: Console) -> int:
    from cinema_cmr.commands.training_data import find_cases
    from cinema_cmr.datasets.check import check_cases, check_downloads

    dataset, cases = find_cases(given.data)
    tell = console.stage("check")
    root = Path(given.data.partition(":")[2] or given.data)
    counts: Counter[str] = Counter()
    for checked in check_downloads(dataset, root):
        console.result(f"{checked.status}: {checked.name}{_because(checked)}", vars(checked))
    for done, checked in enumerate(check_cases(dataset, cases, opened=not given.quick), 1):
        counts[checked.status] += 1
        if checked.status != "found":
            console.result(f"{checked.status}: {checked.name}{_because(checked)}", vars(checked))
        tell("cases", done, len(cases))
    summary = _summary(dataset, cases, counts)
    console.result(_text(summary), summary)
    return _UNUSABLE if counts["missing"] or counts["broken"] else 0


def _because(checked: Any) -> str:
    return f": {checked.why}" if checked.why else ""


def _summary(dataset: Any, cases: list[Any], counts: Counter[str]) -> dict[str, Any]:
    parts = Counter(str(case.facts.get("part", "none")) for case in cases)
    return {
        "dataset": dataset.card.name,
        "expected": dataset.card.n_cases,
        "listed": len(cases),
        **{status: counts[status] for status in ("found", "missing", "broken")},
        "parts": dict(sorted(parts.items())),
    }


def _text(summary: dict[str, Any]) -> str:
    of = f" of {summary['expected']} expected" if summary["expected"] is not None else ""
    parts = ", ".join(f"{name} {number}" for name, number in summary["parts"].items())
    return (
        f"{summary['dataset']}: {summary['listed']} cases listed{of}: {summary['found']} found,"
        f" {summary['missing']} missing, {summary['broken']} broken; official parts: {parts}"
    )


def _convert(given: Namespace, console: Console) -> int:
    name, _, root = given.data.partition(":")
    if name != "rescan" or not root:
        raise UsageError(f"cinema datasets convert knows rescan:FOLDER only, not '{given.data}'; no other has pickles")
    if given.output is None:
        raise UsageError("cinema datasets convert needs -o FOLDER to write to")
    from cinema_cmr.datasets.rescan_convert import convert_rescan

    scans = convert_rescan(
        Path(root), Path(given.output), overwrite=given.overwrite, report=lambda scan: console.note(_scan_line(scan))
    )
    counts = Counter(scan.status for scan in scans)
    text = f"{counts['done']} scans converted, {counts['kept']} there before, {counts['failed']} failed: {given.output}"
    console.result(text, {"folder": given.output, **{key: counts[key] for key in ("done", "kept", "failed")}})
    return _UNUSABLE if counts["failed"] else 0


def _scan_line(scan: Any) -> str:
    return f"{scan.name}: {scan.status}" + (f": {scan.error}" if scan.error else "")


_DO: dict[str, Callable[[Namespace, Console], int]] = {"list": _list, "check": _check, "convert": _convert}
