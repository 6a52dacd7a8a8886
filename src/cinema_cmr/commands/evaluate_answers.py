"""`cinema evaluate` of models that give landmarks, a number or a class: what is told and written of them."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jsonargparse import Namespace

from cinema_cmr.commands.console import Console
from cinema_cmr.commands.evaluate_output import write_files
from cinema_cmr.commands.evaluate_studies import read_scorable

__all__ = ["run_other_task"]


def run_other_task(given: Namespace, console: Console, loaded: Any) -> int:
    """Score every study by the task of the model's card, print the summary, and write the tables."""
    from cinema_cmr.core.serialise import json_text, json_values
    from cinema_cmr.inference.runtime import choose_runtime
    from cinema_cmr.report.evaluation.scalar import answer_tables

    studies, left = read_scorable(given, console, loaded.card)
    runtime = choose_runtime(given.device, given.precision)
    found, rows = (_landmarks if loaded.card.task == "landmark" else _answers)(studies, loaded, runtime, console)
    told = {"model": loaded.card.name, "hash": loaded.card.weights_sha256, "task": loaded.card.task}
    summary = json_values({**told, "not_scored": left, **found})
    tables = answer_tables(summary)
    console.result(tables, summary)
    if given.output:
        texts = {"patients.csv": _csv(rows), "tables.md": tables, "scores.json": json_text(summary)}
        write_files(Path(given.output), texts, overwrite=given.overwrite)
    return 0


def _landmarks(studies: Sequence[Any], loaded: Any, runtime: Any, console: Console) -> tuple[Any, list[list[Any]]]:
    from cinema_cmr.evaluation.landmark import evaluate_landmarks, summarise_landmarks
    from cinema_cmr.inference.landmark_predictor import LandmarkPredictor

    scores = evaluate_landmarks(
        studies, LandmarkPredictor(loaded, runtime), report=lambda score: console.note(f"{score.patient}: done")
    )
    rows: list[list[Any]] = [["patient", "point", "frame", "distance_mm"]]
    for score in scores:
        for name, distances in score.distances_mm.items():
            rows += [[score.patient, name, frame, f"{mm:.3f}"] for frame, mm in enumerate(distances)]
    return summarise_landmarks(scores), rows


def _answers(studies: Sequence[Any], loaded: Any, runtime: Any, console: Console) -> tuple[Any, list[list[Any]]]:
    from cinema_cmr.evaluation.scalar import evaluate_answers, summarise_classes, summarise_numbers
    from cinema_cmr.inference.scalar_predictor import ScalarPredictor

    scores = evaluate_answers(
        studies, ScalarPredictor(loaded, runtime), report=lambda score: console.note(f"{score.patient}: done")
    )
    rows: list[list[Any]] = [["patient", "known", *scores[0].answer]]
    rows += [[score.patient, score.known, *(f"{value:.5g}" for value in score.answer.values())] for score in scores]
    summarise = summarise_classes if loaded.card.task == "classify" else summarise_numbers
    return summarise(scores), rows


def _csv(rows: Sequence[Sequence[Any]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
