"""Label codes of one slice as runs, the form in which corrections are sent and stored."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.errors import InputError

__all__ = ["from_runs", "to_runs"]


def to_runs(codes: NDArray[np.uint8]) -> list[int]:
    """Return the codes (x, y) of a slice as [code, length, code, length, ...], along x first.

    >>> to_runs(np.array([[0, 3], [0, 3], [1, 3]], np.uint8))
    [0, 2, 1, 1, 3, 3]
    """
    flat = codes.ravel(order="F")
    starts = np.concatenate([[0], np.flatnonzero(np.diff(flat)) + 1])
    lengths = np.diff(np.append(starts, flat.size))
    return [int(value) for value in np.stack([flat[starts], lengths], axis=1).ravel()]


def from_runs(runs: Sequence[int], shape: tuple[int, int], *, n_codes: int) -> NDArray[np.uint8]:
    """Return the codes (x, y) of `to_runs`; raises `InputError` unless they fill the slice with known codes."""
    pairs = np.asarray(runs, dtype=np.int64)
    size = shape[0] * shape[1]
    if pairs.size % 2 or pairs.size == 0:
        raise InputError(f"a slice of {pairs.size} numbers; expected pairs of a code and a length")
    codes, lengths = pairs[::2], pairs[1::2]
    if codes.min() < 0 or codes.max() >= n_codes:
        raise InputError(f"label codes {codes.min()} to {codes.max()}; expected 0 to {n_codes - 1}")
    if lengths.min() < 1 or lengths.max() > size or int(lengths.sum()) != size:
        raise InputError(f"runs of {int(lengths.sum())} pixels in all; expected the {size} of the slice")
    return np.repeat(codes.astype(np.uint8), lengths).reshape(shape, order="F")
