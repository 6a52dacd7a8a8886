"""Augmentation: draws repeat, a label follows its image, intensities stay in range."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from cinema_cmr.core.errors import UsageError
from cinema_cmr.image.augment import (
    Augmentation,
    IntensityDraw,
    PlaneDraw,
    change_intensities,
    draw_intensities,
    draw_plane,
    move_planes,
    move_points,
)

SHAPE = (40, 30)
NOTHING = IntensityDraw(gamma=None, contrast=None, noise=None, blur_px=None, low_resolution=None, bias_field=None)
STILL = Augmentation(
    p_right_angle_rotation=0, p_free_rotation=0, rotation_deg=0, p_flip=0, scaling=0, shift_mm=0, p_random_crop=0
)


def drawn(seed: int, config: Augmentation | None = None) -> PlaneDraw:
    rng = np.random.default_rng(seed)
    return draw_plane(rng, config or Augmentation(), heart=(22.0, 13.0), shape=SHAPE, spacing_mm=1.5)


def bean() -> Tensor:
    """(1, 1, 40, 30), a shape without any symmetry."""
    plane = torch.zeros(1, 1, *SHAPE)
    plane[..., 15:28, 8:14] = 1
    plane[..., 15:19, 14:22] = 1
    return plane


def test_identity_draw_crops_around_the_heart() -> None:
    draw = drawn(0, STILL)
    assert draw.centre == (22.0, 13.0) and np.allclose(draw.matrix, np.eye(2))
    moved = move_planes(bean(), draw, (11, 9), mode="bilinear")
    assert torch.allclose(moved, bean()[..., 17:28, 9:18], atol=1e-5)


def test_flip_and_quarter_rotation_equal_those_of_numpy() -> None:
    centre = (20.0, 14.0)
    plain = bean()[..., 10:31, 4:25]
    mirror = PlaneDraw(matrix=np.diag([-1.0, 1.0]), centre=centre)
    assert torch.allclose(move_planes(bean(), mirror, (21, 21), mode="bilinear"), plain.flip(2), atol=1e-5)
    turn = PlaneDraw(matrix=np.array([[0.0, -1.0], [1.0, 0.0]]), centre=centre)
    turned = move_planes(bean(), turn, (21, 21), mode="bilinear")
    assert torch.allclose(turned, plain.rot90(-1, (2, 3)), atol=1e-4)


ELASTIC = replace(STILL, elastic_mm=12.0)


@pytest.mark.parametrize("seed", range(5))
def test_points_follow_an_elastic_deformation(seed: int) -> None:
    """A spot of the source image lies at the position that `move_points` gives its centre."""
    draw = drawn(seed, ELASTIC)
    centre = np.array([[24.0, 11.0]])
    x, y = np.meshgrid(np.arange(SHAPE[0]), np.arange(SHAPE[1]), indexing="ij")
    spot = torch.from_numpy(np.exp(-0.5 * ((x - 24.0) ** 2 + (y - 11.0) ** 2) / 4)).float()[None, None]
    moved = move_planes(spot, draw, (41, 41), mode="bilinear")[0, 0].numpy() ** 2
    found = [(moved * at).sum() / moved.sum() for at in np.meshgrid(np.arange(41), np.arange(41), indexing="ij")]
    expected = move_points(centre, draw, (41, 41))[0]
    assert np.linalg.norm(expected - (20 + centre[0] - draw.centre)) > 0.1  # it did move
    np.testing.assert_allclose(found, expected, atol=0.25)


@pytest.mark.parametrize("seed", range(20))
def test_elastic_deformation_is_invertible_and_never_folds(seed: int) -> None:
    draw = drawn(seed, ELASTIC)
    grid = np.stack(np.meshgrid(np.arange(-60.0, 61, 2), np.arange(-60.0, 61, 2), indexing="ij"), axis=-1)
    deformed = draw.deform(grid)
    np.testing.assert_allclose(draw.undo_deform(deformed), grid, atol=2e-3)
    along_x, along_y = np.gradient(deformed, 2.0, axis=(0, 1))
    assert (along_x[..., 0] * along_y[..., 1] - along_x[..., 1] * along_y[..., 0]).min() > 0
    assert np.abs(deformed - grid).max() * 1.5 <= 12.0


def test_elastic_deformation_that_would_fold_is_refused() -> None:
    with pytest.raises(UsageError, match="fold"):
        Augmentation(elastic_mm=13.0)


def test_outside_the_image_is_zero() -> None:
    away = PlaneDraw(matrix=np.eye(2), centre=(500.0, 0.0))
    for mode in ("bilinear", "bicubic", "nearest"):
        assert not move_planes(torch.ones(2, 1, *SHAPE), away, (8, 8), mode=mode).any()


@pytest.mark.parametrize("seed", range(12))
def test_image_and_label_stay_together(seed: int) -> None:
    draw = drawn(seed)
    image = move_planes(bean(), draw, (32, 32), mode="bicubic")[0, 0] > 0.5
    label = move_planes(bean(), draw, (32, 32), mode="bilinear")[0, 0] > 0.5
    assert label.any() or draw.centre != drawn(seed, replace(Augmentation(), p_random_crop=0)).centre
    assert (image != label).sum() <= 0.1 * label.sum() + 2


def test_moving_keeps_the_area_but_for_the_drawn_scale() -> None:
    for seed in range(10):
        draw = drawn(seed, replace(Augmentation(), p_random_crop=0, shift_mm=0))
        area = float(move_planes(bean(), draw, (64, 64), mode="bilinear").sum())
        assert area == pytest.approx(float(bean().sum()) / abs(np.linalg.det(draw.matrix)), rel=0.02)


def test_draws_depend_on_the_generator_alone() -> None:
    assert np.array_equal(drawn(5).matrix, drawn(5).matrix) and drawn(5).centre == drawn(5).centre
    assert not np.array_equal(drawn(5).matrix, drawn(6).matrix)
    first, again = (draw_intensities(np.random.default_rng(3), Augmentation()) for _ in range(2))
    assert first == again and first != draw_intensities(np.random.default_rng(4), Augmentation())


def test_all_rotations_and_flips_are_drawn() -> None:
    matrices = [
        drawn(seed, replace(Augmentation(), rotation_deg=0, scaling=0, p_free_rotation=0)).matrix for seed in range(150)
    ]
    kinds = {tuple(np.round(matrix).astype(int).ravel().tolist()) for matrix in matrices}
    assert len(kinds) == 8


def test_all_changes_together_stay_between_zero_and_one_and_repeat() -> None:
    image = torch.rand(24, 20, 3, generator=torch.Generator().manual_seed(0))
    config = replace(Augmentation(), p_intensity=1.0)
    for seed in range(8):
        draw = draw_intensities(np.random.default_rng(seed), config)
        changed = change_intensities(image, draw)
        assert changed.shape == image.shape and changed.dtype == torch.float32
        assert float(changed.min()) >= 0 and float(changed.max()) <= 1 and not torch.equal(changed, image)
        assert torch.equal(changed, change_intensities(image, draw))


def test_each_change_of_intensity_alone() -> None:
    image = torch.full((21, 21, 1), 0.25)
    assert torch.equal(change_intensities(image, NOTHING), image)
    assert torch.allclose(change_intensities(image, replace(NOTHING, gamma=0.5)), torch.tensor(0.5))
    assert torch.allclose(change_intensities(image, replace(NOTHING, contrast=(0.3, 0.2))), torch.tensor(0.35))
    noisy = change_intensities(image, replace(NOTHING, noise=(0.05, 7)))
    assert float(noisy.std()) == pytest.approx(0.05, rel=0.1)
    shaded = change_intensities(image, replace(NOTHING, bias_field=(0.4, 1.0, 1.0)))[..., 0]
    assert float(shaded[20, 20]) == pytest.approx(0.25 * 1.2) and shaded[0, 0] < shaded[20, 20]


def test_blur_and_low_resolution_take_away_fine_detail_and_keep_the_mean() -> None:
    image = torch.zeros(32, 32, 1)
    image[::2] = 1
    for change in (replace(NOTHING, blur_px=1.2), replace(NOTHING, low_resolution=0.5)):
        inner = change_intensities(image, change)[8:24, 8:24]
        assert float(inner.std()) < 0.1 and float(inner.mean()) == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize(
    "wrong",
    [
        {"p_flip": 1.5},
        {"p_intensity": -0.1},
        {"p_right_angle_rotation": 0.7, "p_free_rotation": 0.7},
        {"noise": -1.0},
        {"blur_px": 0.1},
    ],
)
def test_impossible_ranges_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="expected"):
        Augmentation(**wrong)


def test_anisotropic_scaling_keeps_the_area_and_adds_no_draw_when_off() -> None:
    stretched = [drawn(seed, replace(STILL, anisotropic_scaling=0.6)).matrix for seed in range(40)]
    ratios = [float(m[0, 0] / m[1, 1]) for m in stretched]
    assert 1 / 1.6 <= min(ratios) < 0.75 and 1.35 < max(ratios) <= 1.6
    assert np.allclose([np.linalg.det(m) for m in stretched], 1.0)
    assert np.array_equal(drawn(3).matrix, drawn(3, Augmentation(anisotropic_scaling=0.0)).matrix)


@pytest.mark.parametrize("seed", range(6))
def test_points_follow_the_plane(seed: int) -> None:
    draw = drawn(seed)
    spot = torch.zeros(1, 1, *SHAPE)
    x, y = torch.meshgrid(torch.arange(40.0), torch.arange(30.0), indexing="ij")
    spot[0, 0] = torch.exp(-((x - 22) ** 2 + (y - 13) ** 2) / 8)
    seen = move_planes(spot, draw, (33, 35), mode="bilinear")[0, 0]
    (at,) = move_points(np.array([[22.0, 13.0]]), draw, (33, 35))
    if 6 < at[0] < 26 and 6 < at[1] < 28:
        i, j = torch.meshgrid(torch.arange(33.0), torch.arange(35.0), indexing="ij")
        middle = [float((seen * axis).sum() / seen.sum()) for axis in (i, j)]
        assert middle == pytest.approx(at, abs=0.2)
    assert np.allclose(move_points(np.array([draw.centre]), draw, (33, 35)), [[16.0, 17.0]])
