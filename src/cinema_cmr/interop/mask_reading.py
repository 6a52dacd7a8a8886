"""Masks in NIfTI, NRRD or MHA that were drawn on a DICOM study, put on its cines by their position in the patient."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.errors import GeometryError, InputError
from cinema_cmr.core.vocabulary import CHAMBER_LABELS, CINE_LABELS
from cinema_cmr.core.volume import Cine
from cinema_cmr.interop.canvas import Canvas, slice_origin
from cinema_cmr.io.names import file_stem
from cinema_cmr.io.nifti.file_names import parse_name
from cinema_cmr.io.nifti.labels import read_placed_labels

__all__ = ["add_mask_files"]

_NAMES = {label.code: label.name for label in CHAMBER_LABELS}
_VENTRICLES = tuple(label.code for label in CINE_LABELS)
_OFF_GRID = 0.2
"""Farthest a voxel of a mask may lie from a pixel of the image, in voxels."""

Grid = tuple[int, NDArray[np.intp]]
"""Slice of the cine, and the voxel of the mask at each of its pixels, (x, y, 3); -1 outside the mask."""


def add_mask_files(canvas: Canvas, paths: Sequence[Path], codes: Mapping[int, int] | None = None) -> None:
    """Add masks, translated by `codes` (file code -> our code; None for ours), to a canvas.

    A mask's position gives slices and pixels, whatever the order and direction of its axes. A mask of one frame is that
    of the frame in its name, `NAME_frame07`, counted from 0; one with all frames needs none. Raises `GeometryError` for
    a mask on another grid than every cine's, `InputError` for one whose frame is unknown, and for our code of
    an atrium in another view than a long axis; where `codes` state atria, they are background there.
    """
    for path in paths:
        canvas.source = path
        array, affine = read_placed_labels(path, codes=codes or {code: code for code in _NAMES})
        number, grids = _fitting_cine(canvas, array.shape, affine, path.name)
        if not canvas.study.cines[number].view.is_long_axis:
            array = _without_atria(array, path.name, stated=bool(codes))
        for t, frame in enumerate(_frames(canvas.study.cines[number], array.shape[3], path)):
            for k, voxels in grids:
                _add_slice(canvas, (number, k, frame), array[..., t], voxels)


def _without_atria(labels: NDArray[np.uint8], name: str, *, stated: bool) -> NDArray[np.uint8]:
    """Return the labels of a view other than a long axis; raises `InputError` for atria that were not `stated`."""
    is_known = np.isin(labels, (0, *_VENTRICLES))
    if not stated and not is_known.all():
        raise InputError(
            f"'{name}' holds the values {np.unique(labels[~is_known]).tolist()}; expected the label codes"
            f" {[0, *_VENTRICLES]} in a view that is no long axis: state the codes of the files, --codes 1=lv 2=myo"
            " 3=rv, and 4=background for what is none of these"
        )
    return np.where(is_known, labels, 0).astype(np.uint8)


def _add_slice(
    canvas: Canvas, place: tuple[int, int, int], labels: NDArray[np.uint8], voxels: NDArray[np.intp]
) -> None:
    inside = (voxels >= 0).all(axis=-1)
    found = np.where(inside, labels[tuple(np.moveaxis(voxels, -1, 0))], 0)
    for code in np.unique(found[found > 0]).tolist():
        canvas.add(place, _NAMES[code], found == code)


def _frames(cine: Cine, n_frames: int, path: Path) -> Sequence[int]:
    """Return the frame of the cine that each frame of a mask belongs to."""
    if n_frames == cine.n_frames:
        return range(n_frames)
    name = parse_name(file_stem(path))
    stated = name.frame if "frame" in file_stem(path).lower() else None
    if n_frames > 1 or stated is None or stated >= cine.n_frames:
        raise InputError(
            f"'{path.name}' has {n_frames} frames, its cine {cine.n_frames}; expected all of them, or one with its"
            " frame in the name, counted from 0: NAME_frame07.nii.gz"
        )
    return (stated,)


def _fitting_cine(
    canvas: Canvas, shape: Sequence[int], affine: NDArray[np.float64], name: str
) -> tuple[int, list[Grid]]:
    """Return the index of the first cine whose pixels a mask's voxels lie on, with their places in the mask."""
    nearest = np.inf
    for number, cine in enumerate(canvas.study):
        if cine.sources is None:
            continue
        grids, off = _grids(cine, shape, np.asarray(np.linalg.inv(affine), dtype=np.float64))
        if grids:
            return number, grids
        nearest = min(nearest, off)
    raise GeometryError(
        f"'{name}' lies on the pixels of no cine of the study (off by {nearest:.2f} voxels at least); expected a mask"
        " on the images that were drawn on: export it on the original images, without resampling"
    )


def _grids(cine: Cine, shape: Sequence[int], to_voxel: NDArray[np.float64]) -> tuple[list[Grid], float]:
    """Return the slices of a cine that a mask covers, and how far its voxels lie off the pixels, in voxels."""
    found = list(_slices(cine, to_voxel, shape))
    off = max((distance for _, _, distance in found), default=np.inf)
    return ([(k, voxels) for k, voxels, _ in found] if off <= _OFF_GRID else []), float(off)


def _slices(
    cine: Cine, to_voxel: NDArray[np.float64], shape: Sequence[int]
) -> Iterator[tuple[int, NDArray[np.intp], float]]:
    i, j = np.meshgrid(np.arange(cine.shape[0]), np.arange(cine.shape[1]), indexing="ij")
    for k in range(cine.n_slices):
        points = slice_origin(cine, k) + i[..., None] * cine.affine[:3, 0] + j[..., None] * cine.affine[:3, 1]
        places = points @ to_voxel[:3, :3].T + to_voxel[:3, 3]
        voxels = np.rint(places).astype(np.intp)
        inside = np.asarray(((voxels >= 0) & (voxels < np.asarray(shape[:3]))).all(axis=-1))
        if inside.any():
            off = float(np.abs(places - voxels)[inside].max())
            yield k, np.where(inside[..., None], voxels, -1), off
