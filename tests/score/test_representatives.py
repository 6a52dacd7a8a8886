"""The order in which items stand for others."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from cinema_cmr.core.errors import UsageError
from cinema_cmr.score.representatives import order_representatives


def groups(sizes: tuple[int, ...], seed: int = 0) -> np.ndarray:
    """Clouds of these sizes, far from each other."""
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.normal(20 * place, 1, (size, 3)) for place, size in enumerate(sizes)])


def test_the_largest_group_is_stood_for_first_and_each_once() -> None:
    features = groups((4, 12, 7))
    order = order_representatives(features)
    of = np.repeat([0, 1, 2], (4, 12, 7))
    assert [int(of[index]) for index, _ in order[:3]] == [1, 2, 0]
    assert sorted(index for index, _ in order) == list(range(23))
    gains = [gain for _, gain in order]
    assert all(a >= b - 1e-12 for a, b in pairwise(gains)) and sum(gains) == pytest.approx(1)


def test_the_order_for_few_begins_that_for_more_and_what_is_known_comes_first_to_no_gain() -> None:
    features = groups((5, 9))
    whole = order_representatives(features)
    assert order_representatives(features, n=3) == whole[:3]
    without = order_representatives(features, known=[7])
    assert without[0][0] < 5 and 7 not in [index for index, _ in without] and len(without) == 13


def test_weight_decides_which_group_comes_first() -> None:
    features = groups((5, 9))
    doubts = np.r_[np.full(5, 0.5), np.full(9, 0.1)]
    assert order_representatives(features, doubts)[0][0] < 5
    assert order_representatives(features)[0][0] >= 5


def test_equal_items_come_in_the_order_of_the_list() -> None:
    assert [index for index, _ in order_representatives(np.ones((3, 2)))] == [0, 1, 2]
    assert [index for index, _ in order_representatives(np.ones((2, 2)), np.zeros(2))] == [0, 1]
    assert order_representatives(np.ones((1, 2))) == [(0, 1.0)]


@pytest.mark.parametrize(
    ("features", "weights"),
    [
        (np.ones(3), None),
        (np.array([[np.nan, 1.0]]), None),
        (np.ones((2, 2)), np.ones(3)),
        (np.ones((2, 2)), np.array([1.0, -1.0])),
    ],
)
def test_what_has_no_distance_is_refused(features: np.ndarray, weights: np.ndarray | None) -> None:
    with pytest.raises(UsageError, match="expected"):
        order_representatives(features, weights)
