"""`cinema datasets`: lists known datasets, checks the files of one, converts and exports it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from jsonargparse import ArgumentParser, Namespace

from cinema_cmr.commands.console import Console
from cinema_cmr.commands.options.training_data import add_codes_option
from cinema_cmr.core.errors import UsageError
from cinema_cmr.core.serialise import json_values
from cinema_cmr.core.vocabulary import LABEL_SCHEMES

if TYPE_CHECKING:
    from cinema_cmr.data.label_check import LabelSummary
    from cinema_cmr.datasets.check import CheckResult, CheckSummary
    from cinema_cmr.datasets.readers.rescan_convert import ConvertedScan

__all__ = ["add_arguments", "run"]

_UNUSABLE = 3
"""Exit code if a case is missing or broken."""


def add_arguments(parser: ArgumentParser) -> None:
    """Add the action and its options."""
    parser.add_argument(
        "action",
        choices=[*_ACTIONS],
        nargs="?",
        default="list",
        help="list, check, convert or export-nnunet (default: list)",
    )
    parser.add_argument(
        "data", nargs="?", help="dataset as NAME:FOLDER, e.g. mnms:OpenDataset, or a folder of your own; not for list"
    )
    parser.add_argument(
        "-o", "--output", help="output folder of convert; for export-nnunet, nnUNet_raw/DatasetNNN_NAME"
    )
    parser.add_argument(
        "--study",
        metavar="DICOM",
        help="convert: the study that SEG, RTSTRUCT, contours or masks were drawn on",
    )
    add_codes_option(parser)
    parser.add_argument("--split", help="split file (JSON) for export-nnunet (default: the dataset's split)")
    parser.add_argument(
        "--quick", action="store_true", help="check from the folder listing only, without opening files"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace existing output of convert and export-nnunet")
    parser.add_argument("--markdown", action="store_true", help="list as the Markdown table of docs/datasets.md")
    parser.add_argument("--json", action="store_true", help="print one JSON document per line")


def run(given: Namespace) -> int:
    """Run the requested action; exit code 3 if a case is missing, broken or could not be converted."""
    if given.action != "list" and given.data is None:
        raise UsageError(
            f"cinema datasets {given.action} got no dataset; expected NAME:FOLDER: see `cinema datasets` for the names"
        )
    action: Callable[[Namespace, Console], int] = _ACTIONS[given.action]
    return action(given, Console(as_json=given.json))


def _list(given: Namespace, console: Console) -> int:
    from cinema_cmr.datasets.overview import markdown_table
    from cinema_cmr.datasets.registry import DATASETS, dataset_names, get_dataset

    if given.markdown:
        print(markdown_table(dataset.card for dataset in DATASETS.values()))
        return 0
    for name in dataset_names():
        card = get_dataset(name).card
        number = f"{card.n_cases} cases" if card.n_cases is not None else "number of cases not published"
        text = f"{name}: {card.title}\n  {number}; licence: {card.licence}\n  {card.how_to_get}"
        console.result(text + (f"\n  cite: {card.citation}" if card.citation else ""), vars(card))
    return 0


def _check(given: Namespace, console: Console) -> int:
    from cinema_cmr.datasets.check import check_cases, check_downloads, summarise_checks
    from cinema_cmr.datasets.reading import find_cases

    dataset, cases = find_cases(given.data, codes=given.codes, note=console.note)
    report_progress = console.stage("reading")  # not "check", which begins a remark on a case
    root = Path(given.data.partition(":")[2] or given.data)
    for result in check_downloads(dataset, root):
        _print_check(result, console)
    results = []
    for result in check_cases(dataset, cases, open_files=not given.quick):
        results.append(result)
        if result.status != "found" or result.labels:
            _print_check(result, console)
        report_progress("cases", len(results), len(cases))
    summary = summarise_checks(dataset, cases, results)
    counts = {name: value for name, value in vars(summary).items() if name != "results"}  # printed above
    console.result(_format_summary(summary), counts)
    return _UNUSABLE if summary.missing or summary.broken else 0


def _print_check(result: CheckResult, console: Console) -> None:
    reason = f": {result.reason}" if result.reason else ""
    lines = [f"{result.status}: {result.name}{reason}", *map(_format_labels, result.labels)]
    console.result("\n  ".join([*lines, *(f"check: {remark}" for remark in result.remarks)]), json_values(result))


def _format_labels(labels: LabelSummary) -> str:
    """Return view, labelled frames and volumes, e.g. "sax frames 0, 9: lv 123, 56 ml; rv not drawn"."""
    volumes = {name: f"{', '.join(f'{ml:.0f}' for ml in values)} ml" for name, values in labels.volumes_ml.items()}
    texts = [f"{name} {volumes.get(name, 'absent')}" for name in labels.drawn]
    others = (label.name for label in LABEL_SCHEMES[labels.scheme] if label.name not in labels.drawn)
    texts += [f"{name} not drawn" for name in others]
    return f"{labels.view} frames {', '.join(map(str, labels.frames))}: {'; '.join(texts)}"


def _format_summary(summary: CheckSummary) -> str:
    expected = f" of {summary.expected} expected" if summary.expected is not None else ""
    parts = ", ".join(f"{name} {number}" for name, number in summary.parts.items())
    cases = "case" if summary.listed == 1 else "cases"
    return (
        f"{summary.dataset}: {summary.listed} {cases} listed{expected}: {summary.found} found,"
        f" {summary.missing} missing, {summary.broken} broken; official parts: {parts}"
    )


def _convert(given: Namespace, console: Console) -> int:
    if given.study is not None:
        return _convert_labels(given, console)
    name, _, root = given.data.partition(":")
    if name != "rescan" or not root:
        raise UsageError(
            f"cinema datasets convert got '{given.data}'; expected rescan:FOLDER, the only dataset with pickles, or a"
            " folder of DICOM SEG or RTSTRUCT, contours or masks with --study DICOM"
        )
    if given.output is None:
        raise UsageError("cinema datasets convert got no output; expected -o FOLDER")
    from cinema_cmr.datasets.readers.rescan_convert import convert_rescan

    scans = convert_rescan(
        Path(root), Path(given.output), overwrite=given.overwrite, report=lambda scan: console.note(_scan_line(scan))
    )
    counts = Counter(scan.status for scan in scans)
    text = f"{counts['done']} scans converted, {counts['kept']} kept, {counts['failed']} failed: {given.output}"
    console.result(text, {"folder": given.output, **{key: counts[key] for key in ("done", "kept", "failed")}})
    return _UNUSABLE if counts["failed"] else 0


def _convert_labels(given: Namespace, console: Console) -> int:
    from cinema_cmr.datasets.label_statement import LabelStatement
    from cinema_cmr.interop.label_folder import convert_labels

    if given.output is None:
        raise UsageError("cinema datasets convert got no output; expected -o FOLDER")
    paths = convert_labels(
        Path(given.data),
        Path(given.study),
        Path(given.output),
        codes=LabelStatement().with_codes(given.codes).file_codes if given.codes else None,
        overwrite=given.overwrite,
        note=console.note,
    )
    console.result(
        "\n".join(
            [*map(str, paths), f"{len(paths)} labelled frames; train or score on them with --data {given.output}"]
        ),
        {"folder": given.output, "masks": [str(path) for path in paths]},
    )
    return 0


def _scan_line(scan: ConvertedScan) -> str:
    return f"{scan.name}: {scan.status}" + (f": {scan.error}" if scan.error else "")


def _export_nnunet(given: Namespace, console: Console) -> int:
    from cinema_cmr.pipeline.nnunet_export import export_nnunet

    if given.output is None:
        raise UsageError("cinema datasets export-nnunet got no output; expected -o nnUNet_raw/DatasetNNN_NAME")
    show = console.stage("export")
    export = export_nnunet(
        given.data,
        given.output,
        split=given.split,
        codes=given.codes,
        overwrite=given.overwrite,
        report=lambda done, n: show("studies", done, n),
        note=console.note,
    )
    for study, reason in export.skipped.items():
        console.note(f"skipped: {study}: {reason}")
    numbers = {part: len(names) for part, names in export.volumes.items()}
    text = ", ".join(f"{number} frames in {part}" for part, number in numbers.items())
    console.result(
        f"{given.output}: {text}, {len(export.skipped)} studies skipped\n"
        "  after nnUNetv2_plan_and_preprocess, copy splits_final.json to nnUNet_preprocessed/"
        f"{Path(given.output).name} and train fold 0; then score its predictions:\n"
        f"  cinema evaluate --data {given.data} --split {given.output}/split.json --predictions FOLDER -o OUT",
        {"folder": given.output, **numbers, "skipped": export.skipped},
    )
    return 0


_ACTIONS: dict[str, Callable[[Namespace, Console], int]] = {
    "list": _list,
    "check": _check,
    "convert": _convert,
    "export-nnunet": _export_nnunet,
}
