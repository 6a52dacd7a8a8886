"""Slices into stacks: which parallel slices belong together, which repeat others, how they lie in space."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.geometry import lps_to_ras
from cinema_cmr.core.study import Issue

__all__ = ["CineSlice", "Repeat", "Stack", "geometry_issues", "merge_slices"]

Array = NDArray[np.float64]

_SAME_TISSUE = 0.7
"""Slices nearer than this share of their thickness show the same tissue: the one repeats the other."""
_UNKNOWN_THICKNESS_MM = 6.0
_MAX_OFFSET_MM = 20.0
"""In-plane distance of slice origins that breathing and re-planning explain; beyond, other planes."""
_MAX_SHEAR = 0.36
"""Slope of a line of slice origins against the normal (20 degrees)."""
_FAR_GAP_MM = 45.0
_FAR_GAPS = 3.5


@dataclass(frozen=True, kw_only=True)
class CineSlice:
    """One slice over the cycle: which header is which frame, and where it lies (LPS mm)."""

    series: str
    origin: tuple[float, float, float]
    frames: tuple[int | None, ...]
    """Header indices in time; None where a frame is missing."""
    times_ms: tuple[float, ...] | None = None
    """Time of each frame after the trigger; None where unknown."""
    order_source: str = "trigger time"
    thickness_mm: float | None = None
    spacing_between_mm: float | None = None
    rr_interval_ms: float | None = None
    taken: tuple[float, ...] = (0.0,)
    """Orders acquisitions: later ones are larger."""
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
        return np.array([cut.origin for cut in self.slices])

    @property
    def positions_mm(self) -> Array:
        """(z,) position of each slice along the normal, first slice 0."""
        along: Array = self.origins @ self.normal
        from_first: Array = along - along[0]
        return from_first

    @property
    def series(self) -> tuple[str, ...]:
        """Labels of the series its slices come from, in slice order."""
        return tuple(dict.fromkeys(cut.series for cut in self.slices))

    @property
    def n_frames(self) -> int:
        """The number of frames most slices have; the larger one where two are as frequent."""
        counts = Counter(len(cut.frames) for cut in self.slices)
        return max(counts, key=lambda count: (counts[count], count))

    @property
    def affine(self) -> Array:
        """(4, 4) from voxel (i = column, j = row, k = slice) to RAS mm; k steps by the mean slice step.

        A single slice steps by its thickness, or by 1 mm where that is unknown.
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
class Repeat:
    """A slice that shows what another one shows, and was set aside for it."""

    left_out: CineSlice
    kept: CineSlice
    reason: str


def merge_slices(slices: Sequence[CineSlice], normal: Array) -> tuple[list[tuple[CineSlice, ...]], list[Repeat]]:
    """Slices of one orientation, spacing and size into stacks, ascending along `normal`; and the repeats.

    A series' slices stay together. Series join where their slices fill places still free, in line with the
    stack; of two that show the same tissue the one with more slices is kept, then with more frames, then the
    original before the derived, then the later, since a repeat is made to replace what it repeats.
    """
    blocks = _blocks_by_rank(slices)
    stacks: list[list[CineSlice]] = []
    repeats: list[Repeat] = []
    for block in blocks:
        home = next((stack for stack in stacks if _in_line(stack, block, normal)), None)
        if home is None:
            stacks.append(list(block))
            continue
        for cut in block:
            same = _same_tissue(home, cut, normal, own=block)
            if same is None:
                home.append(cut)
            else:
                repeats.append(Repeat(left_out=cut, kept=same, reason=_why_kept(same, cut, slices)))
    parts = [part for stack in stacks for part in _near_parts(stack, normal)]
    return parts, repeats


def _blocks_by_rank(slices: Sequence[CineSlice]) -> list[tuple[CineSlice, ...]]:
    by_series: dict[str, list[CineSlice]] = {}
    for cut in slices:
        by_series.setdefault(cut.series, []).append(cut)

    def rank(block: Sequence[CineSlice]) -> tuple[object, ...]:
        frames = float(np.median([len(cut.frames) for cut in block]))
        return (len(block), frames, not block[0].derived, max(cut.taken for cut in block))

    return [tuple(block) for block in sorted(by_series.values(), key=rank, reverse=True)]


