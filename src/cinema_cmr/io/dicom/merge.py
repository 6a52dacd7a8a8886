"""Merging of parallel slices into stacks: which belong together, which repeat others, and which of two is used."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.io.dicom.stack import MIN_STACK_SLICES, CineSlice, SliceGrid, same_tissue_mm, slice_centre
from cinema_cmr.io.dicom.timing import TRIGGER_TIME
from cinema_cmr.views.competing import ANOTHER_RATE

__all__ = ["Rejection", "RepeatedSlice", "is_same_kind", "merge_slices"]

Array = NDArray[np.float64]
Slices = Sequence[CineSlice]

_MAX_OFFSET_MM = 20.0
"""In-plane offset of image centres explained by breathing and re-planning; beyond it they are other planes."""
_MAX_OFFSET_SHARE = 0.2
"""The same as a share of the smaller field of view: one cropped off-centre."""
_MAX_SHEAR = 0.36
"""Slope of the line of image centres relative to the normal (20 degrees)."""
_FAR_GAP_MM = 45.0
"""A stack is split at gaps wider than this, and than `_FAR_GAPS` usual ones: what lies there is another plane."""
_FAR_GAPS = 3.5
_SAME_RATE = 1.1
"""Ratio of cycle lengths below which slices described as stress may belong to a stack at rest."""
_SAME_KIND = 0.25
"""Largest relative difference of frames, cycle length and thickness between a slice and its retake."""


@dataclass(frozen=True, kw_only=True)
class RepeatedSlice:
    """A slice that shows the same tissue as another and was excluded in its favour."""

    excluded: CineSlice
    kept: CineSlice
    reason: str


@dataclass(frozen=True, kw_only=True)
class Rejection:
    """Why an image is not used in spite of its place in a cine: its slice was taken again, with better images."""

    repeat_of: str
    """The series used instead."""
    reason: str
    deviation: float
    """Deviation of its slice from the neighbours (`views.slice_quality`)."""
    deviation_of_repeat: float


def merge_slices(slices: Slices, normal: Array) -> tuple[list[tuple[CineSlice, ...]], list[RepeatedSlice]]:
    """Merge parallel slices into stacks, ascending along `normal`; also return the repeats.

    Slices are divided into acquisitions first: tagged ones, those without gating, those at another heart rate, and
    whole repetitions of a stack are stacks of their own, so that a stack never mixes them. Slices without gating fill
    positions that would be empty otherwise. A retake of single slices replaces what it repeats if it is the later or so
    described, and of the same kind.
    """
    acquisitions = _acquisitions(slices, normal)
    stacks: list[list[CineSlice]] = []
    repeats: list[RepeatedSlice] = []
    for acquisition in acquisitions:
        completed = stacks[:1] if stacks and _may_complete(stacks[0], acquisition, normal) else []
        merged, found = _merge_blocks(acquisition, normal, onto=completed)
        stacks = [*merged[: len(completed)], *stacks[len(completed) :], *merged[len(completed) :]]
        repeats += found
    parts = [part for stack in stacks for part in _split_at_gaps(stack, normal)]
    return parts, repeats


def _acquisitions(slices: Slices, normal: Array) -> list[list[CineSlice]]:
    """Divide slices by kind and state; the preferred acquisition first: cine, gated, at rest, original, timed."""
    kinds: dict[tuple[bool, bool, bool], list[CineSlice]] = {}
    for one in slices:
        kinds.setdefault((_is_tagged(one), not one.gated, "stress" in one.hints), []).append(one)
    by_kind = [kinds[kind] for kind in sorted(kinds)]
    by_origin = [part for kind in by_kind for part in _split_lesser(kind, normal)]
    by_rate = [state for kind in by_origin for state in _split_by_rate(kind, normal)]
    return [part for state in by_rate for part in _split_repetitions(state, normal)]


def _split_lesser(slices: Slices, normal: Array) -> list[list[CineSlice]]:
    """Split off what lies where better slices do, and is derived or has no times after the R wave.

    Perfusion and maps lie there without such times; a reformatted stack has more slices than its source.
    """
    derived = [one for one in slices if one.derived]
    untimed = [one for one in slices if not one.derived and one.order_source != TRIGGER_TIME]
    parts = [[one for one in slices if not one.derived and one.order_source == TRIGGER_TIME]]
    for lesser, least in ((untimed, 1), (derived, MIN_STACK_SLICES)):
        same = sum(_at_same_position(parts[0], one, normal) is not None for one in lesser)
        if same >= least and 2 * same >= len(lesser):
            parts.append(lesser)
        else:
            parts[0].extend(lesser)
    return [part for part in parts if part]


def _is_tagged(one: CineSlice) -> bool:
    return "tagging" in one.hints


def _split_by_rate(slices: Slices, normal: Array) -> list[list[CineSlice]]:
    """Split two acquisitions at the same positions and different heart rates; the slower, at rest, first."""
    timed = sorted((one for one in slices if one.rr_interval_ms), key=lambda one: one.rr_interval_ms or 0, reverse=True)
    cycles = [one.rr_interval_ms or 0 for one in timed]
    ratios = [before / after for before, after in pairwise(cycles)]
    if not ratios or max(ratios) < ANOTHER_RATE:
        return [list(slices)]
    split = ratios.index(max(ratios)) + 1
    rest, stress = timed[:split], timed[split:]
    if not _repeats_stack(stress, rest, normal):
        return [list(slices)]
    unknown = [one for one in slices if not one.rr_interval_ms]
    return [[*rest, *unknown], *_split_by_rate(stress, normal)]


def _split_repetitions(slices: Slices, normal: Array) -> list[list[CineSlice]]:
    """Split an acquisition from a later one of the same kind that repeats it over at least half of its positions."""
    runs: list[list[CineSlice]] = []
    for block in _blocks(slices, key=lambda block: (-len(block), _latest(block))):
        found = next((part for part in runs if not any(_at_same_position(part, one, normal) for one in block)), None)
        if found is None:
            runs.append(list(block))
        else:
            found.extend(block)
    if not runs:
        return []
    whole = [runs[0]]
    for part in runs[1:]:
        if _repeats_stack(part, whole[0], normal):
            whole.append(part)
        else:
            whole[0].extend(part)
    return whole


def _repeats_stack(slices: Slices, others: Slices, normal: Array) -> bool:
    """Return True if at least three slices, and half of each of the two sets, lie at positions of the other."""
    same = [one for one in slices if _at_same_position(others, one, normal)]
    return len(same) >= MIN_STACK_SLICES and 2 * len(same) >= max(len(slices), len(others))


def _may_complete(stack: Slices, acquisition: Slices, normal: Array) -> bool:
    """Return True for slices that fill free positions of a stack, and are cines of the same state of the heart."""
    if any(_is_tagged(one) != _is_tagged(stack[0]) for one in acquisition):
        return False
    if ("stress" in acquisition[0].hints) != ("stress" in stack[0].hints) and not _same_rate(acquisition, stack):
        return False
    same = sum(_at_same_position(stack, one, normal) is not None for one in acquisition)
    return 2 * same < len(acquisition)


def _same_rate(slices: Slices, others: Slices) -> bool:
    """Return True for known cycles that differ by less than those of rest and stress, whatever a description names."""
    cycles = [[one.rr_interval_ms for one in some if one.rr_interval_ms] for some in (slices, others)]
    if not all(cycles):
        return False
    shorter, longer = sorted(float(np.median(own)) for own in cycles)
    return longer < _SAME_RATE * shorter


def _merge_blocks(
    slices: Slices, normal: Array, *, onto: Sequence[Slices]
) -> tuple[list[list[CineSlice]], list[RepeatedSlice]]:
    """Merge the series of one acquisition into stacks, those of `onto` first; a series stays together."""
    stacks = [list(stack) for stack in onto]
    repeats: list[RepeatedSlice] = []
    for block in _blocks(slices, key=_rank, reverse=True):
        match = next((stack for stack in stacks if _is_in_line(stack, block, normal)), None)
        if match is None:
            stacks.append(list(block))
            continue
        for one in block:
            other = _at_same_position(match, one, normal, own=block)
            if other is None:
                match.append(one)
                continue
            kept, excluded, reason = _choose(other, one, slices)
            if kept is one:
                match[match.index(other)] = one
            repeats.append(RepeatedSlice(excluded=excluded, kept=kept, reason=reason))
    return stacks, repeats


def _blocks(
    slices: Slices, *, key: Callable[[Slices], tuple[object, ...]], reverse: bool = False
) -> list[tuple[CineSlice, ...]]:
    """Return the slices of each series, sorted; a series with two grids gives two blocks."""
    by_series: dict[tuple[str, SliceGrid | None], list[CineSlice]] = {}
    for one in slices:
        by_series.setdefault((one.series, one.grid), []).append(one)
    return [tuple(block) for block in sorted(by_series.values(), key=key, reverse=reverse)]


def _rank(block: Slices) -> tuple[object, ...]:
    frames = float(np.median([len(one.frames) for one in block]))
    return (len(block), frames, not block[0].derived, _latest(block))


def _latest(block: Slices) -> tuple[float, ...]:
    return max(one.acquisition_order for one in block)


def _is_in_line(stack: Slices, block: Slices, normal: Array) -> bool:
    """Return True if the block's slices lie above or below those of the stack, not beside them."""
    for one in block:
        offset = slice_centre(one) - slice_centre(stack[0])
        along = float(offset @ normal)
        beside = float(np.linalg.norm(offset - along * normal))
        if beside > max(_MAX_OFFSET_MM, _MAX_OFFSET_SHARE * _fov_mm(one, stack[0])) + _MAX_SHEAR * abs(along):
            return False
    return True


