"""Whole numbers stay as they are; others come back within half a level, the extremes included."""

from __future__ import annotations

import numpy as np
import pytest

from cinema_cmr.core.errors import InputError, UsageError
from cinema_cmr.io.quantise import quantise, quantise_signed


@pytest.mark.parametrize("bits", [1, 8, 12, 15, 16])
@pytest.mark.parametrize(("low", "high"), [(-41.3, 977.77), (0.0, 1e-3), (1e5, 1.0001e5), (-3e4, -2e4)])
def test_intensities_come_back_within_half_a_level(bits: int, low: float, high: float) -> None:
    array = np.random.default_rng(bits).uniform(low, high, 5000).astype(np.float32)
    array[:2] = low, high
    made = quantise(array, bits=bits)
    assert made.is_scaled and made.stored.max() == 2**bits - 1 and made.stored.min() == 0
    back = made.stored * made.slope + made.intercept
    # Half a level, and what single precision cannot tell apart at that height.
    slack = 2 * float(np.spacing(np.float32(max(abs(low), abs(high)))))
    assert np.abs(back - array).max() <= 0.5001 * made.slope + slack
    assert np.float32(made.slope) == made.slope


def test_whole_numbers_that_fit_are_kept_and_others_scaled() -> None:
    array = np.array([0, 5, 4095], dtype=np.float32)
    kept = quantise(array, bits=12)
    assert not kept.is_scaled and kept.stored.tolist() == [0, 5, 4095]
    for bits, other in ((11, array), (12, array + 1), (12, -array), (12, array / 2)):
        assert quantise(other, bits=bits).is_scaled


def test_a_constant_image_comes_back() -> None:
    made = quantise(np.full(4, -7.5, dtype=np.float32))
    assert (made.stored * made.slope + made.intercept).tolist() == [-7.5] * 4


def test_intensities_that_cannot_be_stored_are_refused() -> None:
    with pytest.raises(InputError, match="1 intensities are NaN"):
        quantise(np.array([0.0, np.nan], dtype=np.float32))
    with pytest.raises(UsageError, match="17 bits"):
        quantise(np.zeros(1, dtype=np.float32), bits=17)


@pytest.mark.parametrize(
    ("values", "intercept"),
    [([0, 4095], 0.0), ([-32768, 32767], 0.0), ([0, 65535], 32768.0), ([-70000, -5000], -37500.0)],
)
def test_integers_that_span_16_bits_are_exact_as_signed_ones(values: list[int], intercept: float) -> None:
    array = np.linspace(*values, 1001).round().astype(np.float32)
    stored, slope, found = quantise_signed(array)
    assert (stored.dtype, slope, found) == (np.int16, 1.0, intercept)
    assert np.array_equal(stored * np.float32(slope) + np.float32(found), array)


def test_other_values_come_back_within_half_a_slope() -> None:
    array = np.random.default_rng(0).normal(300, 90, 5000).astype(np.float32)
    stored, slope, intercept = quantise_signed(array)
    assert np.abs(stored.astype(np.float64) * slope + intercept - array).max() <= slope / 2 * 1.01
    assert slope == pytest.approx(np.ptp(array) / 65535, rel=1e-4)
