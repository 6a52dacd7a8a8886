"""Fitting the linear disease model: penalised likelihood, and a temperature from patients it has not seen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize, minimize_scalar
from scipy.special import log_softmax, softmax

from cinema_cmr.core.errors import InputError

__all__ = ["LinearFit", "cross_validated", "fit_linear", "fit_temperature", "folds"]

Array = NDArray[np.float64]
Labels = NDArray[np.int64]

_FOLDS = 5


@dataclass(frozen=True, kw_only=True)
class LinearFit:
    """Weights on standardised features."""

    mean: Array
    """(features,)"""
    scale: Array
    weights: Array
    """(groups, features)"""
    bias: Array
    """(groups,)"""

    def logits(self, features: Array) -> Array:
        """(n, groups) of features (n, features)."""
        return np.asarray((features - self.mean) / self.scale @ self.weights.T + self.bias)


def fit_linear(features: Array, labels: Labels, *, n_groups: int, penalty: float = 0.5) -> LinearFit:
    """Multinomial logistic regression of features (n, f) on labels (n,) from 0.

    The sum of the patients' negative log likelihoods plus `penalty` times the squared weights (not the bias) is
    least. Raises `InputError` where a group has no patient or a feature is the same in all.
    """
    missing = set(range(n_groups)) - set(labels.tolist())
    scale = features.std(axis=0)
    if missing or scale.min() <= 0:
        raise InputError(
            f"{len(labels)} patients lack groups {sorted(missing)} or differ in no way in a feature; expected patients"
            " of each group, and features that vary"
        )
    mean = features.mean(axis=0)
    table, hot = (features - mean) / scale, np.eye(n_groups)[labels]

    def wrong(flat: Array) -> tuple[float, Array]:
        weights, bias = _parts(flat, n_groups)
        logits = table @ weights.T + bias
        gap = softmax(logits, axis=1) - hot
        loss = -float((log_softmax(logits, axis=1) * hot).sum()) + penalty * float(np.square(weights).sum())
        return loss, np.concatenate([(gap.T @ table + 2 * penalty * weights).ravel(), gap.sum(axis=0)])

    start = np.zeros(n_groups * (features.shape[1] + 1))
    weights, bias = _parts(minimize(wrong, start, jac=True, method="L-BFGS-B", tol=1e-10).x, n_groups)
    return LinearFit(mean=mean, scale=scale, weights=weights, bias=bias - bias.mean())


def cross_validated(features: Array, labels: Labels, *, n_groups: int, seed: int, seen: Array | None = None) -> Array:
    """(n, groups) logits of each patient from a fit on the other four fifths.

    `seen` (n, f) are the features to answer for, where they differ from those learned from (another mask).
    """
    logits = np.zeros((len(labels), n_groups))
    asked = features if seen is None else seen
    for learn, held in folds(labels, seed=seed):
        logits[held] = fit_linear(features[learn], labels[learn], n_groups=n_groups).logits(asked[held])
    return logits


def folds(labels: Sequence[int] | Labels, *, seed: int, n: int = _FOLDS) -> Iterator[tuple[Labels, Labels]]:
    """Indices to learn from and held out, `n` times, each group shared out evenly."""
    truth = np.asarray(labels)
    of = np.zeros(len(truth), np.int64)
    for group in np.unique(truth):
        members = np.random.default_rng((seed, int(group))).permutation(np.flatnonzero(truth == group))
        of[members] = np.arange(len(members)) % n
    for fold in range(n):
        yield np.flatnonzero(of != fold), np.flatnonzero(of == fold)


def fit_temperature(logits: Array, labels: Labels) -> float:
    """What logits (n, groups) of unseen patients are divided by to make their labels (n,) most likely.

    Guo et al., ICML 2017, section 4.2; between a quarter and four.
    """

    def wrong(log_temperature: float) -> float:
        probs = log_softmax(logits / np.exp(log_temperature), axis=1)
        return -float(probs[np.arange(len(labels)), labels].mean())

    return float(np.exp(minimize_scalar(wrong, bounds=(-np.log(4), np.log(4)), method="bounded").x))


def _parts(flat: Array, n_groups: int) -> tuple[Array, Array]:
    return flat[:-n_groups].reshape(n_groups, -1), flat[-n_groups:]