def _fov_mm(*slices: CineSlice) -> float:
    return min((extent for one in slices if one.grid for extent in one.grid.extent_mm), default=0.0)


def _at_same_position(stack: Slices, one: CineSlice, normal: Array, *, own: Slices = ()) -> CineSlice | None:
    """Return the nearest slice of another series at the same position; None if the position is free."""
    near = [
        (distance, k)
        for k, other in enumerate(stack)
        if other not in own and other.series != one.series
        if (distance := abs(float((slice_centre(one) - slice_centre(other)) @ normal))) < same_tissue_mm(one, other)
    ]
    return stack[min(near)[1]] if near else None


def _choose(first: CineSlice, second: CineSlice, slices: Slices) -> tuple[CineSlice, CineSlice, str]:
    """Return which of two slices at one position is kept, which is excluded, and why.

    `first` is of the larger series. A retake is later or so described and of the same kind.
    """
    sizes = [sum(one.series == name for one in slices) for name in (first.series, second.series)]
    if sizes[0] > sizes[1] and _is_retake(second, first):
        how = "described as a repeat" if "repeat" in second.hints else "the later acquisition"
        return second, first, f"it is {how} of this slice"
    counts = Counter(len(one.frames) for one in slices if one not in (first, second))
    usual = counts.most_common(1)[0][0] if counts else None
    if len(second.frames) == usual != len(first.frames) and sizes[0] == sizes[1]:
        return second, first, f"it has {usual} frames as most slices, the other {len(first.frames)}"
    return first, second, _preference_reason(first, second, sizes)


