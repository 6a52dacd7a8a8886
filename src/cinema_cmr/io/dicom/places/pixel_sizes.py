"""Slices whose stated pixel size the images contradict: their neighbours show the body pixel for pixel as they do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.study import Issue
from cinema_cmr.io.dicom.files import FoundFiles
from cinema_cmr.io.dicom.header import FrameHeader
from cinema_cmr.io.dicom.pixels import assemble
from cinema_cmr.io.dicom.sort import SortedStacks
from cinema_cmr.io.dicom.stack import MIN_STACK_SLICES, CineSlice, SliceGrid, Stack
from cinema_cmr.views.slice_scale import scale_evidence

__all__ = ["without_false_pixel_sizes"]

Array = NDArray[np.float64]
Image = NDArray[np.float32]

_RATIO = 1.15
"""Ratio of pixel sizes from which images of neighbours show which is true; below, they differ as much by anatomy."""
_CLEAR = 0.1
"""Correlation lost by scaling that is clear. In 30 pairs of neighbours of ten patients of ACDC, of any part, by
which it was chosen (a script that was not kept), its median is 0.12 to 0.17 at ratios of 1.25 and 0.8 with one body
size, and it is 0.07 at most where one truly has pixels of the other size."""
_AS_LIKE = 0.1
"""Correlation by which they may be less alike than neighbours of the stated size are."""
_BESIDE_MM = 26.0
"""Two slice distances: the farthest slice that shows the same organs."""
_MINORITY = 1 / 3
"""Share of slices of false size up to which the size of the others is surely the true one."""


@dataclass(frozen=True, kw_only=True)
class _Plane:
    """A slice with its own grid, before it is put on that of its stack."""

    slice: CineSlice
    grid: SliceGrid
    along_mm: float


def without_false_pixel_sizes(
    found: FoundFiles, stacks: SortedStacks, *, sort: Callable[[FoundFiles], SortedStacks]
) -> tuple[FoundFiles, SortedStacks]:
    """Return the study with the pixel size of most slices for those that state another one and show the same body at
    the same number of pixels, with an issue.

    `sort` sorts files into stacks. No pixel is read unless slices of one direction and matrix differ in pixel size.
    """
    planes = [plane for stack in stacks.stacks for plane in _planes(stack)]
    groups: dict[tuple[object, ...], list[_Plane]] = {}
    for plane in planes:
        key = (*(round(v, 2) + 0.0 for v in plane.grid.orientation), plane.grid.rows, plane.grid.columns)
        groups.setdefault(key, []).append(plane)
    mends = [mend for own in groups.values() for mend in _false_sizes(found, own)]
    if not mends:
        return found, stacks
    headers = list(found.headers)
    for one, grid, start in mends:
        for k in one.slice.frames:
            if k is not None:
                headers[k] = _resized(headers[k], grid, start)
    mended = replace(found, headers=tuple(headers), issues=(*found.issues, _issue(mends, planes)))
    return mended, sort(mended)


_Mend = tuple[_Plane, SliceGrid, Array]
"""A slice of false size, the true grid, and a point on the line of first pixels."""


def _planes(stack: Stack) -> Iterator[_Plane]:
    for one in stack.slices:
        grid = one.grid or stack.grid
        origin = one.own_origin or one.origin
        own = replace(one, grid=grid, origin=origin, own_origin=None)
        yield _Plane(slice=own, grid=grid, along_mm=float(np.array(origin) @ grid.normal))


def _false_sizes(found: FoundFiles, planes: list[_Plane]) -> list[_Mend]:
    """Return the slices of one direction and matrix whose stated pixel size is false."""
    counts = Counter(plane.grid for plane in planes)
    usual = max(counts, key=lambda grid: counts[grid])
    true = [plane for plane in planes if plane.grid == usual]
    if len(counts) < 2 or len(true) < MIN_STACK_SLICES:
        return []
    mends: list[_Mend] = []
    for grid in counts:
        ratio = grid.pixel_spacing[0] / usual.pixel_spacing[0]
        own = [plane for plane in planes if plane.grid == grid]
        if max(ratio, 1 / ratio) >= _RATIO and _contradicted(found, own, true, ratio):
            start = np.array(true[0].slice.origin)
            mends += [(one, usual, start) for one in own]
    return mends


def _contradicted(found: FoundFiles, own: list[_Plane], true: list[_Plane], ratio: float) -> bool:
    """Return True if slices are clearly as like their neighbours pixel for pixel as those are among each other."""
    between = [pair for one in own for pair in _beside(one, true)]
    among = [pair for one in true for pair in _beside(one, true)]
    if not between or not among:
        return False
    odd, usual = (np.array([_evidence(found, *pair, ratio) for pair in some]) for some in (between, among[:6]))
    lost = np.sort(odd[:, 1])
    alike = float(np.median(odd[:, 0])) > float(np.median(usual[:, 0])) - _AS_LIKE
    return alike and float(np.median(lost)) > _CLEAR and lost[0] > 0 and float(np.median(usual[:, 1])) > 0


def _beside(one: _Plane, others: list[_Plane]) -> list[tuple[_Plane, _Plane]]:
    """Return the slice with the nearest of the others, on either side."""
    apart = sorted((abs(other.along_mm - one.along_mm), k) for k, other in enumerate(others) if other is not one)
    near = [others[k] for distance, k in apart if distance <= _BESIDE_MM]
    return [(one, other) for other in near[:2]]


def _evidence(found: FoundFiles, one: _Plane, other: _Plane, ratio: float) -> tuple[float, float]:
    images, beside = (_images(found, plane) for plane in (one, other))
    if not images.shape[2] or not beside.shape[2]:
        return 0.0, 0.0
    return scale_evidence(images[:, :, 0], beside[:, :, 0], ratio)


def _images(found: FoundFiles, plane: _Plane) -> Image:
    return assemble(found, Stack(slices=(replace(plane.slice, grid=None),), **vars(plane.grid))).array


def _resized(header: FrameHeader, grid: SliceGrid, start: Array) -> FrameHeader:
    """Return the header with the true size; the first pixel as stated or, if in line, by the centre."""
    stated = replace(grid, pixel_spacing=header.pixel_spacing)
    by_centre = stated.centre(header.position) - grid.centre((0.0, 0.0, 0.0))
    places = [np.array(header.position), by_centre]
    along = np.eye(3) - np.outer(grid.normal, grid.normal)
    nearest = min(places, key=lambda place: float(np.linalg.norm(along @ (place - start))))
    x, y, z = nearest.tolist()
    return replace(header, pixel_spacing=grid.pixel_spacing, position=(x, y, z))


def _issue(mends: list[_Mend], planes: list[_Plane]) -> Issue:
    stated = sorted({one.grid.pixel_spacing for one, _, _ in mends})
    true = sorted({grid.pixel_spacing for _, grid, _ in mends})
    false, used = (" and ".join(f"{dy:.3g} x {dx:.3g} mm" for dy, dx in sizes) for sizes in (stated, true))
    parallel = [one for one in planes if any(abs(one.grid.normal @ grid.normal) > 0.99 for _, grid, _ in mends)]
    sure = len(mends) <= _MINORITY * len(parallel)
    doubt = "" if sure else "; so many slices state it that which of the two sizes is true is unknown"
    return Issue(
        code="pixel-size-contradicted",
        severity="warning" if sure else "error",
        message=f"{len(mends)} of {len(parallel)} parallel slices state pixels of {false}, the others of {used}, but"
        " their images show the body at as many pixels as the slices beside them: the size of the others was used"
        f" for all{doubt}; look up the pixel size on the scanner",
        evidence={"n_slices": len(mends), "stated_mm": false, "used_mm": used},
    )
