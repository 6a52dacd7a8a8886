"""Reference label maps read from NIfTI, NRRD or MHA, with their codes translated to ours."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError, SpatialImage
from numpy.typing import NDArray

from cinema_cmr.core.errors import CinemaError, GeometryError, InputError, UnreadableFileError
from cinema_cmr.core.geometry import corner_distance_mm, spacing_of
from cinema_cmr.io.names import is_nifti_name
from cinema_cmr.io.nifti.label_axes import LabelAxes
from cinema_cmr.io.nifti.other_formats import is_other_format, read_as_nifti
from cinema_cmr.io.nifti.segment_extent import is_segmentation, on_whole_grid
from cinema_cmr.io.nifti.voxels import check_nifti

__all__ = ["read_label_codes", "read_label_shape", "read_placed_labels"]

_NIFTI_1_BYTES = 348
_DAMAGED = (ImageFileError, HeaderDataError, EOFError, OSError, ValueError, OverflowError, zlib.error)
"""Exceptions raised for damaged bytes; the overflow is of a negative extent."""


def read_label_shape(path: Path | str) -> tuple[int, int, int, int]:
    """Return the shape (x, y, z, t) in a label map's header, without reading voxels.

    Raises `UnreadableFileError` for a damaged file, `GeometryError` for more than four axes.
    """
    path = Path(path)
    shape = tuple(int(n) for n in _open(path).shape)
    if not 2 <= len(shape) <= 4:
        raise GeometryError(
            f"'{path.name}' has shape {shape}; expected two to four axes, (x, y, z, t): export it again"
        )
    x, y, z, t = (*shape, 1, 1)[:4]
    return x, y, z, t


def read_label_codes(
    path: Path | str,
    shape: tuple[int, ...],
    *,
    codes: Mapping[int, int],
    image_header: bytes | None = None,
    placed: bool = True,
) -> NDArray[np.uint8]:
    """Read the label map of an image of `shape` (x, y, z, t), translated by `codes` (file code -> our code).

    Background is 0 in both. With the image's header (`stored_header`), both files must also agree in position, to
    half a voxel; a label map whose axes are stored in another order or direction is returned on those of the image, and
    a segmentation of 3D Slicer on a part of the image's grid on all of it. If the image's position is meaningless (not
    `placed`), they must agree in voxel size only. Raises `GeometryError` for another grid than the image's,
    `InputError` for values that are not in `codes`, `UnreadableFileError` for a damaged file.
    """
    path = Path(path)
    image = _open(path)
    reference = None if image_header is None else _header(image_header)
    place = reference.get_best_affine() if reference is not None and placed else None
    if place is not None and is_segmentation(path):
        image = on_whole_grid(image, place, tuple(shape))
    axes = LabelAxes.of(image, place)
    values = _values(path.name, image, tuple(shape), axes)
    if reference is not None:
        _check_place(path.name, axes, reference, shape, placed=placed)
    return _translated(path.name, values, codes)


def read_placed_labels(path: Path | str, *, codes: Mapping[int, int]) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Read a label map (x, y, z, t) without its image, translated by `codes`, and its affine, voxel -> RAS mm.

    Raises as `read_label_codes` does, and `GeometryError` for a file that states no position.
    """
    path = Path(path)
    shape = read_label_shape(path)
    image = _open(path)
    header, axes = image.header, LabelAxes.of(image, None)
    values, affine = _values(path.name, image, shape, axes), axes.affine
    placed = is_other_format(path) or bool(header["sform_code"]) or bool(header["qform_code"])
    if not placed or not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) == 0:
        raise GeometryError(
            f"'{path.name}' states no position in the patient; expected a mask that was exported with the image's"
            " affine: export it again"
        )
    return _translated(path.name, values, codes), affine


