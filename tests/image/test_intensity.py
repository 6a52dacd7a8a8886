"""Intensities: the range of an image is known, and it is one for all frames."""

from __future__ import annotations

import numpy as np
import pytest

from cinema_cmr.image.intensity import normalise, percentile_range

PERCENTILES = (1.0, 99.0)


def test_the_range_is_of_the_voxels_above_the_lowest() -> None:
    values = np.concatenate([np.zeros(900), np.arange(1, 102)])
    assert percentile_range(values, PERCENTILES) == (2.0, 100.0)


def test_percentiles_go_to_zero_and_one_and_are_clipped() -> None:
    seen = normalise(np.concatenate([np.zeros(10), np.arange(1, 102)]), PERCENTILES)
    assert seen.dtype == np.float32 and seen.min() == 0 and seen.max() == 1
    assert seen[10 + 50] == pytest.approx((51 - 2) / 98)


def test_padding_does_not_change_what_is_inside() -> None:
    image = np.random.default_rng(0).uniform(50, 800, (20, 20))
    image[0, 0] = 0
    padded = np.pad(image, 30)
    assert np.array_equal(normalise(padded, PERCENTILES)[30:50, 30:50], normalise(image, PERCENTILES))


def test_frames_share_one_scale_so_that_nothing_flickers() -> None:
    rng = np.random.default_rng(0)
    still = rng.uniform(10, 200, (24, 24, 2, 1))
    cine = np.concatenate([still, still, still], axis=3)
    cine[10:14, 10:14, :, 1] = 900.0  # bright blood in one frame must not darken its surroundings
    seen = normalise(cine, PERCENTILES)
    assert np.array_equal(seen[:8, ..., 0], seen[:8, ..., 1])
    assert np.array_equal(seen[..., 0], seen[..., 2])


def test_brightness_and_gain_of_the_scanner_cancel() -> None:
    image = np.random.default_rng(1).uniform(0, 100, (30, 30))
    assert np.allclose(normalise(image * 37 + 500, PERCENTILES), normalise(image, PERCENTILES), atol=1e-5)


def test_a_flat_image_stays_finite() -> None:
    assert percentile_range(np.full((4, 4), 7.0), PERCENTILES) == (0.0, 1.0)
    two = np.zeros((4, 4))
    two[1:] = 5.0
    assert percentile_range(two, PERCENTILES) == (5.0, 6.0)
    assert np.isfinite(normalise(two, PERCENTILES)).all()


def test_a_large_image_is_sampled_and_gives_nearly_the_same_range() -> None:
    image = np.random.default_rng(2).normal(300, 50, 1_500_000).astype(np.float32)
    low, high = percentile_range(image, PERCENTILES)
    assert (low, high) == pytest.approx(np.percentile(image, PERCENTILES), abs=1.0)
