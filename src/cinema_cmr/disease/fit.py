"""Fit of the linear disease model: penalised likelihood, and a temperature from held-out patients."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize, minimize_scalar
from scipy.special import log_softmax, softmax

from cinema_cmr.core.errors import InputError

__all__ = ["LinearFit", "cross_validate", "fit_linear", "fit_temperature", "folds"]

Array = NDArray[np.float64]
Labels = NDArray[np.int64]

_FOLDS = 5


@dataclass(frozen=True, kw_only=True)
class LinearFit:
    """Weights of standardised features."""

    mean: Array
    """(features,)"""
    scale: Array
    weights: Array
    """(groups, features)"""
    bias: Array
    """(groups,)"""

    def logits(self, features: Array) -> Array:
        """Return the (n, groups) logits of features (n, features)."""
        return np.asarray((features - self.mean) / self.scale @ self.weights.T + self.bias)


def fit_linear(features: Array, labels: Labels, *, n_groups: int, penalty: float = 0.5) -> LinearFit:
    """Fit a multinomial logistic regression of labels (n,), counted from 0, on features (n, f).

    Minimises the sum of the negative log likelihoods of the patients plus `penalty` times the squared weights (without
    the bias). Raises `InputError` if a group has no patients or a feature is constant.
    """
    missing = set(range(n_groups)) - set(labels.tolist())
    scale = features.std(axis=0)
    if missing or scale.min() <= 0:
        raise InputError(
            f"{len(labels)} patients lack groups {sorted(missing)} or have a constant feature; expected patients of"
            " each group and features that vary"
        )
    mean = features.mean(axis=0)
    table, one_hot = (features - mean) / scale, np.eye(n_groups)[labels]

    def loss_and_gradient(flat: Array) -> tuple[float, Array]:
        weights, bias = _split(flat, n_groups)
        logits = table @ weights.T + bias
        residual = softmax(logits, axis=1) - one_hot
        loss = -float((log_softmax(logits, axis=1) * one_hot).sum()) + penalty * float(np.square(weights).sum())
        return loss, np.concatenate([(residual.T @ table + 2 * penalty * weights).ravel(), residual.sum(axis=0)])

    start = np.zeros(n_groups * (features.shape[1] + 1))
    weights, bias = _split(minimize(loss_and_gradient, start, jac=True, method="L-BFGS-B", tol=1e-10).x, n_groups)
    return LinearFit(mean=mean, scale=scale, weights=weights, bias=bias - bias.mean())


def cross_validate(
    features: Array, labels: Labels, *, n_groups: int, seed: int, test_features: Array | None = None
) -> Array:
    """Return the (n, groups) logits of each patient from a fit on the other four fifths.

    `test_features` (n, f) replace the features of the held-out patients, e.g. with those of another mask.
    """
    logits = np.zeros((len(labels), n_groups))
    held_out = features if test_features is None else test_features
    for train, test in folds(labels, seed=seed):
        logits[test] = fit_linear(features[train], labels[train], n_groups=n_groups).logits(held_out[test])
    return logits


def folds(labels: Sequence[int] | Labels, *, seed: int, n: int = _FOLDS) -> Iterator[tuple[Labels, Labels]]:
    """Yield the train and test indices of `n` folds, with each group distributed evenly."""
    truth = np.asarray(labels)
    fold_numbers = np.zeros(len(truth), np.int64)
    for group in np.unique(truth):
        members = np.random.default_rng((seed, int(group))).permutation(np.flatnonzero(truth == group))
        fold_numbers[members] = np.arange(len(members)) % n
    for fold in range(n):
        yield np.flatnonzero(fold_numbers != fold), np.flatnonzero(fold_numbers == fold)


def fit_temperature(logits: Array, labels: Labels) -> float:
    """Return the divisor of the logits (n, groups) of held-out patients that makes their labels (n,) most likely.

    Temperature scaling, Guo et al., ICML 2017, section 4.2; limited to 1/4 to 4.
    """

    def loss(log_temperature: float) -> float:
        probs = log_softmax(logits / np.exp(log_temperature), axis=1)
        return -float(probs[np.arange(len(labels)), labels].mean())

    return float(np.exp(minimize_scalar(loss, bounds=(-np.log(4), np.log(4)), method="bounded").x))


def _split(flat: Array, n_groups: int) -> tuple[Array, Array]:
    return flat[:-n_groups].reshape(n_groups, -1), flat[-n_groups:]
