"""One view opened for display: pixels, the model's labels and the corrected ones, turned as a reader expects."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.annotation import LabelMap
from cinema_cmr.core.edits import Position
from cinema_cmr.core.errors import InputError, UnreadableFileError
from cinema_cmr.core.geometry import apply_affine
from cinema_cmr.core.vocabulary import LABEL_SCHEMES, View
from cinema_cmr.core.volume import Cine
from cinema_cmr.io.nifti.image import read_nifti_grid
from cinema_cmr.io.nifti.voxels import read_voxels
from cinema_cmr.measure.quality.image_edge import RV_WALL_MM
from cinema_cmr.pipeline.restored_parts import label_scheme
from cinema_cmr.pipeline.results_folder import as_recorded
from cinema_cmr.report.display import Box, heart_box, shown
from cinema_cmr.report.record.study_record import CineRecord, StudyRecord

__all__ = ["OpenedView", "open_view", "read_codes"]

Labels = NDArray[np.uint8]
Pixels = NDArray[np.int16]

_WINDOW_PERCENTILES = (1, 99.5)
_MAX_WINDOW_VOXELS = 2_000_000
"""The window is found on so many voxels at most."""
_STRIP = 8
"""Rows that are copied at once."""
_MARGIN = 2
"""Pixels kept around the labels for the measurements."""


@dataclass(kw_only=True)
class OpenedView:
    """Images and labels of one view. All arrays are turned: x runs right, y runs down."""

    cine: Cine
    """The turned grid, with positions and times of the record; without intensities."""
    pixels: Pixels
    """(x, y, z, t) as stored: intensity = slope * pixel + intercept."""
    scaling: tuple[float, float]
    """Slope and intercept."""
    window: tuple[float, float]
    """Pixel values shown as black and white at first."""
    box: Box
    """The part around the heart."""
    place: NDArray[np.int64]
    """(x, y) of the picture -> flat index of the stored slice (x, y)."""
    stored_shape: tuple[int, int]
    scheme: str
    """Scheme of the codes that the mask may hold."""
    own: Labels | None
    """(x, y, z, t) the model's labels; None for a view without a mask."""
    labels: Labels | None
    """(x, y, z, t) as corrected."""
    extent: tuple[int, int, int, int] = (0, 0, 0, 0)
    """Left, right, top and bottom of the part that has held any label."""

    def block(self, index: int) -> bytes:
        """Return the pixels (t, y, x) of one slice, int16 little-endian."""
        return np.ascontiguousarray(self.pixels[:, :, index].transpose(2, 1, 0)).astype("<i2").tobytes()

    def label_block(self, index: int, *, own: bool = False) -> bytes:
        """Return the codes (t, y, x) of one slice, uint8, as corrected or the model's own."""
        labels = self.own if own else self.labels
        if labels is None:
            raise InputError(f"the view '{self.cine.view}' has no mask; expected a segmented view")
        return np.ascontiguousarray(labels[:, :, index].transpose(2, 1, 0)).tobytes()

    def as_stored(self, codes: Labels) -> Labels:
        """Return codes (x, y) or (x, y, ...) that are shown, on the stored grid."""
        flat = np.empty((codes.shape[0] * codes.shape[1], *codes.shape[2:]), np.uint8)
        flat[self.place.ravel()] = codes.reshape(flat.shape)
        return flat.reshape(*self.stored_shape, *codes.shape[2:])

    def as_shown(self, codes: Labels) -> Labels:
        """Return codes (x, y) or (x, y, ...) of the stored grid, as they are shown."""
        return codes.reshape(-1, *codes.shape[2:])[self.place]

    def position_of(self, x: float, y: float) -> Position:
        """Return RAS mm of a point (x, y) of the first slice's picture, whole at a pixel's centre."""
        a, b, c = apply_affine(self.cine.affine, np.array([x, y, 0.0]))
        return float(a), float(b), float(c)

    def measured_part(self, *, with_image: bool) -> tuple[Cine, LabelMap]:
        """Return the in-plane part around all labels: the rest of an image is empty, and adds to no measurement.

        It reaches so far that a heart within it is no nearer to an edge than `heart_exceeds_image` accepts.
        Without the image the cine is a grid alone. Raises `InputError` for a view without a mask.
        """
        if self.labels is None:
            raise InputError(f"the view '{self.cine.view}' has no mask; expected a segmented view")
        left, right, top, bottom = self.extent
        if right <= left or bottom <= top:
            left, right, top, bottom = 0, self.pixels.shape[0], 0, self.pixels.shape[1]
        across, down = (int(np.ceil(RV_WALL_MM / mm)) for mm in self.cine.spacing_mm[:2])
        left, right = max(0, left - across), min(self.pixels.shape[0], right + across)
        top, bottom = max(0, top - down), min(self.pixels.shape[1], bottom + down)
        affine = self.cine.affine.copy()
        affine[:3, 3] += affine[:3, 0] * left + affine[:3, 1] * top
        array = self.cine.array[left:right, top:bottom]
        if with_image:
            array = self.pixels[left:right, top:bottom] * np.float32(self.scaling[0]) + np.float32(self.scaling[1])
        codes = np.ascontiguousarray(self.labels[left:right, top:bottom])
        cine = replace(self.cine, array=array, affine=affine, has_image=with_image)
        return cine, LabelMap(array=codes, scheme=self.scheme)

    def include(self, codes: Labels) -> None:
        """Let the part that is measured hold these labels (x, y), too."""
        left, right, top, bottom = _extent(codes)
        held = self.extent
        self.extent = (min(held[0], left), max(held[1], right), min(held[2], top), max(held[3], bottom))

    @property
    def heart_mm(self) -> NDArray[np.float64] | None:
        """Centre (3,) of the model's labels, RAS mm; None without labels or orientation."""
        if self.own is None or not self.cine.orientation_known or not self.own.any():
            return None
        i, j = (self.extent[0] + self.extent[1]) / 2, (self.extent[2] + self.extent[3]) / 2
        slices = np.flatnonzero(self.own.any(axis=(0, 1, 3)))
        return apply_affine(self.cine.affine, np.array([i, j, self.cine.slice_indices[slices].mean()]))

    @property
    def n_codes(self) -> int:
        """Number of label codes, background included."""
        return 1 + max(label.code for label in LABEL_SCHEMES[self.scheme])


