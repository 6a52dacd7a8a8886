"""Quality checks of the stack: slices and frames, gaps, breathing."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.results import Flag
from cinema_cmr.measure.quality.context import Check, QualityContext

__all__ = ["STACK_CHECKS"]

MIN_SLICES = 6
"""Smallest number of slices; at 8 to 10 mm, the length of a ventricle at ES takes at least as many."""

MIN_FRAMES = 15
"""Smallest number of frames that resolves end-systole; fewer are more than 67 ms apart at 60 beats per minute."""

MAX_SPACING_MM = 12.0
"""Largest slice distance; UK Biobank and SCMR protocols have 10 mm."""

GAP_RATIO = 1.25
"""Smallest ratio of a slice distance to the median one that is a gap."""

MISALIGNED_MM = 10.0
"""Distance of the heart in a slice from the line through its neighbours, as after a breath hold at another depth."""

SLENDER = 0.2
"""Volume of the LV with its wall over its length cubed, below which a heart is slender. At ED 80 ACDC training patients
have 0.25 or more by their masks, half of them less than 0.2 were their pixels 1 mm wide; of 67 people of the Data
Science Bowl, whose pixels are 1 mm wide, 3 have less by the network's masks (LOG.md, 2026-12-01)."""


def few_slices(context: QualityContext) -> Flag | None:
    """Report fewer than six slices, which do not resolve the shape of a ventricle."""
    n_slices = context.cine.n_slices
    if n_slices >= MIN_SLICES:
        return None
    message = f"{n_slices} short-axis slices; volumes need at least {MIN_SLICES}"
    return Flag(code="few-slices", severity="warning", message=message, evidence={"slices": n_slices})


def few_frames(context: QualityContext) -> Flag | None:
    """Report one or two frames, a different kind of study, or few frames, which may miss end-systole."""
    n_frames = context.cine.n_frames
    if n_frames >= MIN_FRAMES:
        return None
    severity: Literal["info", "warning"] = "info" if n_frames <= 2 else "warning"
    texts = {1: "one frame: no ejection fraction", 2: "two frames, taken as ED and ES by volume"}
    message = texts.get(n_frames, f"{n_frames} frames over the cycle; end-systole may lie between two of them")
    return Flag(code="few-frames", severity=severity, message=message, evidence={"frames": n_frames})


def wide_slice_spacing(context: QualityContext) -> Flag | None:
    """Report slices so far apart that the sum of slices is coarse."""
    if context.cine.n_slices < 2:
        return None
    distance = float(np.median(np.diff(context.cine.slice_positions_mm)))
    if distance <= MAX_SPACING_MM:
        return None
    return Flag(
        code="wide-slice-spacing",
        severity="warning",
        message=f"slices are {distance:.1f} mm apart; volumes are coarse beyond {MAX_SPACING_MM:g} mm",
        evidence={"distance_mm": round(distance, 2)},
    )


def unit_pixel_size(context: QualityContext) -> Flag | None:
    """Report pixels of exactly 1 x 1 mm, as in a file whose pixel size was lost; a warning if the heart is slender.

    Hearts of all sizes have much the same shape: one whose length is true and whose width is not is slender.
    """
    if not np.allclose(context.cine.spacing_mm[:2], 1.0, rtol=0, atol=1e-6):
        return None
    shape = _width_for_length(context)
    slender = shape is not None and shape < SLENDER
    message = "the pixels are exactly 1 x 1 mm, as in a file whose pixel size was lost"
    if slender:
        message += ", and the heart is slender for its length: volumes and mass are probably too small;"
    else:
        message += ": volumes and mass depend on its square;"
    return Flag(
        code="unit-pixel-size",
        severity="warning" if slender else "info",
        message=f"{message} compare it with the scanner's PixelSpacing",
        evidence={} if shape is None else {"volume_over_length_cubed": round(shape, 3)},
    )


def _width_for_length(context: QualityContext) -> float | None:
    """Return the volume of the LV with its wall over its length cubed, at ED; None without slices or without wall."""
    areas = context.areas_mm2("lv", context.ed_frame) + context.areas_mm2("myo", context.ed_frame)
    slices = np.flatnonzero(areas)
    if len(slices) < 2 or not context.mask("myo", context.ed_frame).any():
        return None
    positions = context.cine.slice_positions_mm
    length = positions[slices[-1]] - positions[slices[0]] + float(np.median(np.diff(positions)))
    return float(areas @ context.cine.slice_weights_mm / length**3)


def gap_in_stack(context: QualityContext) -> Flag | None:
    """Report a gap inside the stack; the volume counts it, but its shape is unknown."""
    if context.cine.n_slices < 3:
        return None
    distances = np.diff(context.cine.slice_positions_mm)
    widest, median = int(np.argmax(distances)), float(np.median(distances))
    if distances[widest] <= GAP_RATIO * median:
        return None
    return Flag(
        code="gap-in-stack",
        severity="warning",
        message=f"slices {widest} and {widest + 1} are {distances[widest]:.1f} mm apart, not {median:.1f} mm",
        evidence={"slice": widest, "distance_mm": round(float(distances[widest]), 2), "median_mm": median},
    )


def slice_misalignment(context: QualityContext) -> Flag | None:
    """Report a slice whose heart is displaced from the line through its neighbours; ACDC: 6 of 100."""
    centres, slices = _heart_centres_mm(context)
    if len(slices) < 3:
        return None
    positions = context.cine.slice_positions_mm[slices]
    share = (positions[1:-1] - positions[:-2]) / (positions[2:] - positions[:-2])
    expected = centres[:-2] + share[:, None] * (centres[2:] - centres[:-2])
    offsets = np.linalg.norm(centres[1:-1] - expected, axis=1)
    worst = int(np.argmax(offsets))
    if offsets[worst] <= MISALIGNED_MM:
        return None
    return Flag(
        code="slice-misalignment",
        severity="warning",
        message=f"the heart in slice {slices[worst + 1]} lies {offsets[worst]:.0f} mm off the line of its neighbours",
        evidence={"slice": int(slices[worst + 1]), "offset_mm": round(float(offsets[worst]), 1)},
    )


def _heart_centres_mm(context: QualityContext) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Return the (n, 2) centre of LV blood and wall in each slice that has them at ED, and those slices."""
    heart = context.mask("lv", context.ed_frame) | context.mask("myo", context.ed_frame)
    slices = np.flatnonzero(np.any(heart, axis=(0, 1)))
    pixel_mm = context.cine.spacing_mm[:2]
    centres = [np.argwhere(heart[:, :, index]).mean(axis=0) * pixel_mm for index in slices]
    return np.array(centres), slices


STACK_CHECKS: tuple[Check, ...] = (
    few_slices,
    few_frames,
    wide_slice_spacing,
    unit_pixel_size,
    gap_in_stack,
    slice_misalignment,
)
"""Checks in the order of their report."""
