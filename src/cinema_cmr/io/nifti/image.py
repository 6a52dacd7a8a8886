"""Reads one NIfTI file as a cine, and writes masks and cines on exactly the same grid.

Axes keep the order of the file and nothing is flipped, so that a mask aligns with its image.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
from nibabel import Nifti1Header
from nibabel.spatialimages import HeaderDataError
from numpy.typing import NDArray

from cinema_cmr.core.annotation import LabelMap, check_same_grid
from cinema_cmr.core.errors import GeometryError, InputError, UnreadableFileError, UsageError
from cinema_cmr.core.geometry import check_affine, slice_step_mm, spacing_of
from cinema_cmr.core.study import Issue
from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine
from cinema_cmr.io.atomic import write_bytes
from cinema_cmr.io.names import file_stem
from cinema_cmr.io.nifti.axes import check_axes
from cinema_cmr.io.nifti.frame_times import frame_times
from cinema_cmr.io.nifti.header import make_header
from cinema_cmr.io.nifti.other_formats import is_other_format, read_as_nifti
from cinema_cmr.io.nifti.source import NiftiSource, nifti_source
from cinema_cmr.io.nifti.voxels import check_nifti, parse_header, read_voxels, stored_shape
from cinema_cmr.io.nominal import nominal_spacing_issue
from cinema_cmr.io.plausible import check_pixel_spacing, spacing_issue
from cinema_cmr.io.quantise import quantise_signed

__all__ = ["read_nifti_cine", "read_nifti_grid", "write_cine", "write_image", "write_mask"]

Affine = NDArray[np.float64]
Image = NDArray[np.float32]
Severity = Literal["info", "warning", "error"]

_FREE_TEXT = ("db_name", "descrip", "aux_file", "intent_name", "data_type", "unused_str", "regular")
_FREE_NUMBERS = (
    *("extents", "session_error", "glmax", "glmin", "toffset", "slice_duration"),
    *("intent_p1", "intent_p2", "intent_p3", "intent_code"),
)
"""Fields of no meaning for the grid, in which other programs have left names, dates and numbers of patients."""
_MM_PER_UNIT = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}
_CHUNK = 1 << 20
_END = 0.01
"""Share of the range of the values that counts as its lower and as its upper end."""
_BETWEEN = 0.1
"""Largest share of the voxels of a probability map between these ends; of 325 real stacks none has below 0.54."""
_HIGH_PER_BETWEEN = 0.03
_FEWEST_HIGH = 1e-4
"""Smallest share of voxels at the upper end, of those between and of all; the former is at most 0.018 in real stacks,
and few voxels that are brighter than all others, a hundredfold, are spikes."""
_CERTAIN = (1.0, 100.0, 255.0)
"""Values that programs write for a probability of one."""


def read_nifti_cine(path: Path | str, *, view: View | None = None) -> tuple[Cine, tuple[Issue, ...]]:
    """Read a 2D, 3D or 4D file (x, y, slice, time) as a cine of `view` (default SAX); also return its issues.

    The file's intensity scaling is applied; the evidence of each issue has the file's stem. Raises
    `UnreadableFileError` for a file that is truncated, is not NIfTI, or has NaN or infinite voxels; `GeometryError` for
    invalid sizes and axes; `InputError` for a label map or a blank image.
    """
    path = Path(path)
    issues: list[Issue] = []
    try:
        cine = _read(path, view or View.SAX, issues)
    except InputError as error:
        raise type(error)(f"'{path.name}': {error}") from error
    return cine, tuple(replace(i, evidence={**i.evidence, "file": file_stem(path)}) for i in issues)


def write_mask(
    labels: LabelMap | NDArray[np.uint8],
    cine: Cine,
    path: Path | str,
    *,
    note: str = "",
    overwrite: bool = False,
) -> None:
    """Write codes (x, y, z, t) on the cine's grid: shape, affine, sizes and units of its original file.

    Voxels are unscaled uint8. A cine from DICOM gets sform and qform in RAS mm, and its frame time in ms. `note`, up to
    79 ASCII characters, is the header's description. Raises `GeometryError` for another shape than the cine's,
    `OutputExistsError` if the file exists and `overwrite` is False.
    """
    labels = labels if isinstance(labels, LabelMap) else LabelMap(array=labels)
    check_same_grid(labels, cine)
    if labels.array.dtype != np.uint8:
        raise TypeError(f"label codes are {labels.array.dtype}; expected uint8")
    _write(labels.array, cine, path, note=note, overwrite=overwrite)


def write_cine(cine: Cine, path: Path | str, *, overwrite: bool = False) -> None:
    """Write the intensities as unscaled float32 on the grid of their original file, as `write_mask` does."""
    _write(np.asarray(cine.array, dtype=np.float32), cine, path, overwrite=overwrite)


def write_image(cine: Cine, path: Path | str, *, overwrite: bool = False) -> None:
    """Write the intensities as int16 on the grid of the cine's masks, lightly compressed.

    Integers are exact, other values within half a slope (`io.quantise`). Raises as `write_mask` does.
    """
    stored, slope, intercept = quantise_signed(cine.array)
    _write(stored, cine, path, scaling=(slope, intercept), level=1, overwrite=overwrite)


def read_nifti_grid(path: Path | str, *, view: View) -> Cine:
    """Return the grid of a mask or an image as a cine without intensities; raises as `read_nifti_cine` does."""
    path = Path(path)
    try:
        header = check_nifti(path)
        stored = stored_shape(header)
        shape, _ = _cine_shape(header, stored, [])
        affine, oriented = _affine(header, shape[2], [])
    except InputError as error:
        raise type(error)(f"'{path.name}': {error}") from error
    _remove_free_fields(header)
    return Cine(
        array=np.broadcast_to(np.float32(0), shape),
        affine=affine,
        view=view,
        slice_positions_mm=np.arange(shape[2], dtype=np.float64) * slice_step_mm(affine),
        orientation_known=oriented,
        has_image=False,
        source=NiftiSource(header.binaryblock, stored),
    )


def _read(path: Path, view: View, issues: list[Issue]) -> Cine:
    other = is_other_format(path)
    header, voxels = read_as_nifti(path) if other else read_voxels(path)
    stored = stored_shape(header)
    shape, step = _cine_shape(header, stored, issues)
    affine, oriented = _affine(header, shape[2], issues)
    array = _intensities(header, voxels).reshape(shape, order="F")
    issues += check_axes(array, spacing_of(affine))
    check_pixel_spacing(spacing_of(affine)[:2])
    _check_image(array, issues)
    times_ms, cycle_ms, notes = frame_times(header, array, step)
    issues += notes
    if view is View.SAX and shape[2] == 1:
        _add_issue(issues, "single-slice", "warning", "only one slice: volumes need a stack of slices")
    _remove_free_fields(header)
    cine = Cine(
        array=array,
        affine=affine,
        view=view,
        slice_positions_mm=np.arange(shape[2], dtype=np.float64) * slice_step_mm(affine),
        frame_times_ms=times_ms,
        rr_interval_ms=cycle_ms,
        orientation_known=oriented,
        label=file_stem(path),
        source=None if other else NiftiSource(header.binaryblock, stored),
    )
    nominal = nominal_spacing_issue(cine)
    issues += [] if nominal is None else [nominal]
    return cine


def _remove_free_fields(header: Nifti1Header) -> None:
    """Blank the fields that may hold something of a patient, in place."""
    for fields, blank in ((_FREE_TEXT, b""), (_FREE_NUMBERS, 0)):
        for field in set(fields) & set(header.keys()):
            header[field] = blank


def _add_issue(issues: list[Issue], code: str, severity: Severity, message: str, **evidence: float | str) -> None:
    issues.append(Issue(code=code, severity=severity, message=message, evidence=evidence))


def _cine_shape(
    header: Nifti1Header, stored: tuple[int, ...], issues: list[Issue]
) -> tuple[tuple[int, int, int, int], float]:
    """Return (x, y, z, t) and the stored time step; further axes must have length one."""
    long_axes = [axis for axis in range(3, len(stored)) if stored[axis] > 1]
    if len(long_axes) > 1:
        raise GeometryError(f"shape {stored} has more than four axes; expected (x, y, z, t): pass one channel")
    if len(stored) > 4:
        _add_issue(issues, "singleton-axes", "info", f"axes of length one in shape {stored} were dropped")
    x, y, z = (*stored, 1)[:3]
    time_axis = long_axes[0] if long_axes else 3
    n_frames = stored[time_axis] if long_axes else 1
    return (x, y, z, n_frames), float(header["pixdim"][time_axis + 1])


def _affine(header: Nifti1Header, n_slices: int, issues: list[Issue]) -> tuple[Affine, bool]:
    """Return the affine, voxel -> RAS mm, and whether it carries the patient's orientation."""
    sizes = _voxel_sizes(header, n_slices, issues)
    affine, oriented = _stored_affine(header, sizes, n_slices, issues)
    affine = check_affine(affine)
    # Cardiac planes are oblique: an axis-aligned grid at the origin was written without an orientation.
    oriented = oriented and not np.array_equal(affine, np.diag(np.diag(affine)))
    if not oriented:
        message = "the header carries no orientation; only its sizes are used"
        _add_issue(issues, "orientation-unknown", "info", message)
    unit_code = int(header["xyzt_units"]) & 7
    scale = _MM_PER_UNIT.get(unit_code, 1.0)
    if scale != 1.0:
        affine[:3] *= scale
        _add_issue(issues, "units-converted", "info", f"lengths were multiplied by {scale:g} to convert them to mm")
    _check_sizes(affine, n_slices, issues)
    return affine, oriented


