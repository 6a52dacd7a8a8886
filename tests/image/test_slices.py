"""Slices on a model's grid and back: the true ones where they are kept, exact linear values where not."""

from __future__ import annotations

import numpy as np
import pytest

from cinema_cmr.core.card import Grid
from cinema_cmr.image.slices import plan_slices


def grid(spacing_mm: float | None = None, n_slices: int | None = None) -> Grid:
    return Grid(spacing_mm=1.0, size=(8, 8), slice_spacing_mm=spacing_mm, n_slices=n_slices)


def planes_at(positions: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
    """(2, 1, z) of value 5 + 2 * position, and its negative."""
    return np.stack([5 + 2 * positions, -5 - 2 * positions])[:, None].astype(np.float32)


EVEN = np.arange(9) * 10.0
UNEVEN = np.array([0.0, 8.0, 18.0, 26.0, 45.0])


@pytest.mark.parametrize("positions", [EVEN, UNEVEN, np.zeros(1)])
def test_a_model_of_true_slices_gets_them_as_they_are(positions: np.ndarray) -> None:  # type: ignore[type-arg]
    plan = plan_slices(positions, grid())
    planes = planes_at(positions)
    assert plan.to_model(planes) is planes and plan.to_native(planes) is planes
    assert plan.n_model == len(positions) and plan.uncovered == ()


@pytest.mark.parametrize("positions", [EVEN, EVEN[:8], UNEVEN])
def test_true_slices_are_padded_never_blended(positions: np.ndarray) -> None:  # type: ignore[type-arg]
    plan = plan_slices(positions, grid(n_slices=12))
    planes = planes_at(positions)
    seen = plan.to_model(planes)
    first = (12 - len(positions)) // 2
    assert seen.shape == (2, 1, 12)
    assert np.array_equal(seen[..., first : first + len(positions)], planes)
    assert not seen[..., :first].any() and not seen[..., first + len(positions) :].any()
    assert np.array_equal(plan.to_native(seen), planes) and plan.uncovered == ()


def test_more_slices_than_the_model_takes_are_named_and_come_back_as_nothing() -> None:
    plan = plan_slices(EVEN, grid(n_slices=6))
    planes = planes_at(EVEN)
    seen = plan.to_model(planes)
    assert seen.shape[2] == 6 and plan.uncovered == (0, 1, 8)
    assert np.array_equal(seen, planes[..., 2:8])
    back = plan.to_native(seen)
    assert np.array_equal(back[..., 2:8], planes[..., 2:8]) and not back[..., list(plan.uncovered)].any()


def test_resampled_slices_have_the_values_of_a_line_between() -> None:
    plan = plan_slices(UNEVEN, grid(spacing_mm=5.0))
    at = 22.5 + (np.arange(10) - 4.5) * 5.0
    assert plan.n_model == 10
    assert np.allclose(plan.to_model(planes_at(UNEVEN)), planes_at(at), atol=1e-4)
    assert np.allclose(plan.to_native(planes_at(at)), planes_at(UNEVEN), atol=1e-4)


def test_a_resampled_stack_is_centred_and_padded() -> None:
    plan = plan_slices(EVEN, grid(spacing_mm=10.0, n_slices=13))
    seen = plan.to_model(planes_at(EVEN))
    assert np.allclose(seen[..., 2:11], planes_at(EVEN), atol=1e-5)
    assert not seen[..., :2].any() and not seen[..., 11:].any()


def test_a_longer_stack_than_the_model_reaches_names_its_ends() -> None:
    plan = plan_slices(EVEN, grid(spacing_mm=10.0, n_slices=5))
    assert plan.uncovered == (0, 1, 7, 8)
    assert not plan.to_native(plan.to_model(planes_at(EVEN)))[..., [0, 1, 7, 8]].any()


@pytest.mark.parametrize("n_slices", [None, 1, 15, 16])
def test_a_single_slice_reaches_the_model_and_comes_back(n_slices: int | None) -> None:
    single = np.zeros(1)
    plan = plan_slices(single, grid(spacing_mm=10.0, n_slices=n_slices))
    planes = planes_at(single)
    assert plan.to_model(planes).any() and plan.uncovered == ()
    assert np.allclose(plan.to_native(plan.to_model(planes)), planes)


def test_further_axes_stay_where_they_are() -> None:
    planes = np.random.default_rng(0).random((4, 3, 9, 2, 5)).astype(np.float32)
    plan = plan_slices(EVEN, grid(spacing_mm=7.0, n_slices=14))
    seen = plan.to_model(planes)
    assert seen.shape == (4, 3, 14, 2, 5)
    assert np.allclose(seen[..., 1, 2], plan.to_model(planes[..., 1, 2]))
