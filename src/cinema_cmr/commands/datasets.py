"""`cinema datasets`: which datasets are known and how to get them, what of one is there, conversion and export."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import count
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
    parser.add_argument(
        "action", choices=[*_DO], nargs="?", default="list", help="list, check, convert or export-nnunet"
    )
    parser.add_argument("data", nargs="?", help="all but list: NAME:FOLDER, e.g. mnms:OpenDataset, or your own folder")
    parser.add_argument(
        "-o", "--output", help="convert: folder for the converted dataset; export-nnunet: nnUNet_raw/DatasetNNN_NAME"
    )
    parser.add_argument("--split", help="export-nnunet: a split file (JSON) instead of the dataset's own")
    parser.add_argument(
        "--quick", action="store_true", help="check: only what the folder's listing tells, open nothing"
    )
    parser.add_argument("--overwrite", action="store_true", help="convert and export: replace what is there")
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

    dataset, cases = find_cases(given.data, console)
    tell = console.stage("check")
    root = Path(given.data.partition(":")[2] or given.data)
    counts: Counter[str] = Counter()
    for checked in check_downloads(dataset, root):
        console.result(f"{checked.status}: {checked.name}{_because(checked)}", vars(checked))
    for done, checked in enumerate(check_cases(dataset, cases, open_files=not given.quick), 1):
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


def _export_nnunet(given: Namespace, console: Console) -> int:
    from cinema_cmr.commands.training_data import find_cases, find_split, read_each
    from cinema_cmr.data.nnunet import write_nnunet

    if given.output is None:
        raise UsageError("cinema datasets export-nnunet needs -o nnUNet_raw/DatasetNNN_NAME to write to")
    dataset, cases = find_cases(given.data)
    split = find_split(given.split, dataset, cases)
    wanted = {patient for patients in split.parts.values() for patient in patients}
    tell, n, done = console.stage("export"), sum(case.patient in wanted for case in cases), count(1)
    export = write_nnunet(
        Path(given.output),
        read_each(dataset, cases, wanted, console),
        card=dataset.card,
        split=split,
        overwrite=given.overwrite,
        report=lambda _: tell("studies", next(done), n),
    )
    for study, why in export.left_out.items():
        console.note(f"left out: {study}: {why}")
    numbers = {part: len(names) for part, names in export.volumes.items()}
    text = ", ".join(f"{number} frames in {part}" for part, number in numbers.items())
    console.result(
        f"{given.output}: {text}, {len(export.left_out)} studies left out\n"
        "  after nnUNetv2_plan_and_preprocess, copy splits_final.json to nnUNet_preprocessed/"
        f"{Path(given.output).name} and train fold 0; then score its predictions:\n"
        f"  cinema evaluate --data {given.data} --split {given.output}/split.json --predictions FOLDER -o OUT",
        {"folder": given.output, **numbers, "left_out": export.left_out},
    )
    return 0


_DO: dict[str, Callable[[Namespace, Console], int]] = {
    "list": _list,
    "check": _check,
    "convert": _convert,
    "export-nnunet": _export_nnunet,
}
