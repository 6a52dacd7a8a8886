"""`cinema evaluate`: a model of any task, or masks of another program, against reference annotations."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from jsonargparse import ArgumentParser, Namespace

from cinema_cmr.commands.console import Console
from cinema_cmr.commands.options.shared_options import add_model_options
from cinema_cmr.commands.options.training_data import add_data_options

if TYPE_CHECKING:
    from cinema_cmr.evaluation.evaluate import Scored
    from cinema_cmr.evaluation.record import NotScored
    from cinema_cmr.evaluation.studies import StudySource
    from cinema_cmr.tasks.result import Result

__all__ = ["add_arguments", "run"]

_UNUSABLE = 3
"""Exit code if a mask exists but cannot be used, unlike a mask that is missing."""
_MAX_NAMED = 5


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
    from cinema_cmr.bench.published import compare_with_published
    from cinema_cmr.evaluation.record import compare_evaluations, read_evaluation
    from cinema_cmr.report.evaluation.output import check_evaluation_folder, write_evaluation
    from cinema_cmr.report.evaluation.tables import evaluation_text

    if given.output:
        check_evaluation_folder(Path(given.output), overwrite=given.overwrite)
    console = Console(as_json=given.json)
    other = read_evaluation(Path(given.against)) if given.against else None
    scored = _score_masks(given, console) if given.predictions else _score_model(given, console)
    evaluation = replace(scored.evaluation, published=compare_with_published(scored.evaluation))
    if other is not None:
        evaluation = replace(evaluation, against=compare_evaluations(evaluation, other))
    summary = {name: part for name, part in evaluation.to_dict().items() if name not in ("patients", "subgroups")}
    console.result(evaluation_text(evaluation), summary)
    if given.output:
        write_evaluation(Path(given.output), evaluation, scored.studies, overwrite=given.overwrite)
    unusable = any(row.status == "unusable" for row in evaluation.not_scored)
    return _UNUSABLE if given.predictions and unusable else 0


def _score_model(given: Namespace, console: Console) -> Scored:
    from cinema_cmr.evaluation.evaluate import evaluate
    from cinema_cmr.inference.runtime import choose_runtime
    from cinema_cmr.models.weights import load_model
    from cinema_cmr.tasks.evaluator import PredictionOptions
    from cinema_cmr.tasks.registry import task_type

    loaded = load_model(given.model)
    labelled_only = task_type(loaded.card).needs_annotations
    dataset, studies = _source(given).read(loaded.card, labelled_only=labelled_only, note=console.note)
    return evaluate(
        loaded,
        studies,
        choose_runtime(given.device, given.precision),
        options=PredictionOptions(tta=given.tta, together=given.together),
        report=lambda outcome: console.note(_line(outcome)),
        dataset=dataset,
        part=given.part,
    )


def _score_masks(given: Namespace, console: Console) -> Scored:
    from cinema_cmr.data.external_masks import open_predictions, parse_codes
    from cinema_cmr.evaluation.evaluate import evaluate_masks

    masks = open_predictions(Path(given.predictions), codes=parse_codes(given.prediction_codes) or None)
    dataset, studies = _source(given).read(note=console.note)
    scored = evaluate_masks(
        studies,
        masks,
        name=given.name,
        report=lambda outcome: console.note(_line(outcome)),
        dataset=dataset,
        part=given.part,
    )
    unused = masks.unused()
    if unused:
        more = f" and {len(unused) - _MAX_NAMED} more" if len(unused) > _MAX_NAMED else ""
        console.note(f"{len(unused)} masks belong to no study of this part: {', '.join(unused[:_MAX_NAMED])}{more}")
    return scored


def _source(given: Namespace) -> StudySource:
    from cinema_cmr.evaluation.studies import StudySource

    split = Path(given.split) if given.split else None
    return StudySource(data=given.data, codes=given.codes, part=given.part, split=split, model=given.model)


def _line(outcome: Result | NotScored) -> str:
    """One line of progress for a result or a study without one."""
    from cinema_cmr.evaluation.record import NotScored
    from cinema_cmr.report.evaluation.tables import result_line

    if not isinstance(outcome, NotScored):
        return result_line(outcome)
    status = "left out" if outcome.status == "unlabelled" else outcome.status
    return f"{status}: {outcome.study}: {outcome.why}"
