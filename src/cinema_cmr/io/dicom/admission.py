"""Images that a word of their header claims to be no cine: taken as one where geometry and timing say so.

"PC" is phase contrast, or post contrast; MPR is a reformatted volume, or what an archive wrote into a copy. A claim
therefore never decides by itself: slices acquired like the cines of the study, where those leave a place free, are part
of them; what else could have changed a number is reported.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from cinema_cmr.core.study import Issue
from cinema_cmr.io.dicom.files import FoundFiles
from cinema_cmr.io.dicom.header import FrameHeader
from cinema_cmr.io.dicom.image_kind import EXCLUDING_HINTS, VELOCITY
from cinema_cmr.io.dicom.sort import SortedStacks, sort_headers
from cinema_cmr.io.dicom.stack import MIN_STACK_SLICES, PARALLEL, CineSlice, Stack, same_tissue_mm, slice_centre

__all__ = ["Admission", "admit_claimed", "slices_overlap"]

_BESIDE_MM = 60.0
"""Slice centres further apart than this within their plane show different organs."""
_ON_GRID = 0.3
"""Largest distance of a slice from the regular positions of a stack, in steps."""
_BEYOND = 1.5
"""Largest distance of a slice that continues a stack from its end, in steps."""
_TOLERANCES = (0.01, 0.01, 0.15, 0.15)
"""Largest relative differences of what `_acquisition` returns, between slices that were acquired alike."""


@dataclass(frozen=True, kw_only=True)
class Admission:
    """The files of a study with the claimed images that were taken as cines, and what is to be reported."""

    found: FoundFiles
    issues: tuple[Issue, ...] = ()


def admit_claimed(found: FoundFiles, stacks: SortedStacks, *, all_cines: bool = False) -> Admission:
    """Return the files with those claimed images as headers that geometry and timing show to be cines.

    With `all_cines` every claimed cine is taken, except velocity images and what lies beside them: for a study without
    any other short axis. `stacks` are those of `found.headers`.
    """
    velocities = [header for header in found.claimed if header.claim == VELOCITY]
    by_series: dict[str, list[int]] = defaultdict(list)
    for k, header in enumerate(found.claimed):
        by_series[header.series].append(k)
    admitted: set[int] = set()
    issues = []
    for series, members in by_series.items():
        own = [found.claimed[k] for k in members]
        parts = sort_headers(own).stacks
        is_flow = own[0].claim == VELOCITY or _beside_velocities(own, velocities)
        candidates = [] if is_flow else parts
        taken = [k for part in candidates for k in _taken(part, own, stacks, found.headers, all_cines=all_cines)]
        admitted.update(members[k] for k in taken)
        if taken:
            issues.append(_admitted_issue(series, own[0].claim, certain=not all_cines))
        elif any(_continues(part, stack) for part in parts for stack in stacks.stacks):
            issues.append(_left_out_issue(series, own[0].claim))
    return Admission(found=with_claimed(found, admitted), issues=tuple(issues))


def with_claimed(found: FoundFiles, chosen: Iterable[int]) -> FoundFiles:
    """Return the files with the claimed images of these indices among the headers, and no longer as excluded."""
    indices = set(chosen)
    if not indices:
        return found
    moved = [_without_claimed_hints(found.claimed[k]) for k in sorted(indices)]
    rest = tuple(header for k, header in enumerate(found.claimed) if k not in indices)
    series = dict(found.series)
    # The counts are of stored images: a multi-frame one, of several headers, is excluded while any of these is.
    partly = {header.file for header in rest}
    for label, claim, _ in {(one.series, one.claim, one.file) for one in moved if one.file not in partly}:
        series[label] = replace(series[label], excluded=series[label].excluded - Counter({claim: 1}))
    headers = sorted((*found.headers, *moved), key=lambda header: (header.file, header.frame))
    return replace(found, headers=tuple(headers), claimed=rest, series=series)


def _without_claimed_hints(header: FrameHeader) -> FrameHeader:
    """Return a header whose hints no longer name the kind that it was found not to be."""
    return replace(header, hints=tuple(hint for hint in header.hints if hint not in EXCLUDING_HINTS))


def _taken(
    part: Stack, own: Sequence[FrameHeader], stacks: SortedStacks, headers: Sequence[FrameHeader], *, all_cines: bool
) -> list[int]:
    """Return the indices in `own` of the slices to take: acquired like another cine, at places that are free."""
    alike = all_cines or any(_acquired_alike(part, own, stack, headers) for stack in stacks.stacks)
    free = [one for one in part.slices if not _is_covered(one, part, stacks)] if alike else []
    return [k for one in free for k in one.frames if k is not None]


def _acquired_alike(part: Stack, own: Sequence[FrameHeader], stack: Stack, headers: Sequence[FrameHeader]) -> bool:
    """Return True for the same matrix, pixels, number of frames, frame step and echo time."""
    if (part.rows, part.columns, part.n_frames) != (stack.rows, stack.columns, stack.n_frames):
        return False
    facts = zip(_acquisition(part, own), _acquisition(stack, headers), _TOLERANCES, strict=True)
    return all(a is None or b is None or abs(a - b) <= tolerance * b for a, b, tolerance in facts)


def _acquisition(stack: Stack, headers: Sequence[FrameHeader]) -> tuple[float | None, ...]:
    """Return pixel spacing (rows, columns; mm), frame step and echo time (ms) of a stack, None where unknown."""
    frames = [headers[k] for one in stack.slices for k in one.frames if k is not None]
    steps = [float(np.median(np.diff(one.times_ms))) for one in stack.slices if one.times_ms and len(one.times_ms) > 1]
    echoes = [frame.echo_time_ms for frame in frames if frame.echo_time_ms]
    return (*stack.pixel_spacing, _median(steps), _median(echoes))


def _median(values: Sequence[float]) -> float | None:
    return float(np.median(values)) if values else None


def _is_covered(one: CineSlice, part: Stack, stacks: SortedStacks) -> bool:
    """Return True if a slice of any stack shows the tissue of this one."""
    return any(slices_overlap(one, part, other, stack) for stack in stacks.stacks for other in stack.slices)


def slices_overlap(one: CineSlice, part: Stack, other: CineSlice, stack: Stack) -> bool:
    """Return True if two slices of these stacks show the same tissue: parallel, and nearer than their thickness."""
    normal = stack.normal
    if abs(float(part.normal @ normal)) < PARALLEL:
        return False
    offset = slice_centre(one, part.grid) - slice_centre(other, stack.grid)
    along = float(offset @ normal)
    if float(np.linalg.norm(offset - along * normal)) > _BESIDE_MM:
        return False
    return abs(along) < same_tissue_mm(one, other)


def _continues(part: Stack, stack: Stack) -> bool:
    """Return True if a slice lies at a free place of a stack's regular positions, or a step beyond its ends."""
    if len(stack.slices) < MIN_STACK_SLICES or abs(float(part.normal @ stack.normal)) < PARALLEL:
        return False
    if any(slices_overlap(one, part, other, stack) for one in part.slices for other in stack.slices):
        return False
    step = float(np.median(np.diff(stack.positions_mm)))
    first = stack.slices[0]
    for one in part.slices:
        offset = slice_centre(one, part.grid) - slice_centre(first, stack.grid)
        along = float(offset @ stack.normal)
        beside = float(np.linalg.norm(offset - along * stack.normal))
        near = -_BEYOND * step < along < float(stack.positions_mm[-1]) + _BEYOND * step
        if near and beside < _BESIDE_MM and abs(along / step - round(along / step)) <= _ON_GRID:
            return True
    return False


