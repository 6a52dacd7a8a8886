"""Closed curves as SVG paths, short enough to fit in a page.

An outline is for the eye only; every number comes from the mask itself.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["path_text", "resampled"]

Array = NDArray[np.float64]


def resampled(curve: Array, *, step: float) -> Array:
    """A closed curve (n, 2) with points about `step` apart along it, at least eight."""
    closed = np.concatenate([curve, curve[:1]])
    lengths = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(closed, axis=0), axis=1))])
    wanted = np.linspace(0, lengths[-1], max(8, round(lengths[-1] / step)), endpoint=False)
    return np.stack([np.interp(wanted, lengths, closed[:, axis]) for axis in (0, 1)], axis=1)


def path_text(curves: list[Array]) -> str:
    """Closed curves as the `d` of an SVG path in whole units: a start, then steps from point to point."""
    return "".join(_curve_text(np.rint(curve).astype(int)) for curve in curves)


def _curve_text(points: NDArray[np.int_]) -> str:
    steps = np.diff(points, axis=0)
    steps = steps[steps.any(axis=1)]
    pairs = (f"{x}{'' if y < 0 else ' '}{y}" for x, y in steps.tolist())
    return f"M{points[0, 0]} {points[0, 1]}l{' '.join(pairs)}z" if len(steps) else ""