def open_view(
    image: Path, view: View, mask: Path | None, record: StudyRecord, *, heart_mm: NDArray[np.float64] | None = None
) -> OpenedView:
    """Open the image of a view, and the model's mask; raises as the readers of NIfTI do.

    `heart_mm` is the heart's centre (RAS mm), around which a view without labels is shown.
    """
    grid = read_nifti_grid(image, view=view)
    scheme = label_scheme(record, view)
    stored = None if mask is None else read_codes(mask, grid.shape, scheme)
    cine = _with_record(grid, record)
    raw, scaling = _read_pixels(image, grid.shape)
    picture, turned = shown(replace(cine, array=raw), stored)  # type: ignore[arg-type]  # turned as it is
    own = None if turned is None else _in_c_order(turned)
    pixels = cast(Pixels, picture.array)
    box = heart_box(picture, own, centre_mm=heart_mm)
    return OpenedView(
        cine=replace(picture, array=np.broadcast_to(np.float32(0), pixels.shape), has_image=False, source=None),
        pixels=pixels,
        scaling=scaling,
        window=_window(pixels, box),
        box=box,
        place=_places(cine),
        stored_shape=grid.shape[:2],
        scheme=scheme,
        own=own,
        labels=None if own is None else own.copy(),
        extent=(0, 0, 0, 0) if own is None else _extent(np.asarray(own.any(axis=(2, 3)))),
    )


def _in_c_order(labels: Labels) -> Labels:
    """Return labels (x, y, z, t) whose times lie beside each other, copied in strips that fit into the caches.

    Files have them the other way round: in one piece the copy takes more than twice as long.
    """
    copied = np.empty(labels.shape, labels.dtype)
    for first in range(0, labels.shape[1], _STRIP):
        copied[:, first : first + _STRIP] = labels[:, first : first + _STRIP]
    return copied


