"""Unsigned pixels under a header that declares them signed: the brightest values wrap round to negative ones.

With 12 bits stored, 2048 and above reads as -2048 and above, so that the brightest blood is darker than air. Neighbours
of opposite sign show it. Where unsigned values wrap, the signal passes smoothly from 2047 to -2048; true signed values
pass smoothly through 0. Velocity images that alias do both, and stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["SignedPixels", "Signs", "judge_signs", "signed_pixels", "true_bits"]

Signs = Literal["signed", "wrapped", "uncertain"]

SMOOTH_SHARE = 1 / 8
"""Largest difference of neighbours, as a share of the range, that is a smooth passage and no edge."""

MIN_PASSAGES = 20
"""Smallest number of passages over the top, in all images of a stack, that are no fault of single pixels."""

MAX_THROUGH_ZERO = 0.1
"""Largest number of passages through 0, per passage over the top, in unsigned values. In 14 series of three scanners
whose values were stretched beyond 2047 it is 0.05 at most."""

MAX_UNCERTAIN = 0.5
"""The same from which nothing suggests unsigned values: aliasing makes about as many of both."""


@dataclass(frozen=True, kw_only=True)
class SignedPixels:
    """Negative stored values of one image, and how neighbouring pixels come by opposite signs."""

    negative: NDArray[np.bool_]
    """(rows, columns) of the stored image."""
    step: float
    """What to add to negative stored values to read them as unsigned, before any rescaling."""
    over_top: int
    """Neighbours of opposite sign that lie close together as unsigned values."""
    through_zero: int
    """Neighbours of opposite sign that lie close together as they are."""


def signed_pixels(stored: NDArray[np.generic], bits: int) -> SignedPixels | None:
    """Return the signs of a stored image (rows, columns) of so many bits a pixel; None without negative values."""
    values, step = stored.astype(np.int64), 2**bits
    negative = values < 0
    if not negative.any():
        return None
    over_top, through_zero = (
        sum(_passages(one, negative, axis, SMOOTH_SHARE * step) for axis in (0, 1))
        for one in (values + step * negative, values)
    )
    return SignedPixels(negative=negative, step=float(step), over_top=over_top, through_zero=through_zero)


def _passages(values: NDArray[np.int64], negative: NDArray[np.bool_], axis: int, largest: float) -> int:
    opposite = np.diff(negative, axis=axis)
    return int(np.count_nonzero(opposite & (np.abs(np.diff(values, axis=axis)) < largest)))


def judge_signs(images: Iterable[SignedPixels]) -> Signs:
    """Return whether the images of a stack are signed as declared, unsigned ones that wrap, or perhaps these."""
    counted = [(one.over_top, one.through_zero) for one in images]
    over_top, through_zero = (sum(column) for column in zip(*counted, strict=True)) if counted else (0, 0)
    if over_top < MIN_PASSAGES or through_zero > MAX_UNCERTAIN * over_top:
        return "signed"
    return "wrapped" if through_zero <= MAX_THROUGH_ZERO * over_top else "uncertain"


def true_bits(stored: NDArray[np.generic], bits: int) -> NDArray[np.generic]:
    """Return unsigned values of which only `bits` are stated to be used, whichever they are.

    Bits above those stated are overlays, old equipment's, or the image is brighter than its header says, or stands in
    the upper bits: the one that is smooth is the image.
    """
    limit = 1 << bits
    if int(stored.max()) < limit:
        return stored
    masked: NDArray[np.generic] = np.bitwise_and(stored, limit - 1).astype(stored.dtype)
    return stored if _roughness(stored) < _roughness(masked) else masked


def _roughness(values: NDArray[np.generic]) -> float:
    """Return the mean step between neighbours, relative to the spread of the values."""
    image = values.astype(np.float32)
    spread = float(image.std())
    steps = float(np.abs(np.diff(image, axis=0)).mean() + np.abs(np.diff(image, axis=1)).mean())
    return steps / spread if spread else np.inf
