"""Quality of the stack: slices and frames, gaps, breathing, coverage from base to apex.

Thresholds are set so that they rarely fire on the experts' labels of ACDC's 100 training patients; how
often each does stands beside it.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.results import Flag
from cinema_cmr.measure.quality.context import Check, QualityContext

__all__ = ["STACK_CHECKS"]

FEWEST_SLICES = 6

FEWEST_FRAMES = 15
"""A cycle in fewer frames misses end-systole: at 60 beats a minute they are more than 67 ms apart."""

WIDEST_DISTANCE_MM = 12.0
"""UK Biobank and SCMR protocols have 10 mm."""

GAP_SHARE = 1.25
"""A distance larger than this many times the median one is a gap."""

OUT_OF_LINE_MM = 10.0
"""Way of a slice's heart off the line through its neighbours: a breath held at another depth."""

LARGE_APEX_SHARE = 0.4
"""Of the largest LV area: the last slice at the apex is no apex when its LV is larger."""

LARGE_BASE_SHARE = 0.8

SHORTEST_LENGTH = 1.1
"""Labelled LV length over LV diameter at end-diastole; shorter stacks with a large end at the base miss
some."""


def few_slices(context: QualityContext) -> Flag | None:
    """Fewer than six slices cannot follow a ventricle's shape."""
    n_slices = context.cine.n_slices
    if n_slices >= FEWEST_SLICES:
        return None
    message = f"{n_slices} short-axis slices; volumes need at least {FEWEST_SLICES}"
    return Flag(code="few-slices", severity="warning", message=message, evidence={"slices": n_slices})


def few_frames(context: QualityContext) -> Flag | None:
    """One or two frames are another kind of study; few frames may miss end-systole."""
    n_frames = context.cine.n_frames
    if n_frames >= FEWEST_FRAMES:
        return None
    severity: Literal["info", "warning"] = "info" if n_frames <= 2 else "warning"
    what = {1: "one frame: no ejection fraction", 2: "two frames, taken as ED and ES by volume"}
    message = what.get(n_frames, f"{n_frames} frames over the cycle; end-systole may lie between two of them")
    return Flag(code="few-frames", severity=severity, message=message, evidence={"frames": n_frames})


def wide_slice_distance(context: QualityContext) -> Flag | None:
    """Slices so far apart that the sum of slices is coarse."""
    if context.cine.n_slices < 2:
        return None
    distance = float(np.median(np.diff(context.cine.slice_positions_mm)))
    if distance <= WIDEST_DISTANCE_MM:
        return None
    return Flag(
        code="wide-slice-spacing",
        severity="warning",
        message=f"slices are {distance:.1f} mm apart; volumes are coarse beyond {WIDEST_DISTANCE_MM:g} mm",
        evidence={"distance_mm": round(distance, 2)},
    )


def gap_in_stack(context: QualityContext) -> Flag | None:
    """A slice missing inside the stack; the volume counts the gap, the shape there is a guess."""
    if context.cine.n_slices < 3:
        return None
    distances = np.diff(context.cine.slice_positions_mm)
    widest, median = int(np.argmax(distances)), float(np.median(distances))
    if distances[widest] <= GAP_SHARE * median:
        return None
    return Flag(
        code="gap-in-stack",
        severity="warning",
        message=f"slices {widest} and {widest + 1} are {distances[widest]:.1f} mm apart, not {median:.1f} mm",
        evidence={"slice": widest, "distance_mm": round(float(distances[widest]), 2), "median_mm": median},
    )


def slices_out_of_line(context: QualityContext) -> Flag | None:
    """A slice whose heart lies off the line through its neighbours' hearts; ACDC: 6 of 100."""
    centres, slices = _heart_centres_mm(context)
    if len(slices) < 3:
        return None
    positions = context.cine.slice_positions_mm[slices]
    share = (positions[1:-1] - positions[:-2]) / (positions[2:] - positions[:-2])
    expected = centres[:-2] + share[:, None] * (centres[2:] - centres[:-2])
    off = np.linalg.norm(centres[1:-1] - expected, axis=1)
    worst = int(np.argmax(off))
    if off[worst] <= OUT_OF_LINE_MM:
        return None
    return Flag(
        code="slice-misalignment",
        severity="warning",
        message=f"the heart in slice {slices[worst + 1]} lies {off[worst]:.0f} mm off its neighbours' line",
        evidence={"slice": int(slices[worst + 1]), "off_mm": round(float(off[worst]), 1)},
    )


def _heart_centres_mm(context: QualityContext) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """(n, 2) centre of LV blood and wall in each slice that has them at ED, and those slices."""
    heart = context.mask("lv", context.ed_frame) | context.mask("myo", context.ed_frame)
    slices = np.flatnonzero(np.any(heart, axis=(0, 1)))
    pixel_mm = context.cine.spacing_mm[:2]
    centres = [np.argwhere(heart[:, :, index]).mean(axis=0) * pixel_mm for index in slices]
    return np.array(centres), slices


def cut_by_field_of_view(context: QualityContext) -> Flag | None:
    """Labels on the edge of the image: part of the heart is outside; ACDC: none."""
    labels = context.labels.array
    edges = (labels[[0, -1]], labels[:, [0, -1]])
    voxels = sum(int(np.count_nonzero(edge)) for edge in edges)
    if not voxels:
        return None
    return Flag(
        code="heart-exceeds-image",
        severity="warning",
        message=f"{voxels} labelled voxels lie on the edge of the image; the heart may reach beyond it",
        evidence={"voxels": voxels},
    )


def no_apex(context: QualityContext) -> Flag | None:
    """The stack ends at the apex with a large LV; ACDC: 1 of 100."""
    end = _end_of_stack(context, at_base=False)
    if end is None or end[1] <= LARGE_APEX_SHARE:
        return None
    return Flag(
        code="apex-not-covered",
        severity="warning",
        message=f"the stack ends in slice {end[0]} with {end[1]:.0%} of the largest LV area: no apex",
        evidence={"slice": end[0], "area_share": round(end[1], 2)},
    )


def no_base(context: QualityContext) -> Flag | None:
    """The stack ends at the base with a large LV that is short for its width; ACDC: 3 of 100."""
    end, length = _end_of_stack(context, at_base=True), _length_over_diameter(context)
    if end is None or end[1] <= LARGE_BASE_SHARE or length >= SHORTEST_LENGTH:
        return None
    return Flag(
        code="base-not-covered",
        severity="warning",
        message=f"the stack ends at slice {end[0]} with a large LV only {length:.1f} times as long as wide",
        evidence={"slice": end[0], "area_share": round(end[1], 2), "length_over_diameter": round(length, 2)},
    )


def _end_of_stack(context: QualityContext, *, at_base: bool) -> tuple[int, float] | None:
    """The outermost slice at base or apex and its share of the largest LV area at ED."""
    areas = context.areas_mm2("lv", context.ed_frame)
    if context.volumes.base is None or not areas.any():
        return None
    first = (context.volumes.base == "first") == at_base
    index = 0 if first else len(areas) - 1
    return index, float(areas[index] / areas.max())


def _length_over_diameter(context: QualityContext) -> float:
    areas = context.areas_mm2("lv", context.ed_frame)
    length = float(context.cine.slice_weights_mm[areas > 0].sum())
    return length / float(np.sqrt(4 * areas.max() / np.pi)) if areas.any() else np.inf


STACK_CHECKS: tuple[Check, ...] = (
    few_slices,
    few_frames,
    wide_slice_distance,
    gap_in_stack,
    slices_out_of_line,
    cut_by_field_of_view,
    no_apex,
    no_base,
)
"""In the order in which they are reported."""
