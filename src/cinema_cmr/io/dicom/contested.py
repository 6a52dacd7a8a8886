"""Slices taken twice: which acquisition is used is judged by the images, against those of the slices beside it.

Order and descriptions decide first (`merge`): a retake replaces what it repeats. Where the images of the slice kept
deviate clearly more from the neighbours than those of the other, by noise, tag lines, ghosts or blur, that one is
used.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.study import Issue
from cinema_cmr.io.dicom.files import FoundFiles
from cinema_cmr.io.dicom.merge import Rejection, RepeatedSlice, is_same_kind
from cinema_cmr.io.dicom.pixels import assemble
from cinema_cmr.io.dicom.regrid import resample_in_plane
from cinema_cmr.io.dicom.sort import SortedStacks
from cinema_cmr.io.dicom.stack import MIN_STACK_SLICES, CineSlice, Stack
from cinema_cmr.views.slice_quality import CLEARLY_BETTER, slice_deviation

__all__ = ["image_rejections", "rejection_issues"]

Image = NDArray[np.float32]

_DEVIATES = "its images deviate more from those of the neighbouring slices"
_FLICKERS = "its images are mostly noise, as those of the phase are"
_NOISE = 0.6
_IMAGE = 0.4
"""Mean difference of consecutive frames, as a share of the contrast, of noise (1 or more) and of images: 0.55 at most
in 543 cine slices of ACDC, 0.15 in the median."""
_BESIDE_GAPS = 2.5
"""Slices further apart than this many slice distances are no neighbours."""


@dataclass(frozen=True, kw_only=True)
class _Contest:
    """Two acquisitions of one slice of a stack, and the nearest slices that were taken once."""

    repeat: RepeatedSlice
    stack: Stack
    index: int
    neighbours: tuple[int, ...]


def image_rejections(found: FoundFiles, stacks: SortedStacks) -> dict[int, Rejection]:
    """Return the images, by header index, of slices whose repeats are clearly better, with the reason.

    Only acquisitions of one kind are compared, and with the slices beside them that were taken once. Where each slice
    was taken twice, as magnitude and phase without a mark, the one is left out that is mostly noise.
    """
    rejected: dict[int, Rejection] = {}
    for contest in _contests(stacks):
        kept, other = (_deviation(found, contest, one) for one in (contest.repeat.kept, contest.repeat.excluded))
        if kept is not None and other is not None and kept - other > CLEARLY_BETTER:
            rejection = Rejection(
                repeat_of=contest.repeat.excluded.series,
                reason=_DEVIATES,
                deviation=round(kept, 2),
                deviation_of_repeat=round(other, 2),
            )
            rejected.update({k: rejection for k in contest.repeat.kept.frames if k is not None})
    for repeat in _uncompared(stacks):
        kept, other = (_flicker(found, one) for one in (repeat.kept, repeat.excluded))
        if kept is not None and other is not None and kept > _NOISE and other < _IMAGE:
            rejection = Rejection(
                repeat_of=repeat.excluded.series,
                reason=_FLICKERS,
                deviation=round(kept, 2),
                deviation_of_repeat=round(other, 2),
            )
            rejected.update({k: rejection for k in repeat.kept.frames if k is not None})
    return rejected


def _uncompared(stacks: SortedStacks) -> list[RepeatedSlice]:
    """Return the repeats of stacks in which each slice was taken twice, so that none is left to compare them with."""
    found = []
    for stack in stacks.stacks:
        own = [repeat for repeat in stacks.repeats if _place(repeat, stack) is not None]
        if len({_place(repeat, stack) for repeat in own}) == len(stack.slices):
            found += [one for one in own if is_same_kind(one.kept, one.excluded) and not one.excluded.derived]
    return found


def _flicker(found: FoundFiles, one: CineSlice) -> float | None:
    """Return how much consecutive frames differ, as a share of the contrast of the images."""
    if one.grid is None:
        return None
    images = _images_of(found, Stack(slices=(replace(one, grid=None),), **vars(one.grid)), replace(one, grid=None))
    if images is None or images.shape[-1] < 2:
        return None
    contrast = float(np.abs(images - images.mean()).mean())
    return float(np.abs(np.diff(images, axis=-1)).mean()) / contrast if contrast else None


def rejection_issues(found: FoundFiles, rejected: Mapping[int, Rejection]) -> list[Issue]:
    """Return one issue on all slices whose repeat was used because of its images."""
    if not rejected:
        return []
    used = ", ".join(sorted({one.repeat_of for one in rejected.values()}))
    left = ", ".join(sorted({found.headers[k].series for k in rejected}))
    slices = len({(found.headers[k].series, found.headers[k].position) for k in rejected})
    first = next(iter(rejected.values()))
    why = f"({first.deviation:g} and {first.deviation_of_repeat:g} in the first)"
    if first.reason == _FLICKERS:
        why = f"are mostly noise from frame to frame {why}"
    else:
        why = f"deviate more from the neighbouring slices {why}, by noise, lines, ghosts or blur"
    choice = "their other images" if used == left else f"those of {used}"
    return [
        Issue(
            code="slices-repeated",
            severity="warning",
            message=f"{slices} slices of the stack were taken twice, and the images of {left} {why}: {choice} were"
            " used; make sure that the better ones were used",
            evidence={"n_slices": slices, "kept": used, "left_out": left, "decided_by": "images"},
        )
    ]


def _contests(stacks: SortedStacks) -> list[_Contest]:
    contests = []
    for stack in stacks.stacks:
        if len(stack.slices) < MIN_STACK_SLICES:
            continue
        own = [(k, repeat) for repeat in stacks.repeats if (k := _place(repeat, stack)) is not None]
        contested = {k for k, _ in own}
        for k, repeat in own:
            beside = _neighbours(stack, k, contested)
            if beside and is_same_kind(repeat.kept, repeat.excluded) and not repeat.excluded.derived:
                contests.append(_Contest(repeat=repeat, stack=stack, index=k, neighbours=beside))
    return contests


def _place(repeat: RepeatedSlice, stack: Stack) -> int | None:
    """Return the index of the slice of a stack that a repeat is about."""
    images = set(repeat.kept.frames)
    return next((k for k, one in enumerate(stack.slices) if images & (set(one.frames) - {None})), None)


def _neighbours(stack: Stack, index: int, contested: set[int]) -> tuple[int, ...]:
    """Return the nearest uncontested slice on each side."""
    at = stack.positions_mm
    limit = _BESIDE_GAPS * float(np.median(np.diff(at)))
    sides = (range(index - 1, -1, -1), range(index + 1, len(at)))
    nearest = (next((k for k in side if k not in contested), None) for side in sides)
    return tuple(k for k in nearest if k is not None and abs(at[k] - at[index]) <= limit)


def _deviation(found: FoundFiles, contest: _Contest, one: CineSlice) -> float | None:
    own = _images_on_grid(found, contest, one)
    beside = [_images_of(found, contest.stack, contest.stack.slices[k]) for k in contest.neighbours]
    if own is None or any(images is None for images in beside):
        return None
    return slice_deviation(own, [images for images in beside if images is not None])


def _images_of(found: FoundFiles, stack: Stack, one: CineSlice) -> Image | None:
    array = assemble(found, replace(stack, slices=(one,))).array
    return array[:, :, 0] if array.shape[2] else None


def _images_on_grid(found: FoundFiles, contest: _Contest, one: CineSlice) -> Image | None:
    """Return the images of a slice, as it was before the stack was put on one grid, at its place in the stack."""
    if one.grid is None:
        return None
    images = _images_of(found, Stack(slices=(replace(one, grid=None),), **vars(one.grid)), replace(one, grid=None))
    if images is None:
        return None
    place = contest.stack.slices[contest.index].origin
    return resample_in_plane(images, one.grid, one.origin, onto=contest.stack.grid, at=place)
