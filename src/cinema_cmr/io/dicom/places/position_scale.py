"""Positions in another unit than millimetres, or with steps of another size than slice location and distance state.

A stack exported in centimetres, or with an index in place of the position, has its slices so near each other that they
would be taken for repeats. SliceLocation and SpacingBetweenSlices are independent of the position: where they agree
with each other and not with the positions, they are right.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.errors import InputError
from cinema_cmr.core.study import Issue
from cinema_cmr.io.dicom.header import FrameHeader
from cinema_cmr.io.dicom.series_groups import ImageFile

__all__ = ["scaled_positions"]

Array = NDArray[np.float64]

_UNITS = {10.0: "centimetres", 1000.0: "metres"}
_MIN_POSITIONS = 5
"""Fewest positions of a stack that show a step."""
_SAME_MM = 1.0
"""Largest deviation of a slice location from the line of the others, by rounding and breathing."""
_DISTINCT_MM = 0.005
_EVEN = 0.1
"""Largest deviation of a step from the median of evenly spaced positions, as a share."""
_AGREES = 0.03
_DISAGREES = 0.1
"""Differences of a step from the stated distance, as a share, below which it agrees and above which it does not."""
_PILED = 0.5
"""Share of thickness and stated distance below which slices of another series would pass as repeats."""
_ABSURD = 0.25
"""Share of the thickness below which no cine has its slices apart."""
_BY_THICKNESS = (0.9, 1.6)
"""Distance of cine slices as a share of their thickness."""


@dataclass(frozen=True, kw_only=True)
class _Mend:
    """What is wrong with the positions of a stack: a factor for each image, or places along the normal."""

    members: NDArray[np.int64]
    """Indices of the images' headers."""
    along_mm: Array | None = None
    """(n,) true place of each along the normal."""
    factor: float = 1.0
    by: str = "SliceLocation"
    step_mm: float = 0.0
    true_step_mm: float = 0.0
    whole: bool = True
    """Whether it is true of all images of the stack."""


def scaled_positions(images: Sequence[ImageFile]) -> tuple[list[ImageFile], list[Issue]]:
    """Return the images with positions in mm and with the true steps, and an issue where these were not as stated.

    Images of one orientation at five or more positions are judged. If all of a stack are in another unit, so are those
    of the other planes. Raises `InputError` for slices of several series piled upon each other whose true distance
    nothing states.
    """
    headers = [header for image in images for header in image.headers]
    planes: dict[Hashable, list[int]] = defaultdict(list)
    for k, header in enumerate(headers):
        if not header.located and not header.claim:
            planes[tuple(round(value, 2) + 0.0 for value in header.orientation)].append(k)
    mends = [mend for own in planes.values() if (mend := _mend(headers, np.array(own))) is not None]
    if not mends:
        return list(images), []
    moved = dict(enumerate(headers))
    for mend in mends:
        moved.update(_moved(headers, mend))
    units = {mend.factor for mend in mends if mend.along_mm is None and mend.whole}
    if len(units) == 1 and all(mend.whole for mend in mends):
        done = {int(k) for mend in mends for k in mend.members}
        moved.update({k: _times(one, *units) for k, one in enumerate(headers) if k not in done and not one.located})
    rest = iter(moved[k] for k in range(len(headers)))
    placed = [replace(image, headers=tuple(next(rest) for _ in image.headers)) for image in images]
    return placed, [_issue(mend, headers) for mend in mends]


def _mend(headers: Sequence[FrameHeader], members: NDArray[np.int64]) -> _Mend | None:
    normal = headers[members[0]].normal
    along = np.array([headers[k].position for k in members]) @ normal
    steps = _steps(along)
    if len(steps) + 1 < _MIN_POSITIONS:
        return None
    locations = [headers[k].location_mm for k in members]
    if None not in locations:
        return _mend_by_location(headers, members, along, np.array(locations, dtype=np.float64))
    return _mend_by_distance(headers, members, along)


def _steps(along: Array) -> Array:
    """Return the steps between distinct places, ascending."""
    steps = np.diff(np.sort(along))
    distinct: Array = steps[steps > _DISTINCT_MM]
    return distinct


def _mend_by_location(
    headers: Sequence[FrameHeader], members: NDArray[np.int64], along: Array, locations: Array
) -> _Mend | None:
    """Return the mend of positions that differ from the slice locations, as far as those are the true ones."""
    for sign in (1.0, -1.0):
        if np.ptp(sign * locations - along) < _SAME_MM:
            return None
    for factor in _UNITS:
        for sign in (1.0, -1.0):
            off = _offsets(sign * locations, along, factor)
            if off is not None and _plausible(headers, members, _steps(locations)):
                return _Mend(members=members[off], factor=factor, whole=bool(off.all()))
    if len(_steps(locations)) + 1 < _MIN_POSITIONS:
        return _mend_by_distance(headers, members, along)
    slope, start = np.polyfit(along, locations, 1)
    step, true_step = (float(np.median(_steps(values))) for values in (along, locations))
    on_line = np.abs(slope * along + start - locations).max() < _SAME_MM
    if not on_line or not _plausible(headers, members, _steps(locations)) or abs(step / true_step - 1) < _DISAGREES:
        return None
    places = np.sign(slope) * locations
    anchor = int(np.abs(places - along).argmin())
    return _Mend(
        members=members, along_mm=places - places[anchor] + along[anchor], step_mm=step, true_step_mm=true_step
    )


