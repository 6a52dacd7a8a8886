"""The pictures of the report: all frames of a slice in one small WebP, outlines as SVG paths over them."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cinema_cmr.core.vocabulary import CHAMBER_LABELS, CINE_LABELS, SCAR_LABELS
from cinema_cmr.core.volume import Cine
from cinema_cmr.measure.contours import loops, smooth_masks
from cinema_cmr.report.display import Box, Labels, window
from cinema_cmr.report.outlines import path_text, resampled

__all__ = ["UNITS_PER_PIXEL", "Film", "Tile", "film", "outline_paths"]

UNITS_PER_PIXEL = 4
"""Outline coordinates are whole numbers of quarter pixels."""

_STEP_PIXELS = 3.0
_PIXEL_BUDGET = 6_400_000
"""All frames of all slices of one view: some 600 kB as WebP."""
_QUALITY = 72
_N_ENCODERS = 2
"""Threads that resample and encode frames, most of it outside Python's lock, while outlines are drawn."""
_EDGE = 1
"""Pixels around each frame, so that smoothing on the screen does not mix it with the frame beside it."""


@dataclass(frozen=True, kw_only=True)
class Tile:
    """All frames of one slice."""

    slice_index: int
    position_mm: float
    source: str
    """`data:` address of the frames, row by row on a sheet of `Film.columns`."""
    paths: Mapping[str, tuple[str, ...]]
    """Outline name -> one SVG path a frame, empty where the structure is not; empty without labels."""


@dataclass(frozen=True, kw_only=True)
class Film:
    """One view ready to be shown: `width` x `height` screen pixels a frame."""

    width: int
    height: int
    columns: int
    frames: tuple[int, ...]
    """Frame indices of the cine, in the order of the sheet."""
    tiles: tuple[Tile, ...]

    @property
    def sheet(self) -> tuple[int, int]:
        """Width and height of the sheet in pixels, edges included."""
        rows = math.ceil(len(self.frames) / self.columns)
        return self.columns * (self.width + 2 * _EDGE), rows * (self.height + 2 * _EDGE)

    def offset(self, index: int) -> tuple[int, int]:
        """Where the sheet's corner lies when the frame at a place in `frames` fills the picture."""
        row, column = divmod(index, self.columns)
        return -(column * (self.width + 2 * _EDGE) + _EDGE), -(row * (self.height + 2 * _EDGE) + _EDGE)


def film(
    cine: Cine,
    labels: Labels | None,
    *,
    box: Box,
    frames: Sequence[int],
    longest: int,
    quality: int = _QUALITY,
    scheme: str = "cine",
) -> Film:
    """The frames asked for of a cine turned for display (`display.shown`), cropped to the box.

    `labels` hold codes of `scheme`. `longest` bounds a frame's longer side in screen pixels; many frames and
    slices are shown smaller, so that the report stays of a size to send.
    """
    budget = math.sqrt(_PIXEL_BUDGET / (len(frames) * cine.n_slices))
    width, height = box.size(cine.spacing_mm[:2], longest=min(longest, int(budget)))
    columns = math.ceil(math.sqrt(len(frames) * height / width))
    limits = window(cine, box)

    def sheet(z: int) -> str:
        pictures = [_picture(cine.array[:, :, z, t], box, size=(width, height), limits=limits) for t in frames]
        return _sheet_source(pictures, columns, quality=quality)

    paths: dict[str, list[tuple[str, ...]]] = {}
    with ThreadPoolExecutor(_N_ENCODERS) as encoders:
        sources = encoders.map(sheet, range(cine.n_slices))
        if labels is not None:
            paths = outline_paths(labels[..., list(frames)], box, (width, height), scheme=scheme)
        tiles = tuple(
            Tile(
                slice_index=z,
                position_mm=float(cine.slice_positions_mm[z]),
                source=source,
                paths={name: per_slice[z] for name, per_slice in paths.items()},
            )
            for z, source in enumerate(sources)
        )
    return Film(width=width, height=height, columns=columns, frames=tuple(frames), tiles=tiles)