def _translated(
    name: str, values: NDArray[np.float32] | NDArray[np.uint8], codes: Mapping[int, int]
) -> NDArray[np.uint8]:
    table = {0: 0, **codes}
    found = np.flatnonzero(np.bincount(values.reshape(-1))) if values.dtype == np.uint8 else np.unique(values)
    unknown = [value for value in found.tolist() if value not in table]
    if unknown:
        raise InputError(
            f"'{name}' holds the values {unknown[:8]}; expected the label codes {sorted(table)}: state the codes of the"
            " files, --codes 1=lv 2=myo 3=rv, and 4=background for what is none of these"
        )
    if values.dtype == np.uint8:
        lookup = np.array([table.get(code, 0) for code in range(256)], np.uint8)
        return np.asarray(lookup[values])
    translated = np.zeros(values.shape, np.uint8)
    for code in found:
        translated[values == code] = table[int(code)]
    return translated


def _header(block: bytes) -> nib.Nifti1Header:
    header_type = nib.Nifti1Header if len(block) == _NIFTI_1_BYTES else nib.Nifti2Header
    return header_type(block, check=False)


def _check_place(
    name: str, axes: LabelAxes, reference: nib.Nifti1Header, shape: tuple[int, ...], *, placed: bool
) -> None:
    """Raise `GeometryError` for different voxel sizes, or a corner more than half a voxel from the image's."""
    used = [axis for axis in range(3) if shape[axis] > 1]
    # Some files, such as ACDC's, have their voxel sizes here only and not in the affine.
    sizes, image_sizes = axes.sizes_on_image_mm[used], np.abs(reference["pixdim"][1:4])[used]
    image_affine = reference.get_best_affine()
    distance_mm = corner_distance_mm(axes.affine_on_image, image_affine, shape)
    if not np.allclose(sizes, image_sizes, rtol=0.01):
        raise GeometryError(
            f"'{name}' has voxels of {sizes.tolist()} mm, its image of {image_sizes.tolist()} mm; expected"
            " a mask on the image's grid: export it again with the image's header"
        )
    if placed and not distance_mm <= min(spacing_of(image_affine)) / 2:
        raise GeometryError(
            f"'{name}' lies up to {distance_mm:.1f} mm from its image, with the same shape; expected a mask on the"
            " image's grid: export it again with the image's affine"
        )


def _values(
    name: str, image: SpatialImage, shape: tuple[int, ...], axes: LabelAxes
) -> NDArray[np.float32] | NDArray[np.uint8]:
    """Return the values (x, y, z, t) with the file's scaling applied; of another shape nothing is unpacked.

    Integers of 0 to 255 are uint8, which is ten times faster to look through than float32.
    """
    if axes.shape_on_image != shape:
        raise GeometryError(
            f"'{name}' has shape {image.shape}, its image {shape}; expected a mask on the image's grid: export it again"
        )
    try:
        values = np.asanyarray(image.dataobj)
        small = values.dtype == np.uint8 or (values.dtype.kind in "iu" and values.min() >= 0 and values.max() <= 255)
        return axes.apply(values.astype(np.uint8 if small else np.float32, copy=False))
    except _DAMAGED as error:
        raise UnreadableFileError(
            f"'{name}' is not a readable label map ({_reason(error)}); expected a complete file: copy it again"
        ) from error


def _open(path: Path) -> SpatialImage:
    try:
        if is_other_format(path):
            return _from_other_format(path)
        if is_nifti_name(path):
            check_nifti(path)
        return nib.load(path)
    except (*_DAMAGED, InputError) as error:
        raise UnreadableFileError(
            f"'{path.name}' is not a readable label map ({_reason(error)}); expected a complete file: copy it again"
        ) from error


def _from_other_format(path: Path) -> SpatialImage:
    """Return a NRRD or MHA label map as an image in memory."""
    header, voxels = read_as_nifti(path)
    array = np.frombuffer(voxels, "<f4").reshape(header.get_data_shape(), order="F")
    return nib.Nifti1Image(array, header.get_best_affine(), header)


def _reason(error: Exception) -> str:
    """Return our own words on an unreadable file: those of other packages quote values and paths."""
    return str(error) if isinstance(error, CinemaError) else type(error).__name__
