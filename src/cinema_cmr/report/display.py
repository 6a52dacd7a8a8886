"""How a cine is laid out for the eye: turned the way a radiologist expects, and cropped around the heart."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.geometry import apply_affine, unit
from cinema_cmr.core.results import Prediction
from cinema_cmr.core.volume import Cine
from cinema_cmr.io.nifti.source import nifti_source

__all__ = ["Box", "heart_box", "heart_centre_mm", "shown", "window"]

Array = NDArray[np.float64]
Labels = NDArray[np.uint8]
Pixel = TypeVar("Pixel", bound=np.generic)

_MARGIN_MM = 16.0
"""Room around the heart: enough to see what touches it."""
_SIDE_MM = 230.0
"""Side of a long-axis crop around the heart's centre: ventricles, atria and some lung."""
_LEFT, _BACK, _FEET = np.array([-1.0, 0, 0]), np.array([0, -1.0, 0]), np.array([0, 0, -1.0])
_RIGHT_AND_DOWN = ((_BACK, _FEET), (_LEFT, _FEET), (_LEFT, _BACK))
"""Where a picture's right and lower edges point, for planes whose normal runs mostly along x, y or z: the
usual way to look at sagittal, coronal and transverse images."""


@dataclass(frozen=True, kw_only=True)
class Box:
    """A rectangle in a picture, in pixels from its upper left corner (a pixel's centre is at a half)."""

    left: float
    top: float
    right: float
    bottom: float

    def size(self, spacing_mm: tuple[float, float], *, longest: int) -> tuple[int, int]:
        """Width and height in screen pixels for a given longest side, millimetres the same both ways."""
        sides_mm = np.array([(self.right - self.left), (self.bottom - self.top)]) * spacing_mm
        width, height = np.maximum(1, np.rint(longest * sides_mm / sides_mm.max())).astype(int).tolist()
        return width, height


def shown(cine: Cine, labels: Labels | None) -> tuple[Cine, Labels | None]:
    """A cine (and its labels) turned for display: x runs right, y runs down.

    DICOM pixels are stored the way the scanner shows them and stay so, as does what carries no true
    orientation. A NIfTI is turned by quarters and mirrored, so that the patient's left, back and feet lie
    where they are expected.
    """
    if nifti_source(cine) is None or not cine.orientation_known:
        return cine, labels
    turn = max((_Turn(*choice) for choice in product((False, True), repeat=3)), key=lambda t: _fit(cine.affine, t))
    array = _turned(cine.array, turn)
    turned = replace(cine, array=array, affine=cine.affine @ _turn_matrix(turn, array.shape))
    return turned, None if labels is None else _turned(labels, turn)


class _Turn(NamedTuple):
    """Exchange the two axes of the picture, then mirror them."""

    swap: bool
    flip_x: bool
    flip_y: bool


def _fit(affine: Array, turn: _Turn) -> float:
    """How well a turn brings the picture's axes to where they are expected, at most 2."""
    axes = [unit(affine[:3, 0]), unit(affine[:3, 1])]
    right, down = axes[::-1] if turn.swap else axes
    expected = _RIGHT_AND_DOWN[int(np.argmax(np.abs(np.cross(axes[0], axes[1]))))]
    signs = (-1 if turn.flip_x else 1, -1 if turn.flip_y else 1)
    return float(signs[0] * right @ expected[0] + signs[1] * down @ expected[1])


def _turned(array: NDArray[Pixel], turn: _Turn) -> NDArray[Pixel]:
    picture = array.swapaxes(0, 1) if turn.swap else array
    return picture[:: -1 if turn.flip_x else 1, :: -1 if turn.flip_y else 1]


def _turn_matrix(turn: _Turn, shape: tuple[int, ...]) -> Array:
    """(4, 4), voxel indices of the turned picture (of the shape given) -> those of the stored one."""
    matrix = np.eye(4)
    if turn.flip_x:
        matrix[0, 0], matrix[0, 3] = -1, shape[0] - 1
    if turn.flip_y:
        matrix[1, 1], matrix[1, 3] = -1, shape[1] - 1
    return matrix[[1, 0, 2, 3]] if turn.swap else matrix


def heart_centre_mm(cine: Cine, prediction: Prediction | None) -> Array | None:
    """Centre (3,) of what was predicted in all frames, RAS mm; None without it or without orientation."""
    if prediction is None or not cine.orientation_known:
        return None
    i, j, z = np.nonzero((prediction.labels.array > 0).any(axis=3))
    return apply_affine(cine.affine, np.array([i.mean(), j.mean(), cine.slice_indices[z].mean()])) if len(z) else None


def heart_box(cine: Cine, labels: Labels | None, *, centre_mm: Array | None = None) -> Box:
    """The part of a picture to show, inside the image.

    A square (in mm) around all labels of all frames and slices, else around a given centre (RAS mm) projected
    onto the plane, else the whole image.
    """
    n_x, n_y = cine.array.shape[:2]
    spacing = np.array(cine.spacing_mm[:2])
    if labels is not None and labels.any():
        low, high = _extent(labels)
        side_mm = float(((high - low) * spacing).max()) + 2 * _MARGIN_MM
        centre = (low + high) / 2
    elif centre_mm is not None and cine.orientation_known:
        side_mm = _SIDE_MM
        centre = apply_affine(np.linalg.inv(cine.affine), centre_mm)[:2] + 0.5
    else:
        return Box(left=0, top=0, right=n_x, bottom=n_y)
    (left, right), (top, bottom) = (
        _within(at, side, size) for at, side, size in zip(centre, side_mm / spacing, (n_x, n_y), strict=True)
    )
    return Box(left=left, top=top, right=right, bottom=bottom)


def _extent(labels: Labels) -> tuple[Array, Array]:
    """Corners (2,) of the rectangle that holds all labels, in picture pixels."""
    found = np.argwhere(labels.any(axis=(2, 3)))
    return found.min(axis=0).astype(float), found.max(axis=0) + 1.0


def _within(centre: float, side: float, size: int) -> tuple[float, float]:
    """A stretch of length `side` around `centre`, moved (cut only if needed) to lie within 0 to `size`."""
    side = min(side, float(size))
    start = min(max(centre - side / 2, 0.0), size - side)
    return start, start + side


def window(cine: Cine, box: Box) -> tuple[float, float]:
    """Intensities shown as black and white: percentiles 1 and 99.5 inside the box over all slices and frames.

    One window for all frames, so that brightness does not flicker.
    """
    inside = cine.array[int(box.left) : int(np.ceil(box.right)), int(box.top) : int(np.ceil(box.bottom))]
    low, high = np.percentile(inside, (1, 99.5))
    return float(low), float(max(high, low + 1e-6))
