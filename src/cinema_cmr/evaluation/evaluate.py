"""Score a model, or the masks of another program, on annotated studies."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from cinema_cmr.core.annotation import LabelMap
from cinema_cmr.core.errors import InputError, MissingFileError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.data.cases import AnnotatedStudy
from cinema_cmr.data.external_masks import Predictions
from cinema_cmr.data.seen_frames import patients_seen
from cinema_cmr.evaluation.record import Evaluated, Evaluation, NotScored, check_flags, subgroup_summaries
from cinema_cmr.inference.runtime import Runtime
from cinema_cmr.models.loaded import LoadedModel
from cinema_cmr.tasks.evaluator import PredictionOptions
from cinema_cmr.tasks.mask_scores import score_stack
from cinema_cmr.tasks.registry import create_evaluator, task_type
from cinema_cmr.tasks.result import Result, Summary, summarise

__all__ = ["Scored", "evaluate", "evaluate_masks"]

Report = Callable[[Result | NotScored], None]
_DEFAULTS = PredictionOptions()


@dataclass(frozen=True, kw_only=True)
class Scored:
    """An evaluation together with the studies of its results, in the same order, for pictures."""

    evaluation: Evaluation
    studies: tuple[AnnotatedStudy, ...]


def evaluate(
    loaded: LoadedModel,
    studies: Iterable[AnnotatedStudy],
    runtime: Runtime,
    *,
    options: PredictionOptions = _DEFAULTS,
    report: Report | None = None,
    dataset: str = "",
    part: str = "",
) -> Scored:
    """Score a model of any task; studies without a reference are listed in `not_scored`.

    `report` receives each result; `dataset` and `part` go into the record. Raises `InputError` if no study can be
    scored.
    """
    evaluator = create_evaluator(loaded, runtime, options)

    def outcome(annotated: AnnotatedStudy) -> Result | NotScored:
        why = evaluator.not_scorable(annotated)
        return evaluator.evaluate(annotated) if why is None else _not_scored(annotated, "unlabelled", why)

    card = loaded.card
    about = Evaluated(
        model=card.name,
        hash=card.weights_sha256,
        task=task_type(card).name,
        target=evaluator.target,
        dataset=dataset,
        part=part,
    )
    scored = _collect(studies, outcome, evaluator.summarise, report, about)
    return replace(scored, evaluation=replace(scored.evaluation, seen=patients_seen(card, scored.studies)))


def evaluate_masks(
    studies: Iterable[AnnotatedStudy],
    masks: Predictions,
    *,
    name: str | None = None,
    report: Report | None = None,
    dataset: str = "",
    part: str = "",
) -> Scored:
    """Score masks of the labelled short-axis frames in files; those missing or unusable are listed in `not_scored`.

    `name` is that of the program, else that of the folder; `dataset` and `part` go into the record too. Raises
    `InputError` if no study has a usable mask.
    """

    def outcome(annotated: AnnotatedStudy) -> Result | NotScored:
        if not annotated.labelled_frames.get(View.SAX):
            return _not_scored(annotated, "unlabelled", "no labels of the short axis")
        try:
            return score_stack(
                annotated, LabelMap(array=masks.read(annotated), scheme=annotated.labels[View.SAX].scheme)
            )
        except MissingFileError as error:
            return _not_scored(annotated, "missing", str(error))
        except InputError as error:
            return _not_scored(annotated, "unusable", str(error))

    about = Evaluated(model=name or masks.name, task="segment", dataset=dataset, part=part)
    return _collect(studies, outcome, summarise, report, about)


def _collect(
    studies: Iterable[AnnotatedStudy],
    outcome: Callable[[AnnotatedStudy], Result | NotScored],
    summarise: Callable[[Sequence[Result]], Summary],
    report: Report | None,
    about: Evaluated,
) -> Scored:
    kept, results, not_scored = list[AnnotatedStudy](), list[Result](), list[NotScored]()
    for annotated in studies:
        found = outcome(annotated)
        if isinstance(found, Result):
            kept.append(annotated)
            results.append(found)
        else:
            not_scored.append(found)
        if report is not None:
            report(found)
    if not results:
        first = f": {not_scored[0].why}" if not_scored else ""
        raise InputError(
            f"none of {len(not_scored)} studies can be scored for '{about.model}'{first}; expected at least one with"
            " a reference for its task"
        )
    evaluation = Evaluation(
        **vars(about),
        summary=summarise(results),
        subgroups=subgroup_summaries(results, summarise),
        checks=check_flags(results),
        results=tuple(results),
        not_scored=tuple(not_scored),
    )
    return Scored(evaluation=evaluation, studies=tuple(kept))


def _not_scored(annotated: AnnotatedStudy, status: str, why: str) -> NotScored:
    return NotScored(study=annotated.study.name, patient=annotated.patient, status=status, why=why)
