"""`cinema evaluate`: a model against experts' masks, patient by patient."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser, Namespace

from cinema_cmr.commands.console import Console
from cinema_cmr.commands.evaluate_answers import run_other_task
from cinema_cmr.commands.options import add_model_options
from cinema_cmr.commands.training_data import add_data_options, read_part

__all__ = ["add_arguments", "run"]

_SHOWN = (
    ("lv_ef_percent", "LVEF"),
    ("rv_ef_percent", "RVEF"),
    ("infarct_percent", "infarct"),
    ("no_reflow_percent", "no-reflow"),
)
"""Measurements whose error is told for each patient."""

_SUBGROUPS = ("group", "sex", "vendor", "field_tesla")
"""Facts of a dataset by which the tables are told apart."""


def add_arguments(parser: ArgumentParser) -> None:
    """Data, part, model and where the tables go."""
    add_data_options(parser)
    add_model_options(parser)
    parser.add_argument("--part", default="validation", help="train, validation, test, or all")
    parser.add_argument("--together", action="store_true", help="predict a patient's frames as one cine")
    parser.add_argument("-o", "--output", help="folder for scores.json, patients.csv and tables.md")
    parser.add_argument("--overwrite", action="store_true", help="replace tables that are there")
    parser.add_argument("--json", action="store_true", help="the summary on stdout as one JSON document")


def run(given: Namespace) -> int:
    """Score every patient, print the summary, and write the tables."""
    from cinema_cmr.engine.evaluate import evaluate_segmentation, summarise
    from cinema_cmr.io.atomic import write_text
    from cinema_cmr.models.weights import load_model
    from cinema_cmr.pipeline import Options, prepare_segmenter
    from cinema_cmr.report.evaluation import evaluation_tables
    from cinema_cmr.report.plain import json_text, plain

    console = Console(as_json=given.json)
    loaded = load_model(given.model)
    if loaded.card.task != "segment":
        return run_other_task(given, console, loaded)
    studies = read_part(given, console)
    options = Options(model=given.model, device=given.device, precision=given.precision, turns=given.turns)
    segmenter = prepare_segmenter(options, loaded)
    scores = evaluate_segmentation(
        studies, segmenter, together=given.together, report=lambda score: console.note(_patient_line(score))
    )
    summary = plain({"model": segmenter.card.name, "hash": segmenter.card.weights_sha256, **summarise(scores)})
    console.result(_text(summary), summary)
    if given.output:
        folder = Path(given.output)
        write_text(folder / "patients.csv", _csv(scores), overwrite=given.overwrite)
        write_text(folder / "tables.md", evaluation_tables(summary, _subgroups(scores)), overwrite=given.overwrite)
        write_text(folder / "scores.json", json_text(summary), overwrite=given.overwrite)
    return 0


def _subgroups(scores: Sequence[Any]) -> dict[str, dict[str, Any]]:
    """Summaries of the patients that share a fact of the dataset, where it tells at least two kinds apart."""
    from cinema_cmr.engine.evaluate import summarise
    from cinema_cmr.report.plain import plain

    found = {}
    for fact in _SUBGROUPS:
        kinds = sorted({str(score.facts[fact]) for score in scores if score.facts.get(fact)})
        for kind in kinds if len(kinds) > 1 else ():
            found[f"{fact} {kind}"] = plain(summarise([s for s in scores if str(s.facts.get(fact)) == kind]))
    return found


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
