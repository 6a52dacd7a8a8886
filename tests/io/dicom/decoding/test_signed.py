"""Unsigned pixels read as signed are found where they wrap; signed ones, aliasing and noise are left alone."""

from __future__ import annotations

import numpy as np
import pytest

from cinema_cmr.io.dicom.decoding.signed import SignedPixels, judge_signs, signed_pixels, true_bits


def wrapped(values: np.ndarray, bits: int = 12) -> np.ndarray:
    """Unsigned values as a header of signed pixels of so many bits has them."""
    return ((values + 2 ** (bits - 1)) % 2**bits - 2 ** (bits - 1)).astype(np.int32)


def signs_of(stored: np.ndarray, bits: int = 12) -> str:
    found = signed_pixels(stored, bits)
    return judge_signs([] if found is None else [found])


BRIGHT = np.hypot(*np.meshgrid(np.arange(-60, 60), np.arange(-60, 60))) < 30
DOME = np.clip(1 - np.hypot(*np.meshgrid(np.arange(-60, 60), np.arange(-60, 60))) / 40, 0, 1)


@pytest.mark.parametrize("bits", [12, 16])
def test_bright_blood_that_wraps_is_found_and_restored(bits: int) -> None:
    rng = np.random.default_rng(0)
    values = (0.6 * DOME + 0.1) * 2**bits + rng.normal(0, 0.02 * 2**bits, BRIGHT.shape)
    values = np.clip(np.rint(values), 0, 2**bits - 1).astype(np.int64)
    stored = wrapped(values, bits)
    found = signed_pixels(stored, bits)
    assert found is not None and judge_signs([found]) == "wrapped"
    np.testing.assert_array_equal(stored + found.step * found.negative, values)


def test_true_signed_values_are_left_alone() -> None:
    rng = np.random.default_rng(0)
    assert signs_of(np.rint(np.where(BRIGHT, 1200, 0) + rng.normal(0, 40, BRIGHT.shape)).astype(np.int16)) == "signed"
    assert signs_of(np.where(BRIGHT, 1500, -1000).astype(np.int16)) == "signed"
    assert signs_of(np.where(BRIGHT, 1500, 0).astype(np.int16)) == "signed"


def test_aliased_velocities_are_left_alone() -> None:
    rng = np.random.default_rng(0)
    assert signs_of(rng.integers(-2048, 2048, BRIGHT.shape)) == "signed"
    assert signs_of(wrapped(np.rint(2500 * DOME).astype(int) + rng.integers(-300, 300, BRIGHT.shape))) == "signed"


def test_a_few_pixels_decide_nothing_and_mixed_images_are_uncertain() -> None:
    one = {"negative": np.ones((2, 2), dtype=bool), "step": 4096.0}
    assert judge_signs([SignedPixels(**one, over_top=10, through_zero=0)]) == "signed"
    assert judge_signs([SignedPixels(**one, over_top=10, through_zero=0)] * 2) == "wrapped"
    assert judge_signs([SignedPixels(**one, over_top=500, through_zero=100)]) == "uncertain"


@pytest.mark.parametrize("scale", [16, 9])
def test_values_above_the_stated_bits_are_the_image_where_they_are_smooth(scale: int) -> None:
    stored = np.rint(DOME * 4095 * scale).astype(np.uint16)
    np.testing.assert_array_equal(true_bits(stored, 12), stored)


def test_an_overlay_above_the_stated_bits_is_no_part_of_the_image() -> None:
    image = np.rint(DOME * 4095).astype(np.uint16)
    overlay = (np.indices(image.shape).sum(0) % 9 == 0).astype(np.uint16) << 12
    np.testing.assert_array_equal(true_bits(image | overlay, 12), image)
