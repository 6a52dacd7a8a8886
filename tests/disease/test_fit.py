"""Logistic regression, its folds and its temperature, against what theory says they are."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import log_softmax, softmax

from cinema_cmr.core.errors import InputError
from cinema_cmr.disease.fit import cross_validate, fit_linear, fit_temperature, folds


def blobs(n: int, apart: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[type-arg]
    labels = np.arange(n) % 3
    centres = apart * np.array([[1, 0, 5], [0, 1, 5], [-1, -1, 5]])
    return centres[labels] + np.random.default_rng(seed).normal(size=(n, 3)), labels


def test_apart_groups_are_told_apart_by_patients_not_seen() -> None:
    features, labels = blobs(90, apart=3)
    logits = cross_validate(features, labels, n_groups=3, seed=1)
    assert (logits.argmax(axis=1) == labels).mean() > 0.95
    random = cross_validate(features, np.random.default_rng(0).permutation(labels), n_groups=3, seed=1)
    assert (random.argmax(axis=1) == labels).mean() < 0.6


def test_no_small_change_of_the_weights_is_better() -> None:
    features, labels = blobs(60, apart=1)
    fit = fit_linear(features, labels, n_groups=3, penalty=0.5)

    def loss(weights: np.ndarray) -> float:  # type: ignore[type-arg]
        logits = (features - fit.mean) / fit.scale @ weights.T + fit.bias
        return float(-log_softmax(logits, axis=1)[np.arange(60), labels].sum() + 0.5 * np.square(weights).sum())

    rng = np.random.default_rng(3)
    assert all(loss(fit.weights + 0.01 * rng.normal(size=fit.weights.shape)) > loss(fit.weights) for _ in range(20))


def test_units_do_not_matter() -> None:
    features, labels = blobs(60, apart=1)
    scaled = features * np.array([1000, 0.01, 1]) + 7
    one, other = (fit_linear(table, labels, n_groups=3).logits(table) for table in (features, scaled))
    assert np.allclose(one, other, atol=1e-4)


def test_folds_hold_each_patient_once_and_share_the_groups_out() -> None:
    labels = np.repeat([0, 1], [10, 35])
    parts = list(folds(labels, seed=4))
    assert sorted(np.concatenate([held for _, held in parts])) == list(range(45))
    for learn, held in parts:
        assert not set(learn) & set(held) and (labels[held] == 0).sum() == 2
    again = list(folds(labels, seed=4))
    assert all((a[1] == b[1]).all() for a, b in zip(parts, again, strict=True))
    assert any((a[1] != b[1]).any() for a, b in zip(parts, folds(labels, seed=5), strict=True))


def test_the_temperature_makes_chances_true() -> None:
    rng = np.random.default_rng(0)
    logits = 2 * rng.normal(size=(4000, 3))
    labels = np.array([rng.choice(3, p=p) for p in softmax(logits, axis=1)])
    assert fit_temperature(logits * 2.5, labels) == pytest.approx(2.5, rel=0.1)
    assert fit_temperature(logits * 0.5, labels) == pytest.approx(0.5, rel=0.1)


@pytest.mark.parametrize("spoil", ["a group is absent", "a feature is constant"])
def test_what_cannot_be_learned_from_is_refused(spoil: str) -> None:
    features, labels = blobs(30, apart=1)
    if spoil == "a group is absent":
        features, labels = features[labels < 2], labels[labels < 2]
    else:
        features[:, 1] = 3.0
    with pytest.raises(InputError, match="patients of each group"):
        fit_linear(features, labels, n_groups=3)
