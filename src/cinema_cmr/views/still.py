"""Slices whose frames are all the same image: an export that repeated one frame, so that their blood never changes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.study import Issue

__all__ = ["still_issues"]

_FEWEST_FRAMES = 8
_STEP = 4
"""Pixels from one sampled to the next, before all are compared."""


def still_issues(array: NDArray[np.float32]) -> list[Issue]:
    """Return an error on the slices of (x, y, z, t) that show one and the same image in all frames.

    Noise alone makes two acquired frames differ. Blank slices, and fewer than eight frames, are not judged.
    """
    if array.shape[3] < _FEWEST_FRAMES:
        return []
    slices = [k for k in range(array.shape[2]) if _is_still(array[:, :, k])]
    if not slices:
        return []
    listed = ", ".join(map(str, slices))
    return [
        Issue(
            code="still-slices",
            severity="error",
            message=f"slices {listed} of {array.shape[2]} show one and the same image in all {array.shape[3]} frames:"
            " their blood never changes, and volumes at ES and ejection fraction are wrong; export them again",
            evidence={"slices": listed, "n_slices": len(slices)},
        )
    ]


def _is_still(images: NDArray[np.float32]) -> bool:
    first = images[..., :1]
    if not (images[::_STEP, ::_STEP] == first[::_STEP, ::_STEP]).all() or first.min() == first.max():
        return False
    return bool((images == first).all())