def read_codes(path: Path, shape: tuple[int, ...], scheme: str) -> Labels:
    """Read a mask (x, y, z, t) that this package wrote.

    Raises `UnreadableFileError` for one of another kind, shape or code.
    """
    header, voxels = read_voxels(path)
    codes = np.frombuffer(voxels, dtype=header.get_data_dtype())
    known = max(label.code for label in LABEL_SCHEMES[scheme])
    if codes.dtype != np.uint8 or codes.size != np.prod(shape) or codes.max(initial=0) > known:
        raise UnreadableFileError(
            f"'{path.name}' holds {codes.size} voxels of type {codes.dtype}; expected a mask of this program, with"
            f" {int(np.prod(shape))} codes from 0 to {known}: analyse the study again"
        )
    return codes.reshape(shape, order="F")


def _read_pixels(path: Path, shape: tuple[int, ...]) -> tuple[Pixels, tuple[float, float]]:
    """Return the pixels (x, y, z, t) as int16, with slope and intercept."""
    header, voxels = read_voxels(path)
    array = np.frombuffer(voxels, dtype=header.get_data_dtype()).reshape(shape, order="F")
    slope, intercept = float(header["scl_slope"]), float(header["scl_inter"])
    if not np.isfinite(slope) or slope == 0:
        slope, intercept = 1.0, 0.0
    if array.dtype == np.dtype("<i2"):
        return array, (slope, intercept)
    low, high = float(array.min()), float(array.max())
    step = max((high - low) / 32767, 1e-12)
    scaled = np.rint((array.astype(np.float32) - np.float32(low)) / np.float32(step)).astype(np.int16)
    return scaled, (slope * step, intercept + slope * low)


def _with_record(grid: Cine, record: StudyRecord) -> Cine:
    """Return the grid with the positions and times of the record, which a NIfTI header cannot hold."""
    known = next((one for one in record.cines if one.view == grid.view and _fits(one, grid)), None)
    # The picture is turned by the file's axes, whatever file the study was read from.
    return grid if known is None else replace(as_recorded(grid, known, grid), source=grid.source)


def _fits(known: CineRecord, cine: Cine) -> bool:
    return (*known.size_voxels, known.n_slices, known.n_frames) == cine.shape


def _window(pixels: Pixels, box: Box) -> tuple[float, float]:
    """Return the pixel values of the percentiles 1 and 99.5 inside the box, over slices and some of the frames."""
    inside = pixels[int(box.left) : int(np.ceil(box.right)), int(box.top) : int(np.ceil(box.bottom))]
    step = max(1, inside.size // _MAX_WINDOW_VOXELS)
    low, high = np.percentile(inside[..., :: min(step, inside.shape[3])], _WINDOW_PERCENTILES)
    return float(low), float(max(high, low + 1))


def _places(cine: Cine) -> NDArray[np.int64]:
    """Return (x, y) of the picture -> flat index of the stored slice."""
    n_x, n_y = cine.shape[:2]
    numbers = np.arange(n_x * n_y, dtype=np.int64).reshape(n_x, n_y, 1, 1)
    first = cine.select(frames=[0], slices=[0])
    turned, _ = shown(replace(first, array=numbers.astype(np.float32), source=cine.source), None)
    return np.rint(turned.array[:, :, 0, 0]).astype(np.int64)


def _extent(found: NDArray[np.generic]) -> tuple[int, int, int, int]:
    """Return left, right, top and bottom of what is not zero in (x, y), with a margin."""
    columns, rows = np.flatnonzero(found.any(axis=1)), np.flatnonzero(found.any(axis=0))
    if not columns.size:
        return found.shape[0], 0, found.shape[1], 0
    return (
        max(0, int(columns[0]) - _MARGIN),
        min(found.shape[0], int(columns[-1]) + 1 + _MARGIN),
        max(0, int(rows[0]) - _MARGIN),
        min(found.shape[1], int(rows[-1]) + 1 + _MARGIN),
    )
