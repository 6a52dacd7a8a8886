"""Conversion of Rescan's pickles to NIfTI, on explicit request; each is read by a separate, restricted process.

A pickle is a program; `datasets.plain_pickle` executes none of it. The process returns an `.npz` without objects, from
which the cines are made: voxels (z, t, y, x) of a stack or (t, y, x) of a plane, and DICOM's ImagePositionPatient,
ImageOrientationPatient and PixelSpacing.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.errors import CinemaError, GeometryError, InputError, UnreadableFileError
from cinema_cmr.core.geometry import lps_to_ras, unit
from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine
from cinema_cmr.datasets.readers import plain_pickle
from cinema_cmr.datasets.readers.rescan import VIEW_FILES
from cinema_cmr.files.leftovers import temporary_folder
from cinema_cmr.io.nifti.image import write_mask
from cinema_cmr.io.nifti.study import write_nifti_study
from cinema_cmr.io.output_folder import atomic_folder
from cinema_cmr.io.walk import paths_below

__all__ = ["ConvertedScan", "convert_rescan", "read_plain_pickle"]

_TIMEOUT_S = 600
_PLANE_MM = 8.0
"""Length of the third axis of a single plane, as the pickles have no slice thickness."""
Arrays = Mapping[str, NDArray[np.generic]]


@dataclass(frozen=True, kw_only=True)
class ConvertedScan:
    """Outcome for one folder of pickles."""

    name: str
    """Its path relative to the dataset's folder."""
    status: Literal["done", "kept", "failed"]
    """ "done", "kept" (already converted) or "failed"."""
    error: str | None = None


def convert_rescan(
    root: Path, folder: Path, *, overwrite: bool = False, report: Callable[[ConvertedScan], None] | None = None
) -> list[ConvertedScan]:
    """Write each scan under `root` as NIfTI under `folder`, in the same tree, and copy `labels.csv`.

    A scan is written atomically; a failure is reported and does not stop the others. Raises `InputError` if there is no
    pickle, or if both folders are the same.
    """
    root, folder = Path(root), Path(folder)
    if root.resolve() == folder.resolve():
        raise InputError(f"'{folder.name}' is the dataset itself; expected another output folder: change -o")
    stems = {*VIEW_FILES.values()}
    scans = sorted({path.parent for path in paths_below(root, "*.pickle") if path.stem in stems})
    if not scans:
        raise InputError(
            f"'{root.name}' has no SAX.pickle, 2C.pickle or 4C.pickle; expected the original dataset: check the path"
        )
    converted = []
    for scan in scans:
        name = scan.relative_to(root)
        converted.append(_convert_scan(scan, name.as_posix(), folder / name, overwrite=overwrite))
        if report is not None:
            report(converted[-1])
    for table in paths_below(root, "labels.csv"):
        target = folder / table.relative_to(root)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(table, target)
    return converted


def read_plain_pickle(path: Path) -> dict[str, NDArray[np.generic]]:
    """Return the arrays of a pickled dictionary, read by a process that cannot execute any of it.

    The process has no environment, an empty working folder, and limited memory and time. Raises `UnreadableFileError`
    for a pickle that contains or refers to anything but arrays and plain values.
    """
    path = Path(path).resolve()
    with temporary_folder() as folder:
        target = Path(folder) / "arrays.npz"
        command = [sys.executable, "-I", str(Path(plain_pickle.__file__).resolve()), str(path), str(target)]
        try:
            process = subprocess.run(
                command, cwd=folder, env=_environment(), capture_output=True, text=True, check=False, timeout=_TIMEOUT_S
            )
        except subprocess.TimeoutExpired as error:
            raise UnreadableFileError(
                f"'{path.name}' was not read within {_TIMEOUT_S} s; expected a small pickle of arrays: fetch the"
                " dataset again"
            ) from error
        if process.returncode != 0:
            reason = (process.stderr.strip().splitlines() or [f"exit code {process.returncode}"])[-1]
            raise UnreadableFileError(
                f"'{path.name}' is not a pickle of arrays ({reason}); expected arrays and plain values only: fetch the"
                " dataset again"
            )
        with np.load(target, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}


def _environment() -> dict[str, str]:
    """Return only the variables that Windows needs to start a process."""
    return {name: os.environ[name] for name in ("SYSTEMROOT",) if name in os.environ}


def _convert_scan(scan: Path, name: str, target: Path, *, overwrite: bool) -> ConvertedScan:
    if target.exists() and not overwrite:
        return ConvertedScan(name=name, status="kept")
    try:
        pickles = {view: path for view, stem in VIEW_FILES.items() if (path := scan / f"{stem}.pickle").exists()}
        arrays = {view: read_plain_pickle(path) for view, path in pickles.items()}
        cines = {
            view: _cine(view, view_arrays, pickles[view].name) for view, view_arrays in arrays.items() if view_arrays
        }
        if not cines:
            raise InputError(
                f"the pickles of '{name}' are empty; expected images in one of them: fetch the dataset again"
            )
        _write(scan, cines, arrays, target, overwrite=overwrite)
    except CinemaError as error:
        return ConvertedScan(name=name, status="failed", error=str(error))
    return ConvertedScan(name=name, status="done")