def _picture(
    plane: NDArray[np.float32], box: Box, *, size: tuple[int, int], limits: tuple[float, float]
) -> NDArray[np.uint8]:
    """One frame (x, y) -> (rows, columns) of grey, resampled smoothly, with its edge repeated outside."""
    whole = Image.fromarray(np.ascontiguousarray(plane.T, dtype=np.float32))
    part = whole.resize(size, Image.Resampling.BICUBIC, box=(box.left, box.top, box.right, box.bottom))
    low, high = limits
    grey = np.clip((np.asarray(part) - low) / (high - low) * 255, 0, 255).astype(np.uint8)
    return np.pad(grey, _EDGE, mode="edge")


def _sheet_source(pictures: Sequence[NDArray[np.uint8]], columns: int, *, quality: int) -> str:
    height, width = pictures[0].shape
    sheet = np.zeros((math.ceil(len(pictures) / columns) * height, columns * width), np.uint8)
    for index, picture in enumerate(pictures):
        row, column = divmod(index, columns)
        sheet[row * height : (row + 1) * height, column * width : (column + 1) * width] = picture
    buffer = io.BytesIO()
    Image.fromarray(sheet).save(buffer, "WEBP", quality=quality, method=2)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def outline_paths(
    labels: Labels, box: Box, size: tuple[int, int], *, scheme: str = "cine"
) -> dict[str, list[tuple[str, ...]]]:
    """SVG paths of each structure: name -> slice -> frame, from labels (x, y, z, t) in picture pixels.

    Coordinates are whole numbers of 1 / `UNITS_PER_PIXEL` screen pixels from the box's upper left corner.
    """
    left, top = int(box.left), int(box.top)
    labels = labels[left : math.ceil(box.right), top : math.ceil(box.bottom)]
    corner = (box.left - left, box.top - top)
    scale = (size[0] / (box.right - box.left), size[1] / (box.bottom - box.top))
    return {name: _paths_of(mask, corner, scale) for name, mask in _OUTLINED[scheme](labels).items()}


def _outlined_cine(labels: Labels) -> dict[str, NDArray[np.bool_]]:
    codes = {label.name: label.code for label in CINE_LABELS}
    wall = labels == codes["myo"]
    # Without any myocardium an outline around the cavity alone would pretend that there is one.
    whole = (wall | (labels == codes["lv"])) & wall.any(axis=(0, 1))
    return {"rv": labels == codes["rv"], "myo": whole, "lv": labels == codes["lv"]}


def _outlined_chambers(labels: Labels) -> dict[str, NDArray[np.bool_]]:
    codes = {label.name: label.code for label in CHAMBER_LABELS}
    return {**_outlined_cine(labels), **{name: labels == codes[name] for name in ("la", "ra")}}


def _outlined_scar(labels: Labels) -> dict[str, NDArray[np.bool_]]:
    codes = {label.name: label.code for label in SCAR_LABELS}
    core = labels == codes["no_reflow"]
    lesion = core | (labels == codes["infarct"])
    cavity = labels == codes["lv_cavity"]
    wall = lesion | (labels == codes["myo_normal"])
    return {"myo": (wall | cavity) & wall.any(axis=(0, 1)), "lv": cavity, "infarct": lesion, "no_reflow": core}


_OUTLINED = {"cine": _outlined_cine, "chambers": _outlined_chambers, "scar": _outlined_scar}


def _paths_of(
    mask: NDArray[np.bool_], corner: tuple[float, float], scale: tuple[float, float]
) -> list[tuple[str, ...]]:
    fields = smooth_masks(mask)
    n_slices, n_frames = mask.shape[2:]

    def path(z: int, t: int) -> str:
        curves = [(curve + 0.5 - corner) * scale for curve in loops(fields[:, :, z, t].T)]
        return path_text([resampled(curve, step=_STEP_PIXELS) * UNITS_PER_PIXEL for curve in curves])

    return [tuple(path(z, t) for t in range(n_frames)) for z in range(n_slices)]
