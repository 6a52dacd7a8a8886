"""Changes of a stack: sizes that can be computed by hand, and labels that stay on what they label."""

from __future__ import annotations

import numpy as np
import pytest
from oracles import LEVELS, cine_of, heart

from cinema_cmr.bench.perturb import PERTURBATIONS, Scan, perturbed, quarter_turned
from cinema_cmr.core.errors import InputError, UsageError
from cinema_cmr.core.geometry import apply_affine
from cinema_cmr.score.overlap import dice

SPACING = (1.5, 1.5, 8.0)


def scan(n_slices: int = 6) -> Scan:
    """A heart in the middle slices of a stack; its intensities tell its labels."""
    labels = heart(n_slices=n_slices)
    labels[:, :, [0, -1]] = 0
    return Scan(cine=cine_of(labels, SPACING), labels=labels)


def flat(value: float = 1000.0, shape: tuple[int, ...] = (64, 64, 2, 1)) -> Scan:
    image = np.full(shape, value, np.float32)
    image[0, 0] = 0
    labels = np.zeros(shape, np.uint8)
    return Scan(cine=cine_of(labels, SPACING).with_array(image), labels=labels)


@pytest.mark.parametrize("name", PERTURBATIONS)
def test_a_seed_gives_one_scan_on_one_grid(name: str) -> None:
    first, again = (perturbed(scan(), name, seed=3) for _ in range(2))
    assert np.array_equal(first.cine.array, again.cine.array) and np.array_equal(first.labels, again.labels)
    assert first.cine.array.shape == first.labels.shape and first.labels.dtype == np.uint8
    assert first.cine.array.dtype == np.float32 and np.isfinite(first.cine.array).all()
    original = scan()
    assert name == "none" or not np.array_equal(first.cine.array, original.cine.array)
    assert np.array_equal(original.labels, scan().labels), "the input is left as it was"


@pytest.mark.parametrize(
    ("name", "least"),
    [
        *[(name, 0.999) for name in ("none", "turn-90", "mirrored", "breathing", "every-second-slice", "8-bit")],
        *[(name, 0.999) for name in ("ends-missing", "field-cut")],
        # Between two structures an interpolated grey value is that of a third: only what is bright can be told then.
        *[(name, 0.93) for name in ("turn-30", "pixels-0.75", "pixels-1.5")],
    ],
)
def test_labels_stay_on_what_they_label(name: str, least: float) -> None:
    moved = perturbed(scan(), name, seed=1)
    bright = moved.cine.array > (LEVELS[1] + LEVELS[3]) / 2
    assert dice(bright, moved.labels == 3) > least


def test_four_quarter_turns_are_none_and_one_keeps_every_voxel_in_its_place() -> None:
    original = scan()
    turned = quarter_turned(original)
    i, j, ny = 20, 33, original.cine.array.shape[1]
    new = (ny - 1 - j, i)
    assert turned.cine.array[*new, 2, 1] == original.cine.array[i, j, 2, 1]
    places = [apply_affine(s.cine.affine, np.array([*at, 2.0])) for s, at in ((turned, new), (original, (i, j)))]
    assert np.allclose(*places)
    back = quarter_turned(quarter_turned(quarter_turned(turned)))
    assert np.array_equal(back.cine.array, original.cine.array) and np.allclose(back.cine.affine, original.cine.affine)


@pytest.mark.parametrize(("name", "factor"), [("pixels-0.75", 0.75), ("pixels-1.5", 1.5)])
def test_other_pixels_keep_place_and_volume(name: str, factor: float) -> None:
    original, other = scan(), perturbed(scan(), name, seed=0)
    assert np.allclose(other.cine.spacing_mm, (1.5 * factor, 1.5 * factor, 8.0))
    middles = [apply_affine(s.cine.affine, np.argwhere(s.labels[..., 0] == 3).mean(axis=0)) for s in (original, other)]
    assert np.abs(middles[0] - middles[1]).max() < 0.3
    volumes = [(s.labels == 3).sum(axis=(0, 1))[:, 0] @ s.cine.voxel_volumes_ml for s in (original, other)]
    assert volumes[1] == pytest.approx(volumes[0], rel=0.03)


def test_a_turn_moves_the_heart_about_the_middle_of_the_image() -> None:
    turned = perturbed(scan(), "turn-30", seed=0)
    middle = (np.array(turned.labels.shape[:2]) - 1) / 2
    before, after = (np.argwhere(s.labels[:, :, 2, 0] == 3).mean(axis=0) - middle for s in (scan(), turned))
    assert np.hypot(*after) == pytest.approx(np.hypot(*before), abs=0.3)
    cosine = before @ after / np.hypot(*before) / np.hypot(*after)
    assert np.degrees(np.arccos(cosine)) == pytest.approx(30, abs=2)