def _in_line(stack: Sequence[CineSlice], block: Sequence[CineSlice], normal: Array) -> bool:
    """True where the block's slices lie above or below the stack's, not beside them."""
    for cut in block:
        offset = np.array(cut.origin) - np.array(stack[0].origin)
        along = float(offset @ normal)
        if float(np.linalg.norm(offset - along * normal)) > _MAX_OFFSET_MM + _MAX_SHEAR * abs(along):
            return False
    return True


def _same_tissue(
    stack: Sequence[CineSlice], cut: CineSlice, normal: Array, *, own: Sequence[CineSlice]
) -> CineSlice | None:
    """The stack's slice of another series that lies where `cut` does; None where the place is free."""
    limit = _SAME_TISSUE * (cut.thickness_mm or _UNKNOWN_THICKNESS_MM)
    for other in stack:
        if other not in own and abs(float((np.array(cut.origin) - np.array(other.origin)) @ normal)) < limit:
            return other
    return None


def _why_kept(kept: CineSlice, left: CineSlice, slices: Sequence[CineSlice]) -> str:
    n_kept, n_left = (sum(cut.series == name for cut in slices) for name in (kept.series, left.series))
    if n_kept != n_left:
        return f"it has {n_kept} slices, the other {n_left}"
    if len(kept.frames) != len(left.frames):
        return f"it has {len(kept.frames)} frames, the other {len(left.frames)}"
    if kept.derived != left.derived:
        return "it is the original, the other derived"
    return "it is the later acquisition"


def _near_parts(stack: Sequence[CineSlice], normal: Array) -> list[tuple[CineSlice, ...]]:
    """The stack in order along the normal, cut where a gap is too wide for one stack."""
    ordered = sorted(stack, key=lambda cut: float(np.array(cut.origin) @ normal))
    along = np.array([cut.origin for cut in ordered]) @ normal
    gaps = np.diff(along)
    if not len(gaps):
        return [tuple(ordered)]
    cuts = np.flatnonzero(gaps > max(_FAR_GAP_MM, _FAR_GAPS * float(np.median(gaps)))) + 1
    edges = [0, *cuts.tolist(), len(ordered)]
    return [tuple(ordered[a:b]) for a, b in pairwise(edges)]


def geometry_issues(stack: Stack) -> list[Issue]:
    """What is odd about where slices lie: a gap, slices out of line, a file that says another spacing."""
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
        message=f"between slices {k} and {k + 1} there are {gaps[k]:.1f} mm, elsewhere {usual:.1f} mm: "
        f"a slice may be missing; volumes use the true distances",
        evidence={
            "slice": k,
            "gap_mm": round(float(gaps[k]), 2),
            "usual_mm": round(usual, 2),
            "n_gaps": len(wide),
        },
    )


def _line_issue(stack: Stack) -> Issue | None:
    """Slice origins should lie on one line; what is off it is breathing, or re-planning."""
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
        message=f"slice origins are not on one line: slice {worst} is {off_mm[worst]:.1f} mm beside it; "
        f"the shift was left as it is",
        evidence={"slice": worst, "off_mm": round(float(off_mm[worst]), 2)},
    )


def _spacing_issue(stack: Stack, usual_mm: float) -> Issue | None:
    said = [cut.spacing_between_mm for cut in stack.slices if cut.spacing_between_mm]
    if not said or abs(float(np.median(said)) - usual_mm) <= 0.5:
        return None
    return Issue(
        code="spacing-disagrees",
        severity="warning",
        message=f"the file says {np.median(said):.1f} mm between slices, their positions {usual_mm:.1f} mm; "
        f"the positions were used",
        evidence={"said_mm": round(float(np.median(said)), 2), "positions_mm": round(usual_mm, 2)},
    )
