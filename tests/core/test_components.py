"""The largest piece of a mask, by voxels or by what they weigh."""

from __future__ import annotations

import numpy as np
import pytest

from cinema_cmr.core.components import largest_component

MASK = np.array([[1, 1, 0, 0, 0], [0, 0, 1, 1, 1], [0, 0, 0, 0, 0], [1, 0, 0, 0, 1]], dtype=bool)
"""Pieces of 2, 3, 1 and 1 voxels; the first two touch by a corner."""


def test_the_piece_of_most_voxels_is_kept_and_a_corner_joins_nothing() -> None:
    found = largest_component(MASK)
    assert found.sum() == 3 and found[1, 2:].all()


def test_weights_can_make_a_small_piece_the_largest() -> None:
    weights = np.array([1.0, 1.0, 1.0, 9.0])[:, None]
    found = largest_component(MASK, weights)
    assert np.argwhere(found).tolist() == [[3, 0]]


@pytest.mark.parametrize("mask", [np.zeros((2, 3), bool), np.ones((2, 3, 4), bool)])
def test_a_mask_of_one_piece_or_none_is_the_same(mask: np.ndarray) -> None:  # type: ignore[type-arg]
    assert np.array_equal(largest_component(mask), mask)
