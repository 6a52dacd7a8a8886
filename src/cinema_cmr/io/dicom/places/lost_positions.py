"""Slices whose positions an anonymiser removed, or made equal, and that their slice locations still distinguish."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace

import numpy as np

from cinema_cmr.core.errors import InputError
from cinema_cmr.core.study import Issue
from cinema_cmr.io.dicom.header import FrameHeader, position_from_location
from cinema_cmr.io.dicom.series_groups import ImageFile
from cinema_cmr.io.dicom.stack import MIN_STACK_SLICES
from cinema_cmr.io.dicom.timing import MIN_FRAMES

__all__ = ["NO_POSITION", "UNUSABLE", "restore_positions"]

UNUSABLE = "images with"
"""Beginning of the reason for which an image is left out that is one of a cine by its kind, and has no usable place."""
NO_POSITION = "no position in patient space"
_UNRELATED = f"{UNUSABLE} no position relative to the slices placed by SliceLocation"
_LOST_CINES = 5
"""Cines at one place from which, without a stack elsewhere, positions were lost: a view is repeated less often."""

_ABSURD = 0.25
"""Share of the thickness below which no cine has its slices apart: such slice locations are an index."""

Planes = dict[Hashable, list[FrameHeader]]


def restore_positions(
    images: Sequence[ImageFile], reasons: Sequence[str]
) -> tuple[list[ImageFile], list[str], list[Issue]]:
    """Return the images, the reason why each is unusable or "", and an issue on slices placed by SliceLocation.

    A stack is placed along its normal where none of its images states a position, or all state the same one. What lies
    in other planes is then left out, as its place relative to the stack is unknown. Raises `InputError` for many cines
    at one position that nothing else distinguishes, or an index alone.
    """
    planes = _planes(images)
    stated = {key: [one for one in own if not one.located] for key, own in planes.items()}
    lost = [key for key, own in planes.items() if _is_lost(own)]
    # Where other images have true positions, those without any cannot be related to them.
    if not lost or (any(stated.values()) and not any(stated[key] for key in lost)):
        _check_not_lost(stated)
        return *_without(images, reasons, lambda one: one.located, f"{UNUSABLE} {NO_POSITION}"), []
    for key in lost:
        _check_no_index(planes[key])
    placed = [replace(one, headers=tuple(_placed(h) for h in one.headers)) for one in images]
    kept, left = _without(placed, reasons, lambda one: not one.claim and _plane(one) not in lost, _UNRELATED)
    n_slices = max(len(_locations(planes[key])) for key in lost)
    return kept, left, [_issue(n_slices, equal=any(stated[key] for key in lost))]


def _planes(images: Sequence[ImageFile]) -> Planes:
    """Return the images that may be part of a cine by orientation and grid."""
    planes: Planes = defaultdict(list)
    for image in images:
        for header in image.headers:
            if not header.claim:
                planes[_plane(header)].append(header)
    return planes


def _plane(header: FrameHeader) -> Hashable:
    return tuple(round(value, 2) + 0.0 for value in header.orientation)


def _is_lost(own: Sequence[FrameHeader]) -> bool:
    """Return True for images of several slice locations without a position, or of one and the same."""
    if len({one.position for one in own if not one.located}) > 1:
        return False
    return len(_locations(own)) >= MIN_STACK_SLICES


def _locations(own: Sequence[FrameHeader]) -> set[float]:
    return {round(one.location_mm, 1) for one in own if one.location_mm is not None}


def _check_no_index(own: Sequence[FrameHeader]) -> None:
    """Raise `InputError` for slice locations that are no distances: too near each other for their thickness."""
    thicknesses = [one.thickness_mm for one in own if one.thickness_mm]
    places = sorted(_locations(own))
    step_mm = float(np.median(np.diff(places)))
    if thicknesses and step_mm < _ABSURD * float(np.median(thicknesses)):
        raise InputError(
            f"{len(places)} slices of {np.median(thicknesses):.3g} mm state no positions of their own, as after"
            f" anonymising, and slice locations {step_mm:.2g} mm apart, as of an index; expected the place of each"
            " slice in millimetres: export the study again with ImagePositionPatient"
        )


def _placed(header: FrameHeader) -> FrameHeader:
    if header.location_mm is None:
        return header
    grid = (header.orientation, header.pixel_spacing, header.rows, header.columns)
    return replace(header, position=position_from_location(header.location_mm, *grid))


def _check_not_lost(planes: Planes) -> None:
    """Raise `InputError` for many cines of one orientation at one position, without a stack of slices elsewhere."""
    if any(len({one.position for one in own}) >= MIN_STACK_SLICES for own in planes.values()):
        return
    for own in planes.values():
        times = {one.trigger_ms for one in own if one.trigger_ms is not None}
        n_cines = len(own) // max(len(times), 1)
        if len({one.position for one in own}) == 1 and len(times) >= MIN_FRAMES and n_cines >= _LOST_CINES:
            raise InputError(
                f"{n_cines} cines of one orientation state the same position, and no slice location distinguishes them,"
                " as after anonymising; expected the position of each slice: export the study again with"
                " ImagePositionPatient or SliceLocation, or pass one slice alone"
            )


def _without(
    images: Sequence[ImageFile], reasons: Sequence[str], is_unusable: Callable[[FrameHeader], bool], reason: str
) -> tuple[list[ImageFile], list[str]]:
    """Return the images without the headers of unusable ones, and the reasons with one for each of these."""
    unusable = [any(map(is_unusable, one.headers)) for one in images]
    kept = [replace(one, headers=()) if bad else one for one, bad in zip(images, unusable, strict=True)]
    claims = [one.headers[0].claim if one.headers else "" for one in images]
    found = zip(reasons, claims, unusable, strict=True)
    return kept, [(claim or reason) if bad else old for old, claim, bad in found]


def _issue(n_slices: int, *, equal: bool) -> Issue:
    what = "all slices state the same position" if equal else "no slice states a position"
    return Issue(
        code="positions-lost",
        severity="warning",
        message=f"{what}, as after anonymising; {n_slices} slices were placed along their normal by"
        " SliceLocation: which end is the base, and where other views lie, is not known from it; other views were left"
        " out",
        evidence={"n_slices": n_slices},
    )
