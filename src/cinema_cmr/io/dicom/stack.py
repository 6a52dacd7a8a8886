"""Grouping of slices into stacks: which belong together, which repeat others, and how they lie in space."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.geometry import lps_to_ras
from cinema_cmr.core.study import Issue

__all__ = ["CineSlice", "RepeatedSlice", "Stack", "geometry_issues", "merge_slices"]

Array = NDArray[np.float64]

_SAME_TISSUE = 0.7
"""Slices closer than this fraction of their thickness show the same tissue: one repeats the other."""
_UNKNOWN_THICKNESS_MM = 6.0
_MAX_OFFSET_MM = 20.0
"""In-plane offset of slice origins explained by breathing and re-planning; beyond it they are other planes."""
_MAX_SHEAR = 0.36
"""Slope of the line of slice origins relative to the normal (20 degrees)."""
_FAR_GAP_MM = 45.0
_FAR_GAPS = 3.5


@dataclass(frozen=True, kw_only=True)
class CineSlice:
    """One slice over the cycle: the header index of each frame, and its position (LPS mm)."""

    series: str
    origin: tuple[float, float, float]
    frames: tuple[int | None, ...]
    """Header indices in temporal order; None for a missing frame."""
    times_ms: tuple[float, ...] | None = None
    """Time of each frame after the trigger; None if unknown."""
    order_source: str = "trigger time"
    thickness_mm: float | None = None
    spacing_between_mm: float | None = None
    rr_interval_ms: float | None = None
    acquisition_order: tuple[float, ...] = (0.0,)
    """Sort key of acquisitions: later ones are larger."""
    derived: bool = False


@dataclass(frozen=True, kw_only=True)
class Stack:
    """Parallel slices on one in-plane grid, ascending along their normal."""

    slices: tuple[CineSlice, ...]
    orientation: tuple[float, ...]
    pixel_spacing: tuple[float, float]
    rows: int
    columns: int
    hints: tuple[str, ...] = ()

    @property
    def normal(self) -> Array:
        """(3,) row direction x column direction, LPS."""
        row, column = np.array(self.orientation[:3]), np.array(self.orientation[3:])
        return np.cross(row, column)

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


@dataclass(frozen=True, kw_only=True)
class RepeatedSlice:
    """A slice that shows the same tissue as another and was excluded in its favour."""

    excluded: CineSlice
    kept: CineSlice
    reason: str


def merge_slices(slices: Sequence[CineSlice], normal: Array) -> tuple[list[tuple[CineSlice, ...]], list[RepeatedSlice]]:
    """Merge slices of one orientation, spacing and size into stacks, ascending along `normal`; also return the repeats.

    Slices of a series stay together. Series are joined if their slices fill free positions in line with the stack. Of
    two slices that show the same tissue, the one from the series with more slices is kept, then the one with more
    frames, then the original over the derived, then the later one, since a repeat replaces what it repeats.
    """
    blocks = _blocks_by_rank(slices)
    stacks: list[list[CineSlice]] = []
    repeats: list[RepeatedSlice] = []
    for block in blocks:
        match = next((stack for stack in stacks if _is_in_line(stack, block, normal)), None)
        if match is None:
            stacks.append(list(block))
            continue
        for cine_slice in block:
            overlapping = _overlapping_slice(match, cine_slice, normal, own=block)
            if overlapping is None:
                match.append(cine_slice)
            else:
                repeats.append(
                    RepeatedSlice(
                        excluded=cine_slice,
                        kept=overlapping,
                        reason=_preference_reason(overlapping, cine_slice, slices),
                    )
                )
    parts = [part for stack in stacks for part in _split_at_gaps(stack, normal)]
    return parts, repeats


def _blocks_by_rank(slices: Sequence[CineSlice]) -> list[tuple[CineSlice, ...]]:
    by_series: dict[str, list[CineSlice]] = {}
    for cine_slice in slices:
        by_series.setdefault(cine_slice.series, []).append(cine_slice)

    def rank(block: Sequence[CineSlice]) -> tuple[object, ...]:
        frames = float(np.median([len(cine_slice.frames) for cine_slice in block]))
        return (len(block), frames, not block[0].derived, max(cine_slice.acquisition_order for cine_slice in block))

    return [tuple(block) for block in sorted(by_series.values(), key=rank, reverse=True)]


def _is_in_line(stack: Sequence[CineSlice], block: Sequence[CineSlice], normal: Array) -> bool:
    """Return True if the block's slices lie above or below those of the stack, not beside them."""
    for cine_slice in block:
        offset = np.array(cine_slice.origin) - np.array(stack[0].origin)
        along = float(offset @ normal)
        if float(np.linalg.norm(offset - along * normal)) > _MAX_OFFSET_MM + _MAX_SHEAR * abs(along):
            return False
    return True


