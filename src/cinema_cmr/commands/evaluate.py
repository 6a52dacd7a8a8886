"""`cinema evaluate`: a model of any task, or masks of another program, against reference annotations."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from jsonargparse import ArgumentParser, Namespace

from cinema_cmr.commands.console import Console
from cinema_cmr.commands.options.shared_options import add_model_options
from cinema_cmr.commands.options.training_data import add_data_options

if TYPE_CHECKING:
    from cinema_cmr.evaluation.record import NotScored
    from cinema_cmr.tasks.result import Result

__all__ = ["add_arguments", "run"]

_UNUSABLE = 3
"""Exit code if a mask exists but cannot be used, unlike a mask that is missing."""


def add_arguments(parser: ArgumentParser) -> None:
    """Add the options of data, model, masks and output."""
    add_data_options(parser, otherwise="that of the run that --model lies in (RUN/split.json), or the dataset's own")
    parser.add_argument("--part", default="validation", help="part of the split, or all; default: %(default)s")
    add_model_options(parser)
    parser.add_argument("--together", action="store_true", help="predict the labelled frames of a study as one cine")
    parser.add_argument(
        "--predictions",
        help="folder of masks (NIfTI) to score instead of a model: NAME.nii.gz or NAME_seg.nii.gz a study, or one a"
        " labelled frame (NAME_frameNN, or as nnU-Net names them after `cinema datasets export-nnunet`)",
    )
    parser.add_argument(
        "--prediction-codes", nargs="+", default=[], metavar="CODE=NAME", help="codes of these masks, e.g. 1=lv 2=myo"
    )
    parser.add_argument("--name", help="name of these masks in the tables; default: the folder's name")
    parser.add_argument("--against", help="folder of another evaluation of the same patients, to compare with")
    parser.add_argument("-o", "--output", help="folder for page.html, tables.md, scores.json and patients.csv")
    parser.add_argument("--overwrite", action="store_true", help="replace the evaluation in that folder")
    parser.add_argument("--json", action="store_true", help="print the summary as one JSON document")


def run(given: Namespace) -> int:
    """Score the studies, print the summary, and write tables and page."""
    from cinema_cmr.pipeline.evaluations import EvaluationRequest
    from cinema_cmr.report.evaluation.tables import evaluation_text
    from cinema_cmr.tasks.evaluator import PredictionOptions

    console = Console(as_json=given.json)
    request = EvaluationRequest(
        data=given.data,
        folder=given.output,
        part=given.part,
        split=given.split,
        codes=given.codes,
        against=given.against,
        overwrite=given.overwrite,
        note=console.note,
        report=lambda outcome: console.note(_line(outcome)),
    )
    if given.predictions:
        scored = request.score_masks(given.predictions, name=given.name, codes=given.prediction_codes)
    else:
        options = PredictionOptions(tta=given.tta, together=given.together)
        scored = request.score_model(given.model, device=given.device, precision=given.precision, options=options)
    evaluation = scored.evaluation
    summary = {name: part for name, part in evaluation.to_dict().items() if name not in ("patients", "subgroups")}
    console.result(evaluation_text(evaluation), summary)
    request.write(scored)
    if given.output and not given.json:
        console.result(f"page: {Path(given.output) / 'page.html'}", {})
    unusable = any(row.status == "unusable" for row in evaluation.not_scored)
    return _UNUSABLE if given.predictions and unusable else 0


def _line(outcome: Result | NotScored) -> str:
    """One line of progress for a result or a study without one."""
    from cinema_cmr.evaluation.record import NotScored
    from cinema_cmr.report.evaluation.tables import result_line

    if not isinstance(outcome, NotScored):
        return result_line(outcome)
    status = "left out" if outcome.status == "unlabelled" else outcome.status
    return f"{status}: {outcome.study}: {outcome.why}"
