"""Quantisation of intensities to integers, with the slope and intercept that restore them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.errors import InputError, UsageError

__all__ = ["QuantisedArray", "quantise", "quantise_signed"]


@dataclass(frozen=True, kw_only=True)
class QuantisedArray:
    """Stored integers and their scaling: intensity = slope * stored + intercept."""

    stored: NDArray[np.uint16]
    """Same shape as the intensities; values 0 to 2 ** bits - 1."""
    slope: float
    intercept: float
    bits: int

    @property
    def is_scaled(self) -> bool:
        """False if the stored integers are the intensities themselves."""
        return (self.slope, self.intercept) != (1.0, 0.0)


def quantise(array: NDArray[np.float32], *, bits: int = 16) -> QuantisedArray:
    """Quantise intensities to `bits` bits (1 to 16): unchanged if they are integers in range, scaled otherwise.

    The rounding error is at most half a slope. Slope and intercept are exact in single precision, as NIfTI stores them.
    Raises `InputError` for intensities that are not finite, `UsageError` for other bit depths.

    >>> one = quantise(np.array([0.0, 7.0, 255.0], dtype=np.float32), bits=8)
    >>> one.stored.tolist(), one.is_scaled
    ([0, 7, 255], False)
    """
    if not 1 <= bits <= 16:
        raise UsageError(f"{bits} bits per intensity; expected 1 to 16: choose another depth")
    if array.size == 0:
        raise InputError(f"an image of shape {array.shape} has no intensities; expected at least one: check the input")
    if not np.isfinite(array).all():
        raise InputError(
            f"{int((~np.isfinite(array)).sum())} intensities are NaN or infinite; expected finite values: replace them"
            " first"
        )
    levels = 2**bits - 1
    low, high = float(array.min()), float(array.max())
    if low >= 0 and high <= levels and bool((array == np.rint(array)).all()):
        return QuantisedArray(stored=array.astype(np.uint16), slope=1.0, intercept=0.0, bits=bits)
    # Slightly wider than the range, so that rounding the slope never puts the brightest voxel outside it.
    slope = float(np.float32(max(high - low, np.finfo(np.float32).tiny) / levels * (1 + 1e-6)))
    stored = np.rint((array.astype(np.float64) - low) / slope).astype(np.uint16)
    return QuantisedArray(stored=stored, slope=slope, intercept=low, bits=bits)


def quantise_signed(array: NDArray[np.float32]) -> tuple[NDArray[np.int16], float, float]:
    """Quantise intensities to int16; return them with slope and intercept, intensity = slope * stored + intercept.

    Exact for integers that span at most 65535, unscaled where they fit; else the rounding error is half a slope. Raises
    as `quantise` does.

    >>> quantise_signed(np.array([-3.0, 40000.0], dtype=np.float32))
    (array([-20002,  20001], dtype=int16), 1.0, 19999.0)
    """
    limits = np.iinfo(np.int16)
    low, high = (float(array.min()), float(array.max())) if array.size else (0.0, np.inf)
    if high - low <= limits.max - limits.min and np.array_equal(array, np.rint(array)):
        fits = limits.min <= low and high <= limits.max
        intercept = 0.0 if fits else float(np.ceil((low + high) / 2))
        return (array - np.float32(intercept)).astype(np.int16), 1.0, intercept
    quantised = quantise(array)
    middle = 2**15
    # In single precision, as NIfTI stores it.
    intercept = float(np.float32(quantised.intercept + middle * quantised.slope))
    return (quantised.stored.astype(np.int32) - middle).astype(np.int16), quantised.slope, intercept
