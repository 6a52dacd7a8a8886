"""How good a model's numbers or classes are: one answer a patient against what is known of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from cinema_cmr.core.card import ModelCard
from cinema_cmr.core.errors import InputError
from cinema_cmr.data.cases import AnnotatedStudy
from cinema_cmr.inference.scalar_predictor import ScalarPredictor
from cinema_cmr.score.agreement import agreement
from cinema_cmr.score.classification import balanced_accuracy, confusion_matrix, score_classes
from cinema_cmr.score.statistics import bootstrap_interval, finite_mean, mean_interval
from cinema_cmr.tasks.targets import bounds_of_cycle, target_value

__all__ = ["ScalarResult", "evaluate_answers", "summarise_classes", "summarise_numbers", "target_of"]


@dataclass(frozen=True, kw_only=True)
class ScalarResult:
    """One study: what the model answered, and what is known."""

    patient: str
    answer: Mapping[str, float]
    """As `inference.scalar_predictor.ScalarPredictor` gives it."""
    known: float | str
    facts: Mapping[str, Any]


def evaluate_answers(
    studies: Iterable[AnnotatedStudy],
    answerer: ScalarPredictor,
    *,
    report: Callable[[ScalarResult], None] | None = None,
) -> list[ScalarResult]:
    """The answer for every study of which the target is known; the others are left out.

    End-diastole and end-systole are the labelled frames where a dataset has them, as the published models take them.
    """
    target = target_of(answerer.card)
    scores = []
    for annotated in studies:
        known = target_value(annotated, target)
        if known is None:
            continue
        answer = answerer.predict(annotated.study, bounds_of_cycle(annotated))
        scores.append(ScalarResult(patient=annotated.patient, answer=answer, known=known, facts=annotated.facts))
        if report is not None:
            report(scores[-1])
    if not scores:
        raise InputError(f"no study tells '{target}'; expected it among the dataset's facts or its masks' measurements")
    return scores


def target_of(card: ModelCard) -> str:
    """Which fact or measurement a model of numbers or classes answers."""
    return card.outputs[0] if card.task == "regress" else str(card.training.get("answers", "group"))


def summarise_numbers(scores: Sequence[ScalarResult], *, seed: int = 0) -> dict[str, Any]:
    """Agreement with what is known, and beside it the error of always saying these patients' mean.

    A patient with several studies counts once, with their mean. Raises `InputError` for fewer than two patients,
    and where what is known is not a number.
    """
    answers = np.array([finite_mean(next(iter(s.answer.values())) for s in its) for its in _by_patient(scores)])
    known = np.array([finite_mean(_number(s.known) for s in its) for its in _by_patient(scores)])
    of_all = agreement(answers, known)
    error, blind = np.abs(answers - known), np.abs(known - np.nanmean(known))
    return {
        "n_patients": len(known),
        "target": next(iter(scores[0].answer)),
        "bias": of_all.bias,
        "limits": [of_all.lower_limit, of_all.upper_limit],
        "icc": of_all.icc,
        "mean_absolute_error": asdict(mean_interval(error, seed=seed)),
        "mean_absolute_error_of_the_mean": asdict(mean_interval(blind, seed=seed)),
    }


def summarise_classes(scores: Sequence[ScalarResult], *, seed: int = 0) -> dict[str, Any]:
    """Accuracy with its interval, balanced accuracy, Matthews, AUROC, calibration, and who was taken for what.

    Each study counts. Raises `InputError` where a class is none of the model's.
    """
    names = list(scores[0].answer)
    truth = np.array([_class_of(score.known, names) for score in scores])
    probs = np.array([[score.answer[name] for name in names] for score in scores])
    right = (probs.argmax(axis=1) == truth).astype(float)
    found = score_classes(truth, probs)

    return {
        "n_patients": len({score.patient for score in scores}),
        "classes": names,
        "accuracy": asdict(mean_interval(right, seed=seed)),
        "balanced_accuracy": asdict(bootstrap_interval(balanced_accuracy, truth, right, seed=seed, along_axis=True)),
        "matthews": found.matthews,
        "auroc": found.auroc,
        "calibration_error": found.calibration_error,
        "confusion": confusion_matrix(truth, probs.argmax(axis=1), n_classes=len(names)).tolist(),
    }


def _by_patient(scores: Sequence[ScalarResult]) -> list[list[ScalarResult]]:
    found: dict[str, list[ScalarResult]] = {}
    for score in scores:
        found.setdefault(score.patient, []).append(score)
    return list(found.values())


def _number(known: float | str) -> float:
    if isinstance(known, str):
        raise InputError(f"'{known}' is known where a number was expected; evaluate a model of classes on it")
    return known


def _class_of(known: float | str, names: Sequence[str]) -> int:
    name = known if isinstance(known, str) else f"{known:g}"
    if name not in names:
        raise InputError(f"a study is of class '{name}'; the model knows {list(names)}")
    return list(names).index(name)