def _overlapping_slice(
    stack: Sequence[CineSlice], cine_slice: CineSlice, normal: Array, *, own: Sequence[CineSlice]
) -> CineSlice | None:
    """Return the slice of another series at the same position; None if the position is free."""
    limit = _SAME_TISSUE * (cine_slice.thickness_mm or _UNKNOWN_THICKNESS_MM)
    for other in stack:
        if other not in own and abs(float((np.array(cine_slice.origin) - np.array(other.origin)) @ normal)) < limit:
            return other
    return None


def _preference_reason(kept: CineSlice, excluded: CineSlice, slices: Sequence[CineSlice]) -> str:
    n_kept, n_excluded = (
        sum(cine_slice.series == name for cine_slice in slices) for name in (kept.series, excluded.series)
    )
    if n_kept != n_excluded:
        return f"it has {n_kept} slices, the other {n_excluded}"
    if len(kept.frames) != len(excluded.frames):
        return f"it has {len(kept.frames)} frames, the other {len(excluded.frames)}"
    if kept.derived != excluded.derived:
        return "it is the original, the other derived"
    return "it is the later acquisition"


def _split_at_gaps(stack: Sequence[CineSlice], normal: Array) -> list[tuple[CineSlice, ...]]:
    """Order the stack along the normal and split it where a gap is too wide for one stack."""
    ordered = sorted(stack, key=lambda cine_slice: float(np.array(cine_slice.origin) @ normal))
    along = np.array([cine_slice.origin for cine_slice in ordered]) @ normal
    gaps = np.diff(along)
    if not len(gaps):
        return [tuple(ordered)]
    splits = np.flatnonzero(gaps > max(_FAR_GAP_MM, _FAR_GAPS * float(np.median(gaps)))) + 1
    edges = [0, *splits.tolist(), len(ordered)]
    return [tuple(ordered[a:b]) for a, b in pairwise(edges)]


def geometry_issues(stack: Stack) -> list[Issue]:
    """Return issues about slice positions: a gap, slices out of line, or a different stated spacing."""
    gaps = np.diff(stack.positions_mm)
    if not len(gaps):
        return []
    found = [_gap_issue(gaps), _line_issue(stack), _spacing_issue(stack, float(np.median(gaps)))]
    return [issue for issue in found if issue]


def _gap_issue(gaps: Array) -> Issue | None:
    usual = float(np.median(gaps))
    wide = np.flatnonzero(gaps > 1.6 * usual)
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
    if off_mm[worst] < 1.0:
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
    if not stated or abs(float(np.median(stated)) - usual_mm) <= 0.5:
        return None
    return Issue(
        code="spacing-disagrees",
        severity="warning",
        message=f"the stated slice distance is {np.median(stated):.1f} mm, that of the positions {usual_mm:.1f} mm; "
        f"the positions were used",
        evidence={"stated_mm": round(float(np.median(stated)), 2), "positions_mm": round(usual_mm, 2)},
    )