def _is_retake(one: CineSlice, other: CineSlice) -> bool:
    """Return True if a slice was taken again to replace the other one."""
    if one.derived > other.derived or ("repeat" in other.hints and "repeat" not in one.hints):
        return False
    described = "repeat" in one.hints and "repeat" not in other.hints
    later = one.acquisition_order > other.acquisition_order
    return (described or later) and is_same_kind(one, other)


def is_same_kind(one: CineSlice, other: CineSlice) -> bool:
    """Return True for two slices acquired alike: frames, cycle and thickness within a quarter, gating, tagging."""
    pairs = (
        (float(len(one.frames)), float(len(other.frames))),
        (one.rr_interval_ms, other.rr_interval_ms),
        (one.thickness_mm, other.thickness_mm),
    )
    close = all(not (a and b) or abs(a - b) <= _SAME_KIND * max(a, b) for a, b in pairs)
    return close and one.gated == other.gated and _is_tagged(one) == _is_tagged(other)


def _preference_reason(kept: CineSlice, excluded: CineSlice, sizes: Sequence[int]) -> str:
    if kept.gated != excluded.gated:
        return "it is gated, the other not"
    if sizes[0] != sizes[1]:
        return f"it has {sizes[0]} slices, the other {sizes[1]}"
    if len(kept.frames) != len(excluded.frames):
        return f"it has {len(kept.frames)} frames, the other {len(excluded.frames)}"
    if kept.derived != excluded.derived:
        return "it is the original, the other derived"
    return "it is the later acquisition"


def _split_at_gaps(stack: Slices, normal: Array) -> list[tuple[CineSlice, ...]]:
    """Order the stack along the normal and split it where a gap is too wide for one stack."""
    ordered = sorted(stack, key=lambda one: float(slice_centre(one) @ normal))
    along = np.array([slice_centre(one) for one in ordered]) @ normal
    gaps = np.diff(along)
    if not len(gaps):
        return [tuple(ordered)]
    splits = np.flatnonzero(gaps > max(_FAR_GAP_MM, _FAR_GAPS * float(np.median(gaps)))) + 1
    edges = [0, *splits.tolist(), len(ordered)]
    return [tuple(ordered[a:b]) for a, b in pairwise(edges)]
