"""Slices, the grid of their images, and stacks of them: how they lie in space, and what is odd about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.geometry import lps_to_ras
from cinema_cmr.core.study import Issue
from cinema_cmr.io.dicom.timing import TRIGGER_TIME

__all__ = [
    "MIN_STACK_SLICES",
    "PARALLEL",
    "CineSlice",
    "SliceGrid",
    "Stack",
    "geometry_issues",
    "same_tissue_mm",
    "slice_centre",
]

Array = NDArray[np.float64]

MIN_STACK_SLICES = 3
"""Fewer parallel slices are planes of their own, not a stack."""

PARALLEL = float(np.cos(np.radians(5)))
"""Cosine of the largest tilt between parallel slices."""

_SAME_TISSUE = 0.7
"""Distance below which two slices show the same tissue, as a share of their thickness."""
_UNKNOWN_THICKNESS_MM = 6.0
"""Where none is stated: the least that SCMR recommends for cine, 6 to 8 mm (Kramer et al., JCMR 2020;22:17)."""
_MAX_THICKNESS_MM = 12.0
"""A larger thickness is a mistake."""
_GAP = 1.6
"""Ratio of a slice distance to the usual one from which a slice may be missing between two."""
_OFF_LINE_MM = 1.0
_OTHER_SPACING_MM = 0.5
"""Difference of the stated slice distance from that of the positions, beyond rounding."""
_OVERLAP = 0.5
"""Smallest stated distance of slices, as a share of their thickness; a smaller one is the gap between them."""


@dataclass(frozen=True, kw_only=True)
class SliceGrid:
    """The in-plane grid of an image: its directions (LPS), pixel spacing (rows, columns; mm) and matrix."""

    orientation: tuple[float, ...]
    pixel_spacing: tuple[float, float]
    rows: int
    columns: int

    @property
    def normal(self) -> Array:
        """(3,) row direction x column direction, LPS."""
        row, column = np.array(self.orientation[:3]), np.array(self.orientation[3:])
        return np.cross(row, column)

    @property
    def steps_mm(self) -> Array:
        """(2, 3) step to the next column and to the next row, LPS mm."""
        dy, dx = self.pixel_spacing
        return np.stack([np.array(self.orientation[:3]) * dx, np.array(self.orientation[3:]) * dy])

    @property
    def extent_mm(self) -> tuple[float, float]:
        """Field of view along rows and along columns."""
        return self.columns * self.pixel_spacing[1], self.rows * self.pixel_spacing[0]

    def centre(self, origin: Sequence[float]) -> Array:
        """Return the (3,) centre of an image of this grid whose first pixel lies at `origin`, LPS mm."""
        last = np.array([self.columns - 1, self.rows - 1])
        middle: Array = np.array(origin) + last / 2 @ self.steps_mm
        return middle


@dataclass(frozen=True, kw_only=True)
class CineSlice:
    """One slice over the cycle: the header index of each frame, and its position (LPS mm)."""

    series: str
    origin: tuple[float, float, float]
    frames: tuple[int | None, ...]
    """Header indices in temporal order; None for a missing frame."""
    times_ms: tuple[float, ...] | None = None
    """Time of each frame after the trigger; None if unknown."""
    order_source: str = TRIGGER_TIME
    """What the frames were ordered by (`TimeOrder.source`)."""
    thickness_mm: float | None = None
    spacing_between_mm: float | None = None
    rr_interval_ms: float | None = None
    acquisition_order: tuple[float, ...] = (0.0,)
    """Sort key of acquisitions: later ones are larger."""
    derived: bool = False
    grid: SliceGrid | None = None
    """The slice's own in-plane grid; None if it is that of the stack."""
    own_origin: tuple[float, float, float] | None = None
    """Centre of its own first pixel, where `origin` is its place on the grid of the stack."""
    gated: bool = True
    """Whether tags relate the frames to the R wave; False for a slice of unknown phase, as of a real-time cine."""
    hints: tuple[str, ...] = ()
    """Contents of the series description in the fixed vocabulary of `parse_hints`."""
    apart_mm: float | None = None
    """Distance from which another slice is no repeat, where positions scatter; None if the thickness decides."""
    span_ms: float | None = None
    """Time that all its frames span by their trigger times, each with its step, before one beat is cut from them."""

    @property
    def is_resampled(self) -> bool:
        """Whether its images are resampled in plane onto the grid of the stack."""
        return self.grid is not None and self.own_origin is not None


def same_tissue_mm(*slices: CineSlice, share: float = _SAME_TISSUE) -> float:
    """Return the distance along the normal below which two slices show the same tissue: 0.7 of their thickness.

    Slices that overlap are as far apart as is stated, not as thick; a thickness beyond that of cines is a mistake.
    Where positions scatter (`places.scatter`), that distance separates two places.
    """
    stated = (one.thickness_mm for one in slices if one.thickness_mm)
    thickness = min(next(stated, _UNKNOWN_THICKNESS_MM), _MAX_THICKNESS_MM)
    apart = next((one.spacing_between_mm for one in slices if one.spacing_between_mm), thickness)
    usual = share * (apart if _OVERLAP * thickness <= apart < thickness else thickness)
    return min([usual, *(one.apart_mm for one in slices if one.apart_mm)])