def test_slices_that_are_left_keep_their_place() -> None:
    original = scan(7)
    half = perturbed(original, "every-second-slice", seed=0)
    assert half.cine.slice_positions_mm.tolist() == [0.0, 16.0, 32.0, 48.0]
    assert np.array_equal(half.cine.array[:, :, 2], original.cine.array[:, :, 4])
    assert np.allclose(
        apply_affine(half.cine.affine, np.array([3.0, 4.0, 2.0])),
        apply_affine(original.cine.affine, np.array([3.0, 4.0, 4.0])),
    )
    ends = perturbed(original, "ends-missing", seed=0)
    assert ends.cine.n_slices == 3 and (ends.labels > 0).any(axis=(0, 1, 3)).all()
    assert np.allclose(
        apply_affine(ends.cine.affine, np.zeros(3)), apply_affine(original.cine.affine, np.array([0.0, 0.0, 2.0]))
    )
    with pytest.raises(InputError, match="3 labelled slices"):
        perturbed(scan(5), "ends-missing", seed=0)


def test_a_cut_field_loses_a_third_of_the_heart() -> None:
    rows = [
        np.flatnonzero((s.labels > 0).any(axis=(1, 2, 3))) for s in (scan(), perturbed(scan(), "field-cut", seed=0))
    ]
    assert len(rows[1]) / len(rows[0]) == pytest.approx(2 / 3, abs=0.03)


@pytest.mark.parametrize(("name", "share"), [("noise-6", 0.06), ("noise-15", 0.15), ("noise-30", 0.3)])
def test_noise_has_the_size_it_is_named_by_and_is_never_negative(name: str, share: float) -> None:
    noisy = perturbed(flat(shape=(64, 64, 4, 2)), name, seed=0).cine.array
    # A magnitude of signal A and noise s has a standard deviation of s (1 - s2 / 4 A2 ...): 3 % less at most here.
    assert noisy[1:].std() == pytest.approx(1000 * share, rel=0.04) and noisy.min() >= 0


@pytest.mark.parametrize(("name", "sigma"), [("blur-2mm", 2.0), ("blur-4mm", 4.0), ("blur-8mm", 8.0)])
def test_blur_spreads_a_point_by_its_sigma(name: str, sigma: float) -> None:
    point = flat(0.0, shape=(97, 97, 1, 1))
    point.cine.array[48, 48] = 1000
    spread = perturbed(point, name, seed=0).cine.array[:, :, 0, 0]
    x_mm = (np.arange(97) - 48) * 1.5
    assert spread.sum() == pytest.approx(1000, rel=1e-3)
    assert np.sqrt(spread.sum(axis=1) @ x_mm**2 / spread.sum()) == pytest.approx(sigma, rel=0.02)


def test_ghosts_are_copies_of_a_fifth_at_quarters_of_the_field() -> None:
    point = flat(0.0)
    point.cine.array[10, 5] = 1000
    row = perturbed(point, "ghosts", seed=0).cine.array[10, :, 0, 0]
    assert np.flatnonzero(row > 1).tolist() == [5, 21, 37, 53]
    assert row[[5, 21, 37, 53]] == pytest.approx([800, 200, 200, 200], rel=1e-4)


def test_shading_falls_five_fold_and_grey_levels_are_few() -> None:
    shaded = perturbed(flat(), "shading", seed=0).cine.array[1:, 1:]
    # Five-fold along the direction that is drawn, over a side's length; across the diagonal up to 5 to the root of 2.
    assert 4.5 < shaded.max() / shaded.min() < 5**1.5
    ramp = flat()
    ramp.cine.array[..., 0, 0] = np.random.default_rng(0).uniform(0, 1000, (64, 64))
    levels = perturbed(ramp, "8-bit", seed=0).cine.array
    assert len(np.unique(levels)) <= 256 and np.abs(levels - ramp.cine.array).max() <= 1000 / 255 / 2 + 1e-3


@pytest.mark.parametrize(("name", "sign"), [("gamma-0.6", 1), ("gamma-1.6", 1), ("inverted", -1)])
def test_contrast_changes_keep_or_turn_the_order_of_grey(name: str, sign: int) -> None:
    original = scan()
    before, after = original.cine.array.ravel(), perturbed(original, name, seed=0).cine.array.ravel()
    order = np.argsort(before)
    assert (sign * np.diff(after[order]) >= -1e-3).all() and after.std() > 0


def test_gamma_is_a_power_of_the_share_of_the_range() -> None:
    original = scan()
    changed = perturbed(original, "gamma-1.6", seed=0).cine.array
    assert changed[original.labels == 1] == pytest.approx(1000 * 0.6**1.6, rel=1e-3)


def test_displaced_slices_keep_their_volume_and_lie_apart() -> None:
    moved = perturbed(scan(), "breathing", seed=2)
    assert np.array_equal((moved.labels > 0).sum(axis=(0, 1)), (scan().labels > 0).sum(axis=(0, 1)))
    middles = np.array([np.argwhere(moved.labels[:, :, z, 0] == 3).mean(axis=0) for z in range(1, 5)]) * 1.5
    assert middles.std(axis=0).max() > 2


def test_an_unknown_change_is_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="turn-90"):
        perturbed(scan(), "turn-9", seed=0)
