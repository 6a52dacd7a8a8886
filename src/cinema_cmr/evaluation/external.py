"""How good masks are that another program made: scored one study after the other, what cannot be scored listed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from cinema_cmr.core.errors import InputError, MissingFileError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.data.cases import AnnotatedStudy
from cinema_cmr.data.external_masks import Predictions
from cinema_cmr.evaluation.segmentation import PatientScore, evaluate_masks

__all__ = ["NotScored", "evaluate_predictions"]


@dataclass(frozen=True, kw_only=True)
class NotScored:
    """A labelled study without a score, and why."""

    study: str
    patient: str
    status: str
    """"missing" where there is no mask, "unusable" where there is one that cannot be taken; "unlabelled" where nobody
    drew, or knows, what is to be compared."""
    why: str


def evaluate_predictions(
    studies: Iterable[AnnotatedStudy],
    predictions: Predictions,
    *,
    report: Callable[[PatientScore | NotScored], None] | None = None,
) -> tuple[list[tuple[AnnotatedStudy, PatientScore]], list[NotScored]]:
    """Each study with its score, as `evaluate.evaluate_masks` gives it, and the studies that have none.

    Raises `InputError` where no study could be scored.
    """
    scored: list[tuple[AnnotatedStudy, PatientScore]] = []
    left: list[NotScored] = []
    for annotated in studies:
        result = _scored(annotated, predictions)
        if isinstance(result, PatientScore):
            scored.append((annotated, result))
        else:
            left.append(result)
        if report is not None:
            report(result)
    if not scored:
        first = f", e.g. {left[0].why}" if left else ""
        raise InputError(f"none of {len(left)} studies has a mask in '{predictions.name}' that can be scored{first}")
    return scored, left


def _scored(annotated: AnnotatedStudy, predictions: Predictions) -> PatientScore | NotScored:
    if not annotated.labelled_frames.get(View.SAX):
        return _not_scored(annotated, "unlabelled", "nobody drew on its short axis")
    try:
        (score,) = evaluate_masks([annotated], predictions.read)
    except MissingFileError as error:
        return _not_scored(annotated, "missing", str(error))
    except InputError as error:
        return _not_scored(annotated, "unusable", str(error))
    return score


def _not_scored(annotated: AnnotatedStudy, status: str, why: str) -> NotScored:
    return NotScored(study=annotated.study.name, patient=annotated.patient, status=status, why=why)