def _offsets(locations: Array, along: Array, factor: float) -> NDArray[np.bool_] | None:
    """Return which positions are in a unit of `factor` mm; None unless all then lie on the line of the locations."""
    scaled, plain = locations - factor * along, locations - along
    for start in (0.0, float(np.median(scaled)), float(np.median(plain))):
        is_plain, is_scaled = np.abs(plain - start) < _SAME_MM, np.abs(scaled - start) < _SAME_MM
        wrong = is_scaled & ~is_plain
        if (is_scaled | is_plain).all() and wrong.any():
            # One near the origin is the same in both units.
            return is_scaled if is_scaled.all() else wrong
    return None


def _plausible(headers: Sequence[FrameHeader], members: NDArray[np.int64], steps: Array) -> bool:
    """Return True if the steps are the stated distance of slices or, without one, suit their thickness."""
    if not len(steps):
        return False
    step, distance, thickness = float(np.median(steps)), *_stated(headers, members)
    if distance:
        return abs(step / distance - 1) < _AGREES
    return thickness is not None and _BY_THICKNESS[0] <= step / thickness <= _BY_THICKNESS[1]


def _stated(headers: Sequence[FrameHeader], members: NDArray[np.int64]) -> tuple[float | None, float | None]:
    """Return the distance of slices and their thickness as far as stated; a smaller distance is a gap between them."""
    distances = [value for k in members if (value := headers[k].spacing_between_mm)]
    thicknesses = [value for k in members if (value := headers[k].thickness_mm)]
    distance = float(np.median(distances)) if distances else None
    thickness = float(np.median(thicknesses)) if thicknesses else None
    return (None if distance and thickness and distance < _PILED * thickness else distance), thickness


def _mend_by_distance(headers: Sequence[FrameHeader], members: NDArray[np.int64], along: Array) -> _Mend | None:
    """Return the mend of even positions whose slices would lie upon each other, by the stated distance."""
    steps = _steps(along)
    step, distance, thickness = float(np.median(steps)), *_stated(headers, members)
    series = {headers[k].series_number for k in members}
    if thickness is None or step >= _PILED * thickness or np.abs(steps / step - 1).max() > _EVEN:
        return None
    true_step = distance or 10 * step
    unit = next((unit for unit in _UNITS if abs(true_step / (unit * step) - 1) < _AGREES), None)
    if unit and _plausible(headers, members, unit * steps):
        return _Mend(members=members, factor=unit, by="the stated distance or thickness of the slices")
    if distance and step < _PILED * distance:
        return _Mend(
            members=members,
            along_mm=along[0] + (along - along[0]) * distance / step,
            by="the stated distance of the slices",
            step_mm=step,
            true_step_mm=distance,
        )
    if step < _ABSURD * thickness and len(series) >= _MIN_POSITIONS:
        raise InputError(
            f"{len(steps) + 1} slices of {thickness:g} mm lie {step:.2g} mm apart by ImagePositionPatient, and neither"
            " SliceLocation nor SpacingBetweenSlices states their distance; expected positions in millimetres: export"
            " the study again"
        )
    return None


def _moved(headers: Sequence[FrameHeader], mend: _Mend) -> dict[int, FrameHeader]:
    if mend.along_mm is None:
        return {int(k): _times(headers[k], mend.factor) for k in mend.members}
    moved = {}
    for k, along in zip(mend.members, mend.along_mm, strict=True):
        position, normal = np.array(headers[k].position), headers[k].normal
        x, y, z = (position + (along - position @ normal) * normal).tolist()
        moved[int(k)] = replace(headers[k], position=(x, y, z))
    return moved


def _times(header: FrameHeader, factor: float) -> FrameHeader:
    x, y, z = (factor * value for value in header.position)
    return replace(header, position=(x, y, z))


def _issue(mend: _Mend, headers: Sequence[FrameHeader]) -> Issue:
    n_places = len({headers[k].position for k in mend.members})
    if mend.along_mm is None:
        what = f"the positions of {n_places} slices are in {_UNITS[mend.factor]} by {mend.by}; they were read so"
    else:
        what = (
            f"{n_places} slices lie {mend.step_mm:.2g} mm apart by their positions and {mend.true_step_mm:.2g} mm by"
            f" {mend.by}, with which they were placed along their normal; where other views lie relative to them is"
            " uncertain"
        )
    return Issue(
        code="positions-rescaled",
        severity="warning",
        message=f"{what}: make sure that this is right",
        evidence={"n_slices": n_places, "by": mend.by, "factor": mend.factor},
    )
