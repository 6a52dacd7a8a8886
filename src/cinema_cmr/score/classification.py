"""Scores of a classifier over patients: sensitivity, specificity, ranking and calibration.

A class without patients has no sensitivity, and a class of all patients no specificity; both are NaN and excluded from
means over classes. No undefined value becomes 0 or 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

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
    """Smallest probability at which a patient counts as positive, and its origin."""

    value: float
    chosen_on: Literal["validation", "convention"]
    """"convention" stands for a value fixed beforehand, such as 0.5."""


@dataclass(frozen=True, kw_only=True)
class ClassificationScores:
    """Scores of one classifier, each 0 to 1 except `matthews` (-1 to 1); NaN if undefined."""

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
    """Choose the threshold with the largest sensitivity + specificity on validation patients.

    Youden, Cancer 1950;3:32. `labels` (n,) are 0 or 1, `probabilities` (n,) those of class 1. Candidates lie midway
    between neighbouring probabilities; ties are resolved by the distance to 0.5. Raises `UsageError` for any split but
    "validation", because a threshold chosen on test patients biases their scores, and `InputError` if a class is
    absent.
    """
    if split != "validation":
        raise UsageError(
            f"a threshold was requested on split '{split}'; expected 'validation': choose it there, then apply it"
        )
    truth, positive = _check_binary(labels, probabilities)
    if not 0 < truth.sum() < len(truth):
        raise InputError("validation labels are all of one class; expected patients of both classes")
    levels = np.unique(np.concatenate([[0.0], positive, [1.0]]))
    candidates = (levels[:-1] + levels[1:]) / 2
    called = positive[:, None] >= candidates
    youden = called[truth == 1].mean(axis=0) - called[truth == 0].mean(axis=0)
    best = candidates[np.isclose(youden, youden.max())]
    return Threshold(value=float(best[np.argmin(np.abs(best - 0.5))]), chosen_on="validation")


def score_binary(labels: ArrayLike, probabilities: ArrayLike, *, threshold: Threshold) -> ClassificationScores:
    """Return the scores of a binary classifier: labels (n,) of 0 and 1, probabilities (n,) of class 1.

    A patient is positive at a probability of at least the threshold. Raises `InputError` for other labels or
    probabilities outside 0 to 1.
    """
    truth, positive = _check_binary(labels, probabilities)
    counts = confusion_matrix(truth, (positive >= threshold.value).astype(np.int64), n_classes=2)
    sensitivity, specificity = _sensitivity(counts), _specificity(counts)
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
    """Return the scores of a multi-class classifier: labels (n,) from 0, probabilities (n, classes) that sum to 1.

    The predicted class has the largest probability; sensitivity, specificity and AUROC are means over classes, each
    against the others. Raises `InputError` for labels or probabilities out of range.
    """
    truth, probs = _check(labels, probabilities)
    n_classes = probs.shape[1]
    counts = confusion_matrix(truth, probs.argmax(axis=1), n_classes=n_classes)
    aurocs = [auroc((truth == index).astype(np.int64), probs[:, index]) for index in range(n_classes)]
    return ClassificationScores(
        sensitivity=finite_mean(_sensitivity(counts)),
        specificity=finite_mean(_specificity(counts)),
        balanced_accuracy=finite_mean(_sensitivity(counts)),
        matthews=matthews_correlation(counts),
        auroc=finite_mean(aurocs),
        calibration_error=calibration_error(truth, probs),
        n=len(truth),
    )


def confusion_matrix(labels: ArrayLike, predicted: ArrayLike, *, n_classes: int) -> Counts:
    """Return the (classes, classes) numbers of patients: rows are true classes, columns predicted ones."""
    truth, guess = np.asarray(labels, dtype=np.int64), np.asarray(predicted, dtype=np.int64)
    flat = np.bincount(truth * n_classes + guess, minlength=n_classes * n_classes)
    return flat.reshape(n_classes, n_classes)


def balanced_accuracy(labels: ArrayLike, right: ArrayLike, axis: int = -1) -> float | Array:
    """Return the mean over the classes present of their accuracy, from labels and `right` (..., n) of 0 or 1.

    The result is a number for inputs (n,) and an array for more axes; `axis` is that of the patients.
    """
    truth, hits = (np.moveaxis(np.asarray(values), axis, -1) for values in (labels, right))
    in_class = np.stack([truth == one for one in np.unique(truth)])
    n_patients = in_class.sum(axis=-1)
    n_right = (in_class * hits.astype(np.float64)).sum(axis=-1)
    accuracies = np.divide(n_right, n_patients, out=np.zeros_like(n_right), where=n_patients > 0)
    balanced = accuracies.sum(axis=0) / (n_patients > 0).sum(axis=0)
    return float(balanced) if balanced.ndim == 0 else balanced


def matthews_correlation(counts: Counts) -> float:
    """Return the Matthews correlation of a confusion matrix for any number of classes; -1 to 1, 0 at chance level.

    Gorodkin, Comput Biol Chem 2004;28:367 (R_K). A constant prediction scores 0; NaN if all patients are of one class.
    """
    truth, predicted, n = counts.sum(axis=1), counts.sum(axis=0), counts.sum()
    truth_variance, predicted_variance = float(n**2 - truth @ truth), float(n**2 - predicted @ predicted)
    if truth_variance == 0:
        return float("nan")
    covariance = float(np.trace(counts) * n - truth @ predicted)
    return covariance / float(np.sqrt(truth_variance * predicted_variance)) if predicted_variance > 0 else 0.0


def auroc(labels: ArrayLike, scores: ArrayLike) -> float:
    """Return the probability that a positive patient scores above a negative one (Hanley, Radiology 1982;143:29).

    Ties count half. `labels` (n,) are 0 and 1, `scores` (n,) any finite numbers. NaN if a class is absent.
    """
    truth = np.asarray(labels) == 1
    n_positive, n_negative = int(truth.sum()), int((~truth).sum())
    if n_positive == 0 or n_negative == 0:
        return float("nan")
    ranks = rankdata(np.asarray(scores, dtype=np.float64))
    return float((ranks[truth].sum() - n_positive * (n_positive + 1) / 2) / (n_positive * n_negative))


def calibration_error(labels: ArrayLike, probabilities: ArrayLike) -> float:
    """Return the expected calibration error, the mean gap between confidence and accuracy: 0 (calibrated) to 1.

    `labels` (n,) count from 0, `probabilities` are (n, classes). Confidence is the largest probability; patients are
    grouped into 15 equal bins of it, weighted by their number (Guo et al., ICML 2017, equation 3). Raises as
    `score_classes` does.
    """
    truth, probs = _check(labels, probabilities)
    confidence = probs.max(axis=1)
    correct = probs.argmax(axis=1) == truth
    bins = np.clip(np.ceil(confidence * CALIBRATION_BINS).astype(np.int64) - 1, 0, CALIBRATION_BINS - 1)
    gaps = np.bincount(bins, weights=correct - confidence, minlength=CALIBRATION_BINS)
    return float(np.abs(gaps).sum() / len(truth))


def _sensitivity(counts: Counts) -> Array:
    """Return the (classes,) sensitivity; NaN for a class without patients."""
    return _ratio(np.diag(counts), counts.sum(axis=1))


def _specificity(counts: Counts) -> Array:
    """Return the (classes,) specificity; NaN for a class of all patients."""
    others = counts.sum() - counts.sum(axis=1)
    false_positives = counts.sum(axis=0) - np.diag(counts)
    return _ratio(others - false_positives, others)


def _ratio(part: Counts, whole: Counts) -> Array:
    ratios = np.full(part.shape, np.nan)
    np.divide(part, whole, out=ratios, where=whole > 0)
    return ratios


def _check_binary(labels: ArrayLike, probabilities: ArrayLike) -> tuple[Counts, Array]:
    positive = np.asarray(probabilities, dtype=np.float64)
    if positive.ndim != 1:
        raise InputError(f"probabilities have shape {positive.shape}; expected (n,), the probabilities of class 1")
    truth, probs = _check(labels, np.stack([1 - positive, positive], axis=1))
    return truth, probs[:, 1]


def _check(labels: ArrayLike, probabilities: ArrayLike) -> tuple[Counts, Array]:
    truth, probs = np.asarray(labels), np.asarray(probabilities, dtype=np.float64)
    if probs.ndim != 2 or truth.shape != probs.shape[:1] or len(truth) == 0:
        raise InputError(f"labels have shape {truth.shape}, probabilities {probs.shape}; expected (n,), (n, classes)")
    if not ((probs >= 0) & (probs <= 1)).all() or not np.allclose(probs.sum(axis=1), 1, atol=1e-3):
        raise InputError(
            "probabilities hold NaN, values outside 0 to 1 or sums other than 1; expected 0 to 1, summing to 1"
        )
    if not np.isin(truth, np.arange(probs.shape[1])).all():
        raise InputError(f"labels are {np.unique(truth).tolist()}; expected codes of {probs.shape[1]} classes, from 0")
    return truth.astype(np.int64), probs