def slice_centre(one: CineSlice, grid: SliceGrid | None = None) -> Array:
    """Return the (3,) centre of the image of a slice, LPS mm; `grid` is that of its stack, for a slice without own."""
    own = one.grid or grid
    return np.array(one.origin) if own is None else own.centre(one.own_origin or one.origin)


@dataclass(frozen=True, kw_only=True)
class Stack:
    """Parallel slices on one in-plane grid, ascending along their normal."""

    slices: tuple[CineSlice, ...]
    orientation: tuple[float, ...]
    pixel_spacing: tuple[float, float]
    rows: int
    columns: int
    hints: tuple[str, ...] = ()
    issues: tuple[Issue, ...] = ()
    """What was found when it was sorted; of no concern if it is not measured."""

    @property
    def grid(self) -> SliceGrid:
        """The in-plane grid of the stack."""
        return SliceGrid(
            orientation=self.orientation, pixel_spacing=self.pixel_spacing, rows=self.rows, columns=self.columns
        )

    @property
    def normal(self) -> Array:
        """(3,) row direction x column direction, LPS."""
        return self.grid.normal

    @property
    def origins(self) -> Array:
        """(z, 3) centre of the first pixel of each slice, LPS mm."""
        return np.array([cine_slice.origin for cine_slice in self.slices])

    @property
    def positions_mm(self) -> Array:
        """(z,) position of each slice along the normal, relative to the first."""
        along: Array = self.origins @ self.normal
        from_first: Array = along - along[0]
        return from_first

    @property
    def series(self) -> tuple[str, ...]:
        """Labels of the series that contribute slices, in slice order."""
        return tuple(dict.fromkeys(cine_slice.series for cine_slice in self.slices))

    @property
    def n_frames(self) -> int:
        """Most common number of frames per slice; the larger one in a tie."""
        counts = Counter(len(cine_slice.frames) for cine_slice in self.slices)
        return max(counts, key=lambda count: (counts[count], count))

    @property
    def affine(self) -> Array:
        """(4, 4) from voxel (i = column, j = row, k = slice) to RAS mm; k steps by the mean slice distance.

        A single slice steps by its thickness, or by 1 mm if that is unknown.
        """
        matrix = np.eye(4)
        matrix[:3, 0] = np.array(self.orientation[:3]) * self.pixel_spacing[1]
        matrix[:3, 1] = np.array(self.orientation[3:]) * self.pixel_spacing[0]
        matrix[:3, 3] = self.slices[0].origin
        if len(self.slices) > 1:
            matrix[:3, 2] = (self.origins[-1] - self.origins[0]) / (len(self.slices) - 1)
        else:
            matrix[:3, 2] = self.normal * (self.slices[0].thickness_mm or 1.0)
        return lps_to_ras(matrix)


def geometry_issues(stack: Stack) -> list[Issue]:
    """Return issues about slice positions: a gap, slices out of line, or a different stated spacing."""
    gaps = np.diff(stack.positions_mm)
    if not len(gaps):
        return []
    found = [_gap_issue(gaps), _line_issue(stack), _spacing_issue(stack, float(np.median(gaps)))]
    return [issue for issue in found if issue]


def _gap_issue(gaps: Array) -> Issue | None:
    usual = float(np.median(gaps))
    wide = np.flatnonzero(gaps > _GAP * usual)
    if not len(wide) or len(gaps) < 3:
        return None
    k = int(wide[0])
    return Issue(
        code="slice-gap",
        severity="warning",
        message=f"slices {k} and {k + 1} are {gaps[k]:.1f} mm apart, the others {usual:.1f} mm: "
        f"a slice may be missing; volumes use the true distances",
        evidence={
            "slice": k,
            "gap_mm": round(float(gaps[k]), 2),
            "usual_mm": round(usual, 2),
            "n_gaps": len(wide),
        },
    )


def _line_issue(stack: Stack) -> Issue | None:
    """Report slice origins off their common line, as after breathing or re-planning."""
    if len(stack.slices) < 3:
        return None
    design = np.stack([np.ones(len(stack.slices)), stack.positions_mm], axis=1)
    fit, *_ = np.linalg.lstsq(design, stack.origins, rcond=None)
    off_mm = np.linalg.norm(stack.origins - design @ fit, axis=1)
    worst = int(off_mm.argmax())
    if off_mm[worst] < _OFF_LINE_MM:
        return None
    return Issue(
        code="slices-out-of-line",
        severity="warning",
        message=f"slice origins are not on one line: slice {worst} is {off_mm[worst]:.1f} mm off; "
        f"the shift was not corrected",
        evidence={"slice": worst, "off_mm": round(float(off_mm[worst]), 2)},
    )


def _spacing_issue(stack: Stack, usual_mm: float) -> Issue | None:
    stated = [cine_slice.spacing_between_mm for cine_slice in stack.slices if cine_slice.spacing_between_mm]
    if not stated or abs(float(np.median(stated)) - usual_mm) <= _OTHER_SPACING_MM:
        return None
    return Issue(
        code="spacing-disagrees",
        severity="warning",
        message=f"the stated slice distance is {np.median(stated):.1f} mm, that of the positions {usual_mm:.1f} mm; "
        f"the positions were used",
        evidence={"stated_mm": round(float(np.median(stated)), 2), "positions_mm": round(usual_mm, 2)},
    )