def _beside_velocities(own: Sequence[FrameHeader], velocities: Sequence[FrameHeader]) -> bool:
    """Return True if velocity images lie at the same place: these are then the magnitudes of a flow measurement."""
    places = {_place(header) for header in velocities}
    return any(_place(header) in places for header in own)


def _place(header: FrameHeader) -> tuple[float, ...]:
    """Return position and orientation, to 0.1 mm and without a negative zero, so that equal places are equal."""
    return tuple(round(value, 1) + 0.0 for value in (*header.position, *header.orientation))


def _admitted_issue(series: str, claim: str, *, certain: bool) -> Issue:
    message = f"{series} was measured as cine though it is {_as_clause(claim)}: "
    evidence = {"series": series, "claim": claim}
    if certain:
        message += "geometry and timing are those of the other cines"
        return Issue(code="claim-overruled", severity="info", message=message, evidence=evidence)
    message += "no other short axis was found; check the images, or leave it out with --ignore"
    return Issue(code="claim-overruled", severity="warning", message=message, evidence=evidence)


def _left_out_issue(series: str, claim: str) -> Issue:
    return Issue(
        code="claimed-series-left-out",
        severity="warning",
        message=f"{series} lies in line with the stack, beyond or between its slices, and was left out as it is"
        f" {_as_clause(claim)}: if it is cine, add it with --use",
        evidence={"series": series, "claim": claim},
    )


def _as_clause(claim: str) -> str:
    """Return a claim so that it follows "is"."""
    return claim if claim.startswith(("described", "a ")) else f"marked as {claim}"