def _voxel_sizes(header: Nifti1Header, n_slices: int, issues: list[Issue]) -> Affine:
    """Return the voxel sizes in `pixdim`, before any repair; raises unless they are above zero."""
    sizes = np.array(header["pixdim"][1:4], dtype=np.float64)
    for axis, size in zip("xyz", sizes, strict=True):
        if np.isfinite(size) and size > 0:
            continue
        if axis == "z" and n_slices == 1:
            sizes[2] = 1.0
            _add_issue(issues, "slice-thickness-unknown", "warning", f"slice thickness is {size:g}: 1 mm was assumed")
            continue
        raise GeometryError(f"voxel size along {axis} is {size:g}; expected above 0 mm: correct pixdim")
    return sizes


def _stored_affine(header: Nifti1Header, sizes: Affine, n_slices: int, issues: list[Issue]) -> tuple[Affine, bool]:
    qform = _qform(header, sizes) if header["qform_code"] > 0 else None
    if header["sform_code"] <= 0:
        if qform is not None:
            return qform, True
        return np.diag([-sizes[0], -sizes[1], sizes[2], 1.0]), False
    sform = np.vstack([header["srow_x"], header["srow_y"], header["srow_z"], [0, 0, 0, 1]]).astype(np.float64)
    used = 3 if n_slices > 1 else 2
    lengths = spacing_of(sform)
    if np.allclose(lengths[:used], sizes[:used], rtol=0.01):
        if qform is not None and not np.allclose(qform, sform, rtol=0, atol=0.01 * float(sizes.min())):
            _add_issue(issues, "sform-qform-differ", "warning", "sform and qform differ; the sform was used")
        return sform, True
    if np.allclose(np.abs(sform[:3, :3]), np.eye(3), atol=1e-4):
        return sform @ np.diag([*sizes, 1.0]), False
    difference = f"sform and pixdim differ in voxel size, {_numbers(lengths)} and {_numbers(sizes)}"
    _add_issue(issues, "spacing-disagrees", "warning", f"{difference} mm; the sform was used")
    return sform, True


