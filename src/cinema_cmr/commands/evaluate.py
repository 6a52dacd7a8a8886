"""`cinema evaluate`: a model, or masks that another program made, against experts' masks, patient by patient."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from jsonargparse import ArgumentParser, Namespace

from cinema_cmr.commands.console import Console
from cinema_cmr.commands.evaluate_answers import run_other_task
from cinema_cmr.commands.evaluate_output import check_output, patient_line, read_other_evaluation, tell_evaluation
from cinema_cmr.commands.evaluate_predictions import add_prediction_options, run_predictions
from cinema_cmr.commands.evaluate_studies import read_scorable
from cinema_cmr.commands.options import add_model_options
from cinema_cmr.commands.training_data import add_data_options

__all__ = ["add_arguments", "run"]


def add_arguments(parser: ArgumentParser) -> None:
    """Data, part, model and where the tables go."""
    add_data_options(parser, otherwise="that of the run that --model lies in (RUN/split.json), or the dataset's own")
    add_model_options(parser)
    add_prediction_options(parser)
    parser.add_argument(
        "--part", default="validation", help="train, validation or test of the split, or all, which asks for no split"
    )
    parser.add_argument("--together", action="store_true", help="predict a patient's frames as one cine")
    parser.add_argument(
        "--against", help="folder of another evaluation of the same patients, to compare with patient by patient"
    )
    parser.add_argument("-o", "--output", help="folder for page.html, tables.md, scores.json and patients.csv")
    parser.add_argument("--overwrite", action="store_true", help="replace tables that are there")
    parser.add_argument("--json", action="store_true", help="the summary on stdout as one JSON document")


def run(given: Namespace) -> int:
    """Score every patient by the task of the model, print the summary, and write the tables and the page."""
    check_output(given)
    console = Console(as_json=given.json)
    if given.predictions:
        return run_predictions(given, console)
    from cinema_cmr.models.weights import load_model

    loaded = load_model(given.model)
    if loaded.card.task != "segment":
        return run_other_task(given, console, loaded)
    return _run_segmentation(given, console, loaded)


def _run_segmentation(given: Namespace, console: Console, loaded: Any) -> int:
    read_other_evaluation(given.against)
    studies, left = read_scorable(given, console, loaded.card)
    scores, about = _scored(given, studies, loaded, console.note)
    tell_evaluation(given, console, studies, scores, {**about, "not_scored": left})
    return 0


def _scored(
    given: Namespace, studies: Sequence[Any], loaded: Any, note: Callable[[str], None]
) -> tuple[list[Any], dict[str, Any]]:
    """Scores of the model, and what names it."""
    from cinema_cmr.evaluation.segmentation import evaluate_segmentation
    from cinema_cmr.inference.loading import load_segmenter

    segmenter = load_segmenter(loaded, device=given.device, precision=given.precision, tta=given.tta)
    scores = evaluate_segmentation(
        studies, segmenter, together=given.together, report=lambda score: note(patient_line(score))
    )
    return scores, {"model": segmenter.card.name, "hash": segmenter.card.weights_sha256}