def _write(
    scan: Path, cines: Mapping[View, Cine], arrays: Mapping[View, Arrays], target: Path, *, overwrite: bool
) -> None:
    """Write all images of a scan and its label map, atomically."""
    masks = scan / "SAX_segs.pickle"
    with atomic_folder(target, overwrite=overwrite) as draft:
        write_nifti_study(Study(name="scan", cines=tuple(cines.values())), draft, overwrite=True)
        if masks.exists() and View.SAX in cines:
            codes = _voxels(read_plain_pickle(masks), "image_segmentation", 4, masks.name)
            order, _ = _slice_order(arrays[View.SAX])
            labels = np.ascontiguousarray(codes[order].transpose(3, 2, 0, 1)).astype(np.uint8)
            write_mask(labels, cines[View.SAX], draft / f"{View.SAX}_segs.nii.gz")


def _cine(view: View, arrays: Arrays, file: str) -> Cine:
    """Return one view on its own grid, with slices ascending along the image normal."""
    try:
        if view is not View.SAX:
            return _plane(view, arrays, file)
        voxels = _voxels(arrays, "image_voxels", 4, file)
        order, affine = _slice_order(arrays)
        array = voxels[order].transpose(3, 2, 0, 1)
    except (KeyError, IndexError, ValueError) as error:
        raise UnreadableFileError(
            f"'{file}' has no valid geometry ({error}); expected the dataset's keys: fetch it again"
        ) from error
    positions: NDArray[np.float64] = np.arange(array.shape[2]) * np.linalg.norm(affine[:3, 2])
    return _make_cine(view, array, affine, positions)


def _plane(view: View, arrays: Arrays, file: str) -> Cine:
    voxels = _voxels(arrays, "image_voxels", 3, file)
    along, down, normal = _directions(arrays)
    origin = np.asarray(arrays["ImagePositionPatient"], dtype=np.float64).reshape(-1, 3)[0]
    affine = _affine(along, down, normal * _PLANE_MM, origin)
    return _make_cine(view, voxels.transpose(2, 1, 0)[:, :, None, :], affine, np.zeros(1))


def _make_cine(
    view: View, array: NDArray[np.generic], affine: NDArray[np.float64], positions: NDArray[np.float64]
) -> Cine:
    return Cine(
        array=np.ascontiguousarray(array, dtype=np.float32), affine=affine, view=view, slice_positions_mm=positions
    )


def _voxels(arrays: Arrays, key: str, n_axes: int, file: str) -> NDArray[np.generic]:
    voxels = arrays.get(key)
    if voxels is None or voxels.ndim != n_axes or not voxels.size:
        found = "nothing" if voxels is None else f"the shape {voxels.shape}"
        raise UnreadableFileError(f"'{file}' has {found} for '{key}'; expected {n_axes} axes: fetch the dataset again")
    return voxels


def _directions(arrays: Arrays) -> tuple[NDArray[np.float64], ...]:
    """Return the steps of one pixel along a row and down a column, and the unit normal, in LPS."""
    cosines = np.asarray(arrays["ImageOrientationPatient"], dtype=np.float64).reshape(2, 3)
    down_mm, along_mm = np.asarray(arrays["PixelSpacing"], dtype=np.float64).reshape(2)
    along, down = unit(cosines[0]), unit(cosines[1])
    return along * along_mm, down * down_mm, unit(np.cross(along, down))


def _slice_order(arrays: Arrays) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return the order of slices along the normal, and the affine of the stack.

    Raises `GeometryError` for uneven gaps.
    """
    along, down, normal = _directions(arrays)
    positions = np.asarray(arrays["ImagePositionPatient"], dtype=np.float64).reshape(-1, 3)
    order = np.argsort(positions @ normal)
    steps = np.diff(positions[order], axis=0)
    if not len(steps):
        steps = normal[None] * float(arrays["SliceSpacing"])
    if np.ptp(steps, axis=0).max() > 0.01 * np.linalg.norm(steps.mean(axis=0)):
        gaps = np.linalg.norm(steps, axis=1)
        raise GeometryError(
            f"slices are {gaps.min():.2f} to {gaps.max():.2f} mm apart; expected even slices: exclude this scan"
        )
    return order, _affine(along, down, steps.mean(axis=0), positions[order[0]])


def _affine(*columns: NDArray[np.float64]) -> NDArray[np.float64]:
    affine = np.eye(4)
    affine[:3] = np.stack(columns, axis=1)
    return lps_to_ras(affine)
