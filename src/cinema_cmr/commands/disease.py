"""`cinema disease`: a model of disease groups from the measurements of labelled studies."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from jsonargparse import ArgumentParser, Namespace

from cinema_cmr.commands.console import Console
from cinema_cmr.commands.options.shared_options import add_model_options
from cinema_cmr.commands.options.training_data import add_data_options, read_training_data

if TYPE_CHECKING:
    from cinema_cmr.core.card import ModelCard
    from cinema_cmr.recipes.disease_groups import GroupScores, Predict

__all__ = ["add_arguments", "run"]


def add_arguments(parser: ArgumentParser) -> None:
    """Data with groups, the model whose masks it is also tried on, and where it goes."""
    add_data_options(parser)
    add_model_options(parser)
    parser.add_argument("-o", "--output", required=True, help="folder for disease.json, the model with its scores")
    parser.add_argument(
        "--n-train", "--n", type=int, help="learn from at most N patients, drawn round-robin over the groups"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the folds, and of the draw of --n-train")
    parser.add_argument(
        "--experts-only",
        action="store_true",
        help="neither learn from masks that --model predicts nor be scored on them",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace a model that is there")
    parser.add_argument("--json", action="store_true", help="the scores on stdout as one JSON document")


def run(given: Namespace) -> int:
    """Fit, score, write and print the result."""
    from cinema_cmr.core.serialise import from_dict
    from cinema_cmr.disease.model import DISEASE_FILE
    from cinema_cmr.io.output_folder import check_new_files
    from cinema_cmr.recipes.disease_groups import GroupScores, train_disease_model

    console = Console(as_json=given.json)
    path = Path(given.output) / DISEASE_FILE
    check_new_files(path.parent, [path.name], overwrite=given.overwrite)
    data = read_training_data(given, console)
    predict, card = (None, None) if given.experts_only else _predictor(given)
    model = train_disease_model(data, predict=predict, predictor=card, seed=given.seed, report=console.note)
    model.write(path, overwrite=given.overwrite)
    recorded = model.training["scores"]
    scores = from_dict(dict[str, GroupScores], recorded, "scores")
    lines = [f"  {where}: {_line(its)}" for where, its in scores.items()]
    console.result("\n".join([f"model: {path}", *lines, model.notice]), {"model": str(path), "scores": recorded})
    return 0


def _line(its: GroupScores) -> str:
    accuracy, balanced = ("{:.3f} ({:.3f} to {:.3f})".format(*row) for row in (its.accuracy, its.balanced_accuracy))
    return (
        f"accuracy {accuracy}, balanced {balanced}, MCC {its.matthews:.3f}, AUROC {its.auroc:.3f},"
        f" calibration error {its.calibration_error:.3f}, {its.n} patients"
    )


def _predictor(given: Namespace) -> tuple[Predict, ModelCard]:
    """Return what draws the masks of a study, and the card of its network."""
    from cinema_cmr.core.vocabulary import View
    from cinema_cmr.inference.loading import load_segmenter
    from cinema_cmr.inference.predictor import predict_cine

    segmenter = load_segmenter(given.model, device=given.device, precision=given.precision, tta=given.tta)
    return (lambda annotated: predict_cine(annotated.study.cine(View.SAX), segmenter).labels), segmenter.card
