"""`cinema evaluate`: a model against experts' masks, patient by patient."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser, Namespace

from cinema_cmr.commands.console import Console
from cinema_cmr.commands.evaluate_answers import run_other_task
from cinema_cmr.commands.options import add_model_options
from cinema_cmr.commands.training_data import add_data_options, find_cases, read_part
from cinema_cmr.core.errors import InputError

__all__ = ["add_arguments", "run"]

_SHOWN = (
    ("lv_ef_percent", "LVEF"),
    ("rv_ef_percent", "RVEF"),
    ("infarct_percent", "infarct"),
    ("no_reflow_percent", "no-reflow"),
)
"""Measurements whose error is told for each patient."""


def add_arguments(parser: ArgumentParser) -> None:
    """Data, part, model and where the tables go."""
    add_data_options(parser)
    add_model_options(parser)
    parser.add_argument("--part", default="validation", help="train, validation, test, or all")
    parser.add_argument("--together", action="store_true", help="predict a patient's frames as one cine")
    parser.add_argument(
        "--against", help="folder of another evaluation of the same patients, to compare with patient by patient"
    )
    parser.add_argument("-o", "--output", help="folder for page.html, tables.md, scores.json and patients.csv")
    parser.add_argument("--overwrite", action="store_true", help="replace tables that are there")
    parser.add_argument("--json", action="store_true", help="the summary on stdout as one JSON document")


def run(given: Namespace) -> int:
    """Score every patient by the task of the model, print the summary, and write the tables and the page."""
    from cinema_cmr.models.weights import load_model

    console = Console(as_json=given.json)
    loaded = load_model(given.model)
    if loaded.card.task != "segment":
        return run_other_task(given, console, loaded)
    return _run_segmentation(given, console, loaded)


def _run_segmentation(given: Namespace, console: Console, loaded: Any) -> int:
    from cinema_cmr.bench.published import beside
    from cinema_cmr.engine.evaluate_against import compare
    from cinema_cmr.engine.evaluate_document import evaluation_document
    from cinema_cmr.report.plain import plain

    other = _other_evaluation(given.against)
    studies = read_part(given, console)
    scores, about = _scored(given, studies, loaded, console.note)
    document = plain(evaluation_document(scores, **about, **_data(given)))
    document["published"] = beside(document)
    if other is not None:
        document["against"] = plain(compare(document, other))
    summary = {name: part for name, part in document.items() if name not in ("patients", "subgroups")}
    console.result(_text(summary), summary)
    if given.output:
        _write(Path(given.output), document, studies, scores, overwrite=given.overwrite)
    return 0


def _other_evaluation(folder: str | None) -> Any:
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


def _scored(
    given: Namespace, studies: Sequence[Any], loaded: Any, note: Callable[[str], None]
) -> tuple[list[Any], dict[str, Any]]:
    """Scores of the model, and what names it."""
    from cinema_cmr.engine.evaluate import evaluate_segmentation
    from cinema_cmr.pipeline import Options, prepare_segmenter

    options = Options(model=given.model, device=given.device, precision=given.precision, turns=given.turns)
    segmenter = prepare_segmenter(options, loaded)
    scores = evaluate_segmentation(
        studies, segmenter, together=given.together, report=lambda score: note(_patient_line(score))
    )
    return scores, {"model": segmenter.card.name, "hash": segmenter.card.weights_sha256}


def _data(given: Namespace) -> dict[str, Any]:
    """Which data it was, without the folder's place on this machine."""
    dataset, _ = find_cases(given.data)
    return {"dataset": dataset.card.name, "part": given.part}


def _write(
    folder: Path, document: dict[str, Any], studies: Sequence[Any], scores: Sequence[Any], *, overwrite: bool
) -> None:
    from cinema_cmr.io.atomic import write_text
    from cinema_cmr.report.evaluation import evaluation_tables
    from cinema_cmr.report.evaluation_page import evaluation_page
    from cinema_cmr.report.plain import json_text

    texts = {
        "patients.csv": _csv(scores),
        "tables.md": evaluation_tables(document, document["subgroups"]),
        "page.html": evaluation_page(document, _cases(document, studies, scores)),
        "scores.json": json_text(document),
    }
    for name, text in texts.items():
        write_text(folder / name, text, overwrite=overwrite)


def _cases(document: dict[str, Any], studies: Sequence[Any], scores: Sequence[Any]) -> list[Any]:
    from cinema_cmr.report.evaluation_pictures import case_picture, chosen_cases

    rows = document["patients"]
    made = (
        case_picture(title, rows[index], studies[index], scores[index].predicted)
        for title, index in chosen_cases(rows).items()
    )
    return [case for case in made if case is not None]


def _patient_line(score: Any) -> str:
    overlap = ", ".join(f"{name[5:]} {score.mean(name):.3f}" for name in score.frames[0] if name.startswith("dice_"))
    errors = [
        f"{title} {_difference(score.measured[name], score.reference[name])}"
        for name, title in _SHOWN
        if name in score.measured
    ]
    return f"{score.patient}: Dice {overlap}; {', '.join(errors)} points"


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
    return "\n".join(lines)


def _with_interval(row: dict[str, Any], digits: int) -> str:
    low, high = (_number(row[end], digits) for end in ("low", "high"))
    return f"{_number(row['value'], digits)} ({low} to {high})"


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _csv(scores: Sequence[Any]) -> str:
    names = list(scores[0].frames[0])
    volumes = list(scores[0].reference)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["patient", *names, *(f"{v}_{kind}" for v in volumes for kind in ("measured", "reference"))])
    for score in scores:
        pairs = [value for name in volumes for value in (score.measured[name], score.reference[name])]
        writer.writerow([score.patient, *(f"{score.mean(name):.4f}" for name in names), *pairs])
    return text.getvalue()