def _qform(header: Nifti1Header, sizes: Affine) -> Affine | None:
    """Return the affine of the quaternion; None if it is not a rotation."""
    copy = header.copy()
    copy["pixdim"][1:4] = sizes
    copy["pixdim"][0] = -1 if header["pixdim"][0] < 0 else 1
    try:
        return np.asarray(copy.get_qform(), dtype=np.float64)
    except (ValueError, HeaderDataError):
        return None


def _check_sizes(affine: Affine, n_slices: int, issues: list[Issue]) -> None:
    sizes = np.array(spacing_of(affine))
    directions = affine[:3, :3] / sizes
    skew_deg = float(np.degrees(np.arcsin(min(1.0, np.abs(directions.T @ directions - np.eye(3)).max()))))
    if skew_deg > 0.05:
        message = f"axes are {skew_deg:.2g} degrees from perpendicular; not corrected"
        _add_issue(issues, "axes-not-square", "warning" if skew_deg > 1 else "info", message, skew_deg=skew_deg)
    issue = spacing_issue(sizes.tolist(), n_slices)
    issues += [] if issue is None else [issue]


def _numbers(values: Iterable[float]) -> str:
    return " x ".join(f"{value:.4g}" for value in values)


def _intensities(header: Nifti1Header, voxels: bytes | memoryview) -> Image:
    """Return flat float32 intensities with slope and intercept applied, if the header has them."""
    stored = np.frombuffer(voxels, dtype=header.get_data_dtype())
    slope, intercept = float(header["scl_slope"]), float(header["scl_inter"])
    scaled = np.isfinite(slope) and slope != 0 and (slope, intercept) != (1.0, 0.0)
    array = np.empty(stored.size, np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        for start in range(0, stored.size, _CHUNK):  # float64 of all would take several times the file's memory
            part = stored[start : start + _CHUNK]
            array[start : start + _CHUNK] = part.astype(np.float64) * slope + intercept if scaled else part
    n_bad = array.size - int(np.count_nonzero(np.isfinite(array)))
    if n_bad:
        raise UnreadableFileError(
            f"{n_bad} of {array.size} voxels are NaN or infinite; expected finite values: export it again"
        )
    return array


def _check_image(array: Image, issues: list[Issue]) -> None:
    low, high = float(array.min()), float(array.max())
    if low == high:
        raise InputError(f"every voxel is {low:g}; expected an image: export it again")
    coded = low >= 0 and high <= 10 and np.array_equal(array, np.rint(array))
    if coded or bool(((array == low) | (array == high)).all()):
        raise InputError(
            f"its values ({low:g} to {high:g}) are those of a label map; expected an image: pass the one it was drawn"
            " on"
        )
    if _is_probability(array, low, high):
        raise InputError(
            f"nearly all of its values ({low:g} to {high:g}) lie at either end, as in a map of probabilities; expected"
            " an image: pass the one that the map was predicted from"
        )
    blank = array.max(axis=(0, 1)) == array.min(axis=(0, 1))
    if blank.any():
        n_blank = int(blank.sum())
        _add_issue(issues, "blank-images", "warning", f"{n_blank} of {blank.size} images are blank", images=n_blank)


def _is_probability(array: Image, low: float, high: float) -> bool:
    """Return True for values that are none or certainty nearly everywhere, and certainty not by chance.

    Where no voxel is quite certain, of a map from 0 to 1, the highest value stands for certainty.
    """
    if low < 0 or not (high <= 1 or any(abs(high - one) < _END * one for one in _CERTAIN)):
        return False
    sampled, margin = array[::2, ::2], _END * (high - low)
    highest = float(np.mean(sampled >= high - margin))
    if highest < _FEWEST_HIGH:
        return False
    between = 1.0 - float(np.mean(sampled <= low + margin)) - highest
    return between <= _BETWEEN and highest >= _HIGH_PER_BETWEEN * between


def _write(
    array: NDArray[np.number],
    cine: Cine,
    path: Path | str,
    *,
    note: str = "",
    scaling: tuple[float, float] = (1, 0),
    level: int = 6,
    overwrite: bool,
) -> None:
    path = Path(path)
    if not path.name.lower().endswith((".nii", ".nii.gz")):
        raise UsageError(f"'{path.name}' is not a NIfTI file name; expected .nii or .nii.gz: rename it")
    source = nifti_source(cine)
    header = make_header(cine) if source is None else parse_header(source.header)
    shape = _shape_to_write(cine)
    header["dim"] = [len(shape), *shape, *[1] * (7 - len(shape))]
    header.set_data_dtype(array.dtype)
    header["scl_slope"], header["scl_inter"] = scaling
    header["cal_min"] = header["cal_max"] = header["intent_code"] = 0
    header["descrip"] = note.encode("ascii") or header["descrip"]
    header["vox_offset"] = len(header.binaryblock) + 4
    voxels = array.astype(header.get_data_dtype()).tobytes(order="F")
    content = header.binaryblock + b"\0\0\0\0" + voxels
    packed = path.name.lower().endswith(".gz")
    write_bytes(path, gzip.compress(content, level, mtime=0) if packed else content, overwrite=overwrite)


def _shape_to_write(cine: Cine) -> tuple[int, ...]:
    """Return the shape in the original file if it still fits; else (x, y, z) or (x, y, z, t)."""
    source = nifti_source(cine)
    if source is not None and [n for n in source.shape if n > 1] == [n for n in cine.array.shape if n > 1]:
        return source.shape
    return cine.array.shape if cine.n_frames > 1 else cine.array.shape[:3]
