"""Scores of a classifier over patients: what it finds and rules out, how it ranks, whether to believe it.

The rule for what cannot be measured: a class without a patient has no sensitivity, and one that all patients
have no specificity; those are NaN and left out of means over classes. Nothing undefined becomes 0 or 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

from cinema_cmr.core.errors import InputError, UsageError
from cinema_cmr.score.statistics import finite_mean

__all__ = [
    "ClassificationScores",
    "Threshold",
    "auroc",
    "balanced_accuracy",
    "calibration_error",
    "choose_threshold",
    "confusion_matrix",
    "matthews_correlation",
    "score_binary",
    "score_classes",
]

Array = NDArray[np.float64]
Counts = NDArray[np.int64]

CALIBRATION_BINS = 15
"""Bins of confidence, as in Guo et al., ICML 2017."""


@dataclass(frozen=True, kw_only=True)
class Threshold:
    """The probability from which on a patient counts as positive, and where it was chosen."""

    value: float
    chosen_on: Literal["validation", "convention"]
    """"convention" is a value fixed beforehand, such as 0.5."""


@dataclass(frozen=True, kw_only=True)
class ClassificationScores:
    """Scores of one classifier, each 0 to 1 except `matthews` (-1 to 1); NaN where it cannot be measured."""

    sensitivity: float
    """Of the positive class, or the mean over classes, each against the others."""
    specificity: float
    balanced_accuracy: float
    """Mean sensitivity over classes (for two: the mean of sensitivity and specificity)."""
    matthews: float
    auroc: float
    """Of the positive class, or the mean over classes, each against the others."""
    calibration_error: float
    n: int
    """Patients."""


def choose_threshold(labels: ArrayLike, probabilities: ArrayLike, *, split: str) -> Threshold:
    """The threshold with the largest sensitivity + specificity on validation patients.

    Youden, Cancer 1950;3:32. `labels` (n,) are 0 or 1, `probabilities` (n,) of class 1. Candidates lie
    half-way between neighbouring probabilities; of equally good ones the nearest to 0.5 is taken. Raises
    `UsageError` for any split but "validation": a threshold chosen on the patients it is tested on flatters.
    Raises `InputError` where a class is absent.
    """
    if split != "validation":
        raise UsageError(
            f"threshold asked for on split '{split}'; choose it on 'validation' and apply it to the others"
        )
    truth, positive = _checked_binary(labels, probabilities)
    if not 0 < truth.sum() < len(truth):
        raise InputError("validation labels are all of one class; a threshold needs patients of both")
    levels = np.unique(np.concatenate([[0.0], positive, [1.0]]))
    candidates = (levels[:-1] + levels[1:]) / 2
    called = positive[:, None] >= candidates
    youden = called[truth == 1].mean(axis=0) - called[truth == 0].mean(axis=0)
    best = candidates[np.isclose(youden, youden.max())]
    return Threshold(value=float(best[np.argmin(np.abs(best - 0.5))]), chosen_on="validation")


def score_binary(labels: ArrayLike, probabilities: ArrayLike, *, threshold: Threshold) -> ClassificationScores:
    """All scores of a yes-or-no question: labels (n,) of 0 and 1, probabilities (n,) of class 1.

    Positive are the patients with a probability of at least the threshold. Raises `InputError` for other
    labels or probabilities outside 0 to 1.
    """
    truth, positive = _checked_binary(labels, probabilities)
    counts = confusion_matrix(truth, (positive >= threshold.value).astype(np.int64), n_classes=2)
    sensitivity, specificity = _found(counts), _ruled_out(counts)
    return ClassificationScores(
        sensitivity=float(sensitivity[1]),
        specificity=float(specificity[1]),
        balanced_accuracy=finite_mean(sensitivity),
        matthews=matthews_correlation(counts),
        auroc=auroc(truth, positive),
        calibration_error=calibration_error(truth, np.stack([1 - positive, positive], axis=1)),
        n=len(truth),
    )


def score_classes(labels: ArrayLike, probabilities: ArrayLike) -> ClassificationScores:
    """All scores of a choice between classes: labels (n,) from 0, probabilities (n, classes) that sum to 1.

    The class with the largest probability is the answer; sensitivity, specificity and AUROC are means over
    classes, each against the others. Raises `InputError` for labels or probabilities out of range.
    """
    truth, probs = _checked(labels, probabilities)
    n_classes = probs.shape[1]
    counts = confusion_matrix(truth, probs.argmax(axis=1), n_classes=n_classes)
    ranking = [auroc((truth == index).astype(np.int64), probs[:, index]) for index in range(n_classes)]
    return ClassificationScores(
        sensitivity=finite_mean(_found(counts)),
        specificity=finite_mean(_ruled_out(counts)),
        balanced_accuracy=finite_mean(_found(counts)),
        matthews=matthews_correlation(counts),
        auroc=finite_mean(ranking),
        calibration_error=calibration_error(truth, probs),
        n=len(truth),
    )


def confusion_matrix(labels: ArrayLike, predicted: ArrayLike, *, n_classes: int) -> Counts:
    """(classes, classes) numbers of patients: row the true class, column the predicted one."""
    truth, answer = np.asarray(labels, dtype=np.int64), np.asarray(predicted, dtype=np.int64)
    flat = np.bincount(truth * n_classes + answer, minlength=n_classes * n_classes)
    return flat.reshape(n_classes, n_classes)


def balanced_accuracy(labels: ArrayLike, right: ArrayLike, axis: int = -1) -> Any:
    """Mean over the classes that there are of their share of right answers: labels, right (..., n), right 0 or 1.

    One number for (n,), an array of them for more axes; `axis` is the one of the patients.
    """
    truth, hits = (np.moveaxis(np.asarray(values), axis, -1) for values in (labels, right))
    of_class = np.stack([truth == one for one in np.unique(truth)])
    n_of_class = of_class.sum(axis=-1)
    n_right = (of_class * hits.astype(np.float64)).sum(axis=-1)
    shares = np.divide(n_right, n_of_class, out=np.zeros_like(n_right), where=n_of_class > 0)
    found = shares.sum(axis=0) / (n_of_class > 0).sum(axis=0)
    return float(found) if found.ndim == 0 else found


def matthews_correlation(counts: Counts) -> float:
    """Matthews correlation of a confusion matrix, for any number of classes; -1 to 1, 0 is chance.

    Gorodkin, Comput Biol Chem 2004;28:367 (R_K). A classifier that always gives one answer scores 0; NaN
    where the patients are all of one class.
    """
    truth, answer, n = counts.sum(axis=1), counts.sum(axis=0), counts.sum()
    of_truth, of_answer = float(n**2 - truth @ truth), float(n**2 - answer @ answer)
    if of_truth == 0:
        return float("nan")
    covariance = float(np.trace(counts) * n - truth @ answer)
    return covariance / float(np.sqrt(of_truth * of_answer)) if of_answer > 0 else 0.0


def auroc(labels: ArrayLike, scores: ArrayLike) -> float:
    """Chance that a positive patient scores above a negative one, ties half (Hanley, Radiology 1982;143:29).

    `labels` (n,) are 0 and 1, `scores` (n,) any finite numbers. NaN where a class is absent.
    """
    truth = np.asarray(labels) == 1
    n_positive, n_negative = int(truth.sum()), int((~truth).sum())
    if n_positive == 0 or n_negative == 0:
        return float("nan")
    ranks = rankdata(np.asarray(scores, dtype=np.float64))
    return float((ranks[truth].sum() - n_positive * (n_positive + 1) / 2) / (n_positive * n_negative))


def calibration_error(labels: ArrayLike, probabilities: ArrayLike) -> float:
    """Expected calibration error: mean distance between confidence and accuracy, 0 (honest) to 1.

    `labels` (n,) from 0, `probabilities` (n, classes). Confidence is the largest probability; patients fall
    in 15 equal bins of it, weighted by their number (Guo et al., ICML 2017, equation 3). Raises as
    `score_classes` does.
    """
    truth, probs = _checked(labels, probabilities)
    confidence = probs.max(axis=1)
    correct = probs.argmax(axis=1) == truth
    bins = np.clip(np.ceil(confidence * CALIBRATION_BINS).astype(np.int64) - 1, 0, CALIBRATION_BINS - 1)
    gaps = np.bincount(bins, weights=correct - confidence, minlength=CALIBRATION_BINS)
    return float(np.abs(gaps).sum() / len(truth))


def _found(counts: Counts) -> Array:
    """(classes,) sensitivity of each class; NaN for a class without patients."""
    return _ratio(np.diag(counts), counts.sum(axis=1))


def _ruled_out(counts: Counts) -> Array:
    """(classes,) specificity of each class; NaN for a class that all patients have."""
    others = counts.sum() - counts.sum(axis=1)
    wrongly_called = counts.sum(axis=0) - np.diag(counts)
    return _ratio(others - wrongly_called, others)


def _ratio(part: Counts, whole: Counts) -> Array:
    ratios = np.full(part.shape, np.nan)
    np.divide(part, whole, out=ratios, where=whole > 0)
    return ratios


def _checked_binary(labels: ArrayLike, probabilities: ArrayLike) -> tuple[Counts, Array]:
    positive = np.asarray(probabilities, dtype=np.float64)
    if positive.ndim != 1:
        raise InputError(f"probabilities have shape {positive.shape}; expected (n,), those of class 1")
    truth, probs = _checked(labels, np.stack([1 - positive, positive], axis=1))
    return truth, probs[:, 1]


def _checked(labels: ArrayLike, probabilities: ArrayLike) -> tuple[Counts, Array]:
    truth, probs = np.asarray(labels), np.asarray(probabilities, dtype=np.float64)
    if probs.ndim != 2 or truth.shape != probs.shape[:1] or len(truth) == 0:
        raise InputError(f"labels have shape {truth.shape}, probabilities {probs.shape}; expected (n,), (n, classes)")
    if not ((probs >= 0) & (probs <= 1)).all() or not np.allclose(probs.sum(axis=1), 1, atol=1e-3):
        raise InputError("probabilities must lie between 0 and 1 and sum to 1 for each patient; found others (or NaN)")
    if not np.isin(truth, np.arange(probs.shape[1])).all():
        raise InputError(f"labels {np.unique(truth).tolist()} do not fit {probs.shape[1]} classes, counted from 0")
    return truth.astype(np.int64), probs
