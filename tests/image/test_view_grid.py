"""A frame on a model's grid: what is seen where, and at which size, is known by hand."""

from __future__ import annotations

import numpy as np
import pytest

from cinema_cmr.core.card import Grid
from cinema_cmr.image.augment import Augmentation
from cinema_cmr.image.view_grid import augment_to_view_grid, resample_to_view_grid, zoom_grid

GRID = Grid(spacing_mm=1.0, size=(16, 12), slice_spacing_mm=10.0, n_slices=3, percentiles=(0.0, 100.0))


def frame(shape: tuple[int, int, int] = (30, 30, 3), *, low: float = 5.0) -> np.ndarray:  # type: ignore[type-arg]
    """A ramp along x, slices apart by 100."""
    ramp = low + np.arange(shape[0], dtype=np.float32)[:, None, None] + 100 * np.arange(shape[2], dtype=np.float32)
    return np.broadcast_to(ramp, shape).astype(np.float32)


def placed(image: np.ndarray, grid: Grid = GRID, *, heart: tuple[float, float] = (14.5, 14.5)) -> np.ndarray:  # type: ignore[type-arg]
    positions = np.arange(image.shape[2]) * 10.0
    return resample_to_view_grid(image, grid, spacing_mm=(1.0, 1.0, 10.0), slice_positions_mm=positions, heart=heart)


def test_the_cut_lies_about_the_heart_and_spans_0_to_1() -> None:
    seen = placed(frame())
    assert seen.shape == (16, 12, 3) and seen.dtype == np.float32
    assert (seen.min(), seen.max()) == (0.0, 1.0)
    steps = np.diff(seen[:, 5, 1])
    assert np.allclose(steps, steps[0], rtol=1e-4)
    moved = placed(frame(), heart=(16.5, 14.5))
    assert np.corrcoef(seen[2:, :, 1].ravel(), moved[:-2, :, 1].ravel())[0, 1] == pytest.approx(1.0)


@pytest.mark.parametrize("low", [5.0, -400.0])
def test_outside_the_image_and_the_stack_is_zero(low: float) -> None:
    seen = placed(frame(low=low), heart=(2.0, 14.5))
    assert not seen[:5].any() and seen[8:].all()
    padded = placed(frame((30, 30, 1), low=low))
    assert [bool(padded[..., z].any()) for z in range(3)] == [False, True, False]


def test_a_zoom_shows_less_field_with_as_many_voxels() -> None:
    near = zoom_grid(GRID, 1.25)
    assert near.size == GRID.size and near.spacing_mm == pytest.approx(0.8)
    assert near.slice_spacing_mm == pytest.approx(8.0) and near.n_slices == 3
    square = np.ones((30, 30, 1), np.float32)
    square[12:18, 12:18] = 2
    square[9, 11] = 0  # the darkest voxel is left out of the range
    wide, close = (int((placed(square, grid)[..., 1] > 0.72).sum()) for grid in (GRID, near))
    assert (wide, close) == (6 * 6, 8 * 8 - 4)  # 6 mm of 1 mm, and of 0.8 mm, where the corners fade


def test_the_number_of_slices_may_be_left_open() -> None:
    open_grid = Grid(spacing_mm=1.0, size=(16, 12))
    assert placed(frame((30, 30, 5)), open_grid).shape == (16, 12, 5)
    assert zoom_grid(open_grid, 1.1).slice_spacing_mm is None


STILL = Augmentation(
    p_right_angle_rotation=0,
    p_free_rotation=0,
    rotation_deg=0,
    p_flip=0,
    scaling=0,
    shift_mm=0,
    p_random_crop=0,
    p_intensity=0,
)


def test_redrawn_without_a_change_is_the_same_frame() -> None:
    image, positions = frame((30, 30, 2)), np.arange(2) * 10.0
    seen = augment_to_view_grid(
        image,
        GRID,
        spacing_mm=(1.0, 1.0, 10.0),
        slice_positions_mm=positions,
        heart=(14.5, 14.5),
        augmentation=STILL,
        rng=np.random.default_rng(0),
    )
    assert np.allclose(seen, placed(image), atol=1e-5)


def test_redrawn_moves_the_image_and_leaves_padded_slices_blank() -> None:
    image = np.random.default_rng(3).random((30, 30, 1)).astype(np.float32)
    first, other = (
        augment_to_view_grid(
            image,
            GRID,
            spacing_mm=(1.0, 1.0, 10.0),
            slice_positions_mm=np.zeros(1),
            heart=(14.5, 14.5),
            augmentation=Augmentation(p_intensity=1.0),
            rng=np.random.default_rng(seed),
        )
        for seed in (0, 1)
    )
    assert first.shape == (16, 12, 3) and not first[..., 0].any() and not first[..., 2].any()
    assert not np.allclose(first, other) and first.min() >= 0 and first.max() <= 1
