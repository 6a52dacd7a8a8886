"""What `cinema evaluate` tells and writes of masks that were scored, whoever made them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from jsonargparse import Namespace

from cinema_cmr.commands.console import Console
from cinema_cmr.commands.training_data import find_cases
from cinema_cmr.core.errors import InputError
from cinema_cmr.io.output_folder import check_new_files, results_folder

__all__ = ["check_output", "patient_line", "read_other_evaluation", "tell_evaluation", "write_files"]

_SHOWN = (
    ("lv_ef_percent", "LVEF"),
    ("rv_ef_percent", "RVEF"),
    ("infarct_percent", "infarct"),
    ("no_reflow_percent", "no-reflow"),
)
"""Measurements whose error is told for each patient."""

_NOT_SCORED = {"missing": "without a mask", "unusable": "unusable", "unlabelled": "without labels to compare with"}
"""Status of a study without a score -> what the summary calls it."""

_LAST = "scores.json"
_FILES = ("patients.csv", "tables.md", "page.html", _LAST)


def check_output(given: Namespace) -> None:
    """Raise before anything is scored where `-o` cannot be written, or holds an evaluation already."""
    if given.output:
        check_new_files(given.output, _FILES, overwrite=given.overwrite)


def write_files(folder: Path, texts: Mapping[str, str], *, overwrite: bool) -> None:
    """All files of an evaluation or none, so that tables never stand beside the scores of another one."""
    with results_folder(folder, last=_LAST, overwrite=overwrite) as made:
        for name, text in texts.items():
            (made / name).write_bytes(text.encode("utf-8"))


def tell_evaluation(
    given: Namespace, console: Console, studies: Sequence[Any], scores: Sequence[Any], about: Mapping[str, Any]
) -> dict[str, Any]:
    """Print the summary and write tables and page to `-o`; returns the document. `about` says what was scored."""
    from cinema_cmr.bench.published import beside
    from cinema_cmr.core.serialise import json_values
    from cinema_cmr.evaluation.compare import compare
    from cinema_cmr.evaluation.record import evaluation_document

    other = read_other_evaluation(given.against)
    document: dict[str, Any] = json_values(evaluation_document(scores, **about, **_data(given)))
    document["published"] = beside(document)
    if other is not None:
        document["against"] = json_values(compare(document, other))
    summary = {name: part for name, part in document.items() if name not in ("patients", "subgroups")}
    console.result(_text(summary), summary)
    if given.output:
        _write(Path(given.output), document, studies, scores, overwrite=given.overwrite)
    return document


def _data(given: Namespace) -> dict[str, Any]:
    """Which data it was, without the folder's place on this machine."""
    dataset, _ = find_cases(given.data)
    return {"dataset": dataset.card.name, "part": given.part}


def read_other_evaluation(folder: str | None) -> Any:
    """What another run of this command wrote, or None; raises `InputError` where there is none."""
    if folder is None:
        return None
    path = Path(folder) / "scores.json"
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(
            f"'{Path(folder).name}' has no readable scores.json; expected the folder of a `cinema evaluate -o`"
        ) from error
    if "patients" not in document:
        raise InputError(f"'{Path(folder).name}/scores.json' names no patients; evaluate that model again")
    return document


def _write(
    folder: Path, document: dict[str, Any], studies: Sequence[Any], scores: Sequence[Any], *, overwrite: bool
) -> None:
    from cinema_cmr.core.serialise import json_text
    from cinema_cmr.report.evaluation.page import evaluation_page
    from cinema_cmr.report.evaluation.tables import evaluation_tables

    texts = {
        "patients.csv": _csv(scores),
        "tables.md": evaluation_tables(document, document["subgroups"]),
        "page.html": evaluation_page(document, _cases(document, studies, scores)),
        "scores.json": json_text(document),
    }
    write_files(folder, texts, overwrite=overwrite)


def _cases(document: dict[str, Any], studies: Sequence[Any], scores: Sequence[Any]) -> list[Any]:
    from cinema_cmr.report.evaluation.pictures import case_picture, chosen_cases

    rows = document["patients"]
    made = (
        case_picture(title, rows[index], studies[index], scores[index].predicted)
        for title, index in chosen_cases(rows).items()
    )
    return [case for case in made if case is not None]


def patient_line(score: Any) -> str:
    """One patient's Dice by structure and errors of the measurements that are asked for first."""
    names = [name for name in _names(score.frames) if name.startswith("dice_")]
    overlap = ", ".join(f"{name[5:]} {score.mean(name):.3f}" for name in names)
    errors = [
        f"{title} {_difference(score.measured[name], score.reference[name])}"
        for name, title in _SHOWN
        if name in score.measured
    ]
    return f"{score.patient}: Dice {overlap}" + (f"; {', '.join(errors)} points" if errors else "")


def _names(frames: Iterable[Mapping[str, float]]) -> list[str]:
    """All scores' names in the order they first come in: frames of other views have others."""
    return list(dict.fromkeys(name for frame in frames for name in frame))


def _difference(measured: float | None, reference: float | None) -> str:
    return "-" if measured is None or reference is None else f"{measured - reference:+.1f}"


def _text(summary: dict[str, Any]) -> str:
    lines = [f"{summary['model']} on {summary['n_patients']} patients, mean (95 % interval over patients)"]
    for name, row in summary["scores"].items():
        lines.append(f"  {name:<28} {_with_interval(row, 3)}")
    for name, row in summary["measurements"].items():
        error = row["mean_absolute_error"]
        low, high = row["limits"]
        lines.append(
            f"  {name:<28} absolute error {_with_interval(error, 1)}, bias {row['bias']:+.1f}, "
            f"limits {low:+.1f} to {high:+.1f}, ICC {_number(row['icc'], 3)}"
        )
    for name, row in summary["repeatability"].items():
        which = (f"{which} {_with_interval(row[which], 1)}" for which in ("measured", "reference") if which in row)
        lines.append(f"  {name:<28} scan-rescan variation, %: {', '.join(which)}")
    if summary.get("not_scored"):
        lines.append(f"  not scored: {_how_many(summary)}")
    return "\n".join(lines)


def _how_many(summary: Mapping[str, Any]) -> str:
    left = [row["status"] for row in summary["not_scored"]]
    of = len(left) + summary["n_studies"]
    counted = ((left.count(status), title) for status, title in _NOT_SCORED.items())
    return f"{len(left)} of {of} studies ({', '.join(f'{n} {title}' for n, title in counted if n)})"


def _with_interval(row: dict[str, Any], digits: int) -> str:
    low, high = (_number(row[end], digits) for end in ("low", "high"))
    return f"{_number(row['value'], digits)} ({low} to {high})"


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _csv(scores: Sequence[Any]) -> str:
    names = _names(frame for score in scores for frame in score.frames)
    volumes = list(scores[0].reference)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["patient", *names, *(f"{v}_{kind}" for v in volumes for kind in ("measured", "reference"))])
    for score in scores:
        pairs = [value for name in volumes for value in (score.measured[name], score.reference[name])]
        writer.writerow([score.patient, *(f"{score.mean(name):.4f}" for name in names), *pairs])
    return text.getvalue()
