"""Atrium in the basal slices of systole, by the stack's own evidence over the beat, where no long axis shows the valve.

The mitral valve descends by 10 to 15 mm in systole, so that a slice at the base, fixed in space, holds ventricle at
end-diastole and atrium at end-systole. The wall of the ventricle thickens and its blood shrinks, slice by slice alike;
a slice whose blood shrinks less than that of the slices below, within a wall that is little more than half as thick, or
less, holds atrium. Masks alone decide, so that a thin, stunned base can be taken for atrium: look at the slice that is
drawn grey.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.results import Flag

__all__ = ["EFFECT_POINTS", "THIN_WALL", "atrial_slices", "descent_effect"]

LEAST_SHRINKAGE = 1.2
"""Blood of a slice relative to its ED area, over that of the slices below: above this it shrinks too little."""

THIN_WALL = 0.55
"""Thickness of the wall over that of the slices below in the same frame: below this it is no ventricle's."""

N_BELOW = 4
"""Slices below that a slice is compared with."""

EFFECT_POINTS = 4.0
"""Smallest difference of the ejection fraction that is a warning; readers differ by about as much (JCMR 2020;22:87)."""

MAX_SHARE = 1 / 4
"""Largest share of the counted slices of a frame that can be atrium; more indicates a failed mask."""


def atrial_slices(
    blood_mm2: NDArray[np.float64], wall_mm2: NDArray[np.float64], ed: int, *, base_first: bool
) -> NDArray[np.bool_]:
    """Return a (z, t) mask of the slices that hold atrium, from the areas (z, t) of counted LV blood and myocardium.

    `ed` is the frame of the largest volume. A run of slices that starts at the base is tested, each against the four
    below it; with fewer than four below, or without blood at ED, nothing is.
    """
    order = np.arange(len(blood_mm2)) if base_first else np.arange(len(blood_mm2))[::-1]
    blood, thickness = blood_mm2[order], _thickness(blood_mm2, wall_mm2)[order]
    found = np.zeros(blood.shape, dtype=bool)
    for frame in range(blood.shape[1]):
        counted = np.flatnonzero(blood[:, frame] > 0)
        for index in range(int(np.ceil(len(counted) * MAX_SHARE))):
            here, below = counted[index], counted[index + 1 : index + 1 + N_BELOW]
            if len(below) < N_BELOW or not _is_atrial(blood[:, [ed, frame]], thickness[:, frame], here, below):
                break
            found[here, frame] = True
    atrial = np.zeros_like(found)
    atrial[order] = found
    return atrial


def _thickness(blood_mm2: NDArray[np.float64], wall_mm2: NDArray[np.float64]) -> NDArray[np.float64]:
    """Thickness in mm of a ring of these areas."""
    return np.asarray((np.sqrt(blood_mm2 + wall_mm2) - np.sqrt(blood_mm2)) / np.sqrt(np.pi))


def _is_atrial(
    blood: NDArray[np.float64], thickness: NDArray[np.float64], here: np.intp, below: NDArray[np.intp]
) -> bool:
    """Return whether a slice shrinks too little within too thin a wall; `blood` (z, 2) at ED and now."""
    at_ed, now = blood[:, 0], blood[:, 1]
    if at_ed[here] == 0 or (at_ed[below] == 0).any():
        return False
    shrinkage = (now[here] / at_ed[here]) / np.median(now[below] / at_ed[below])
    return bool(shrinkage > LEAST_SHRINKAGE and thickness[here] < THIN_WALL * np.median(thickness[below]))


def descent_effect(with_atrium_percent: float | None, without_percent: float | None, rule: str) -> Flag | None:
    """Report the LVEF (%) by the rules "scmr", which counts such slices, and "descent" where they differ."""
    if with_atrium_percent is None or without_percent is None or with_atrium_percent == without_percent:
        return None
    message = (
        "in systole the wall of the most basal slice is little more than half as thick as below, and its blood shrinks"
        f" less, as in the atrium: LVEF is {with_atrium_percent:.0f} % with it (basal rule 'scmr') and"
        f" {without_percent:.0f} % without ('descent'); '{rule}' was used; look at that slice"
    )
    apart = abs(with_atrium_percent - without_percent)
    evidence = {"lv_ef_scmr_percent": round(with_atrium_percent, 1), "lv_ef_descent_percent": round(without_percent, 1)}
    return Flag(
        code="descent-effect",
        severity="warning" if apart >= EFFECT_POINTS else "info",
        message=message,
        evidence=evidence,
    )
