"""Cutting and undoing on images whose values at any place are known: ramps, waves, discs."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from cinema_cmr.core.card import Grid
from cinema_cmr.image.resample import CropResample

NATIVE = (61, 48)


def ramp(shape: tuple[int, int] = NATIVE) -> NDArray[np.float32]:
    x, y = np.meshgrid(*(np.arange(n) for n in shape), indexing="ij")
    return (3.0 * x - 2.0 * y + 100).astype(np.float32)


def places(crop: CropResample) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Native positions of the model's pixels, by the definition in words."""
    axes = [
        np.array([centre + (u - (n - 1) / 2) * step for u in range(n)])
        for centre, n, step in zip(crop.centre, crop.size, crop.step, strict=True)
    ]
    i, j = np.meshgrid(*axes, indexing="ij")
    return i, j


@pytest.mark.parametrize("step", [(1.0, 1.0), (0.7, 0.45), (2.0, 3.0)])
def test_a_ramp_is_cut_exactly(step: tuple[float, float]) -> None:
    crop = CropResample(centre=(30.3, 24.8), step=step, size=(14, 10), native=NATIVE)
    i, j = places(crop)
    assert np.allclose(crop.apply(ramp()), 3 * i - 2 * j + 100, atol=1e-3)


def test_a_ramp_moves_less_than_a_tenth_of_a_pixel_at_any_width() -> None:
    x = np.broadcast_to(np.arange(80.0)[:, None], (80, 4))
    for step in np.linspace(1.0, 4.0, 31):
        for centre in np.linspace(39.0, 40.0, 11):
            crop = CropResample(centre=(centre, 1.5), step=(step, 1.0), size=(9, 2), native=(80, 4))
            assert np.abs(crop.apply(x) - places(crop)[0]).max() < 0.1


def test_a_ramp_cut_and_put_back_is_itself_inside() -> None:
    crop = CropResample.around(NATIVE, (1.0, 1.6), Grid(spacing_mm=0.5, size=(60, 64)), (30.0, 24.0))
    back = crop.invert(crop.apply(ramp()))
    assert back.shape == NATIVE
    inside = (slice(17, 44), slice(16, 33))
    assert np.allclose(back[inside], ramp()[inside], atol=0.05 * 3)


@pytest.mark.parametrize("spacing_mm", [1.0, 1.5, 2.0])
def test_a_smooth_image_cut_and_put_back_is_nearly_itself(spacing_mm: float) -> None:
    x, y = np.meshgrid(np.arange(96), np.arange(80), indexing="ij")
    image = np.exp(-((x - 50) ** 2 + (y - 37) ** 2) / (2 * 9.0**2)).astype(np.float32)
    crop = CropResample.around((96, 80), (1.3, 1.1), Grid(spacing_mm=spacing_mm, size=(80, 72)), (50.0, 37.0))
    back = crop.invert(crop.apply(image))
    assert np.abs(back - image)[25:75, 15:60].max() < 0.015


def test_what_is_too_fine_for_the_grid_vanishes_instead_of_aliasing() -> None:
    fine = np.tile(np.array([0.0, 2.0]), 40)[:, None] * np.ones((1, 80))
    crop = CropResample(centre=(39.7, 40.0), step=(4.0, 4.0), size=(12, 12), native=(80, 80))
    seen = crop.apply(fine)
    assert np.abs(seen - 1.0).max() < 0.02  # every fourth pixel alone would be all 0, all 2, or a beat


def test_the_sum_of_a_disc_is_kept_by_a_coarser_grid() -> None:
    x, y = np.meshgrid(np.arange(120), np.arange(120), indexing="ij")
    disc = (np.hypot(x - 60, y - 57) < 20).astype(np.float32)
    crop = CropResample(centre=(60.0, 57.0), step=(2.5, 1.5), size=(40, 60), native=(120, 120))
    assert crop.apply(disc).sum() * 2.5 * 1.5 == pytest.approx(disc.sum(), rel=0.005)


def test_outside_the_image_and_outside_the_cut_is_zero() -> None:
    beyond = CropResample(centre=(200.0, 200.0), step=(1.0, 1.0), size=(8, 8), native=NATIVE)
    assert not beyond.apply(ramp()).any()
    corner = CropResample(centre=(0.0, 0.0), step=(1.0, 1.0), size=(9, 9), native=NATIVE)
    seen = corner.apply(ramp())
    assert not seen[:4].any() and not seen[:, :4].any() and seen[4:, 4:].all()
    back = corner.invert(np.ones((9, 9), np.float32))
    assert back[:5, :5].all() and not back[5:].any() and not back[:, 5:].any()


def test_non_square_pixels_make_a_disc_round() -> None:
    spacing = (1.0, 2.0)
    x, y = np.meshgrid(np.arange(100) * spacing[0], np.arange(50) * spacing[1], indexing="ij")
    disc = (np.hypot(x - 50, y - 50) < 20).astype(np.float32)
    crop = CropResample.around((100, 50), spacing, Grid(spacing_mm=1.0, size=(64, 64)), (50.0, 25.0))
    assert crop.step == (1.0, 0.5)
    seen = crop.apply(disc) > 0.5
    width, height = seen.any(axis=1).sum(), seen.any(axis=0).sum()
    assert abs(int(width) - int(height)) <= 2 and abs(int(width) - 40) <= 2


def test_further_axes_are_cut_one_like_the_other() -> None:
    rng = np.random.default_rng(0)
    stack = rng.random((*NATIVE, 3, 2)).astype(np.float32)
    crop = CropResample(centre=(20.2, 30.1), step=(1.4, 0.8), size=(16, 12), native=NATIVE)
    seen = crop.apply(stack)
    assert seen.shape == (16, 12, 3, 2) and seen.dtype == np.float32
    for z in range(3):
        for t in range(2):
            assert np.allclose(seen[..., z, t], crop.apply(stack[..., z, t]), atol=1e-6)


def test_chances_put_back_never_exceed_one() -> None:
    crop = CropResample(centre=(30.4, 24.2), step=(0.6, 1.7), size=(40, 20), native=NATIVE)
    prob = np.random.default_rng(0).dirichlet(np.ones(4), size=(40, 20)).astype(np.float32)
    total = crop.invert(prob).sum(axis=-1)
    assert total.max() <= 1 + 1e-5 and total.min() >= 0
    assert total[24:36, 15:33] == pytest.approx(1.0, abs=1e-5)


def test_points_go_to_the_cut_and_back() -> None:
    crop = CropResample.around(NATIVE, (1.0, 1.6), Grid(spacing_mm=0.8, size=(40, 36)), (30.3, 24.8))
    points = np.array([[30.3, 24.8], [31.3, 24.8], [10.0, 40.0]])
    moved = crop.to_crop(points)
    assert np.allclose(moved[0], [19.5, 17.5]) and np.allclose(moved[1] - moved[0], [1 / 0.8, 0])
    assert np.allclose(crop.to_native(moved), points)


def test_a_cut_of_the_whole_plane_leaves_nothing_out() -> None:
    crop = CropResample.full_plane(NATIVE, (1.3, 0.9), Grid(spacing_mm=1.0, size=(8, 8)))
    assert crop.size == (80, 44)
    corners = crop.to_crop(np.array([[0.0, 0.0], [60.0, 47.0]]))
    assert (corners > -1).all() and (corners[1] < [80, 44]).all()
