"""Thresholds and shares against values counted by hand and published ones."""

from __future__ import annotations

import numpy as np
import pytest

from cinema_cmr.core.errors import InputError
from cinema_cmr.score.detection import choose_cutoff, detection_scores, proportion_interval


def test_a_threshold_parts_patients_and_errors_are_counted() -> None:
    present, amounts = [0, 0, 0, 1, 1, 1], [0.0, 0.5, 6.0, 3.0, 12.0, 30.0]
    threshold = choose_cutoff(present, amounts)
    assert threshold == pytest.approx(1.75)
    scores = detection_scores(present, amounts, threshold=threshold)
    assert scores.sensitivity.value == 1.0 and scores.specificity.value == pytest.approx(2 / 3)
    assert (scores.sensitivity.n, scores.specificity.n) == (3, 3)


def test_exactly_the_threshold_is_no_lesion() -> None:
    assert detection_scores([1, 0], [2.0, 2.0], threshold=2.0).sensitivity.value == 0
    assert detection_scores([1, 0], [2.0, 2.0], threshold=2.0).specificity.value == 1


def test_the_threshold_is_the_best_of_all() -> None:
    rng = np.random.default_rng(0)
    present = rng.random(60) < 0.6
    amounts = np.clip(rng.normal(np.where(present, 12, 4), 5), 0, None)

    def youden(threshold: float) -> float:
        scores = detection_scores(present, amounts, threshold=threshold)
        return scores.sensitivity.value + scores.specificity.value

    best = youden(choose_cutoff(present, amounts))
    assert all(youden(value) <= best + 1e-12 for value in np.linspace(-1, 30, 300))


def test_wilson_s_interval_is_the_published_one() -> None:
    """Newcombe, Statistics in Medicine 1998;17:857, table I, method 3: 81/263, 15/148, 0/20, 1/29."""
    for found, n, low, high in (
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ):
        interval = proportion_interval(found, n)
        assert (interval.low, interval.high) == pytest.approx((low, high), abs=1e-4)
    assert proportion_interval(5, 5).high == 1.0 and np.isnan(proportion_interval(0, 0).value)


def test_what_cannot_be_told_apart_is_refused() -> None:
    with pytest.raises(InputError, match="one kind"):
        choose_cutoff([1, 1], [0.0, 3.0])
    with pytest.raises(InputError, match="not finite"):
        detection_scores([1, 0], [np.nan, 3.0], threshold=1.0)
    with pytest.raises(InputError, match="one amount"):
        choose_cutoff([1, 0, 1], [0.0, 3.0])
    with pytest.raises(InputError, match="3 of 2"):
        proportion_interval(3, 2)
