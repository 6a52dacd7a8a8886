"""Rescan's pickles to NIfTI: asked for by name, each read by a process of its own that knows arrays only.

A pickle is a program; `datasets.plain_pickle` runs none of it. What the process hands back is an `.npz` without
objects, from which the cines are made: voxels (z, t, y, x) of a stack or (t, y, x) of a plane, and DICOM's
ImagePositionPatient, ImageOrientationPatient and PixelSpacing.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.errors import CinemaError, GeometryError, InputError, UnreadableFileError
from cinema_cmr.core.geometry import lps_to_ras, unit
from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine
from cinema_cmr.datasets import plain_pickle
from cinema_cmr.datasets.rescan import VIEW_FILES
from cinema_cmr.io.nifti.image import write_mask
from cinema_cmr.io.nifti.study import write_nifti_study
from cinema_cmr.io.output_folder import atomic_folder
from cinema_cmr.io.walk import paths_below

__all__ = ["ConvertedScan", "convert_rescan", "read_plain_pickle"]

_TIMEOUT_S = 600
_PLANE_MM = 8.0
"""Length of the third axis of a single plane, of which the pickles tell no thickness."""
Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, kw_only=True)
class ConvertedScan:
    """What became of one folder of pickles."""

    name: str
    """Its path below the dataset's folder."""
    status: str
    """"done", "kept" (there before) or "failed"."""
    error: str | None = None


def convert_rescan(
    root: Path, folder: Path, *, overwrite: bool = False, report: Callable[[ConvertedScan], None] | None = None
) -> list[ConvertedScan]:
    """Write each scan under `root` as NIfTI under `folder`, in the same tree, and copy `labels.csv`.

    A scan is written whole or not at all; one that cannot be converted is told and stops nothing. Raises
    `InputError` where there is no pickle, or where both folders are one.
    """
    root, folder = Path(root), Path(folder)
    if root.resolve() == folder.resolve():
        raise InputError(f"'{folder.name}' is the dataset itself; give another folder to write to")
    stems = {*VIEW_FILES.values()}
    scans = sorted({path.parent for path in paths_below(root, "*.pickle") if path.stem in stems})
    if not scans:
        raise InputError(f"'{root.name}' has no SAX.pickle, 2C.pickle or 4C.pickle; expected the dataset as it comes")
    converted = []
    for scan in scans:
        name = scan.relative_to(root)
        converted.append(_converted(scan, name.as_posix(), folder / name, overwrite=overwrite))
        if report is not None:
            report(converted[-1])
    for table in paths_below(root, "labels.csv"):
        target = folder / table.relative_to(root)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(table, target)
    return converted


def read_plain_pickle(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of a pickled dictionary, read by a process that can run nothing of it.

    The process has no environment, an empty folder for its own, and bounded memory and time. Raises
    `UnreadableFileError` for a pickle that holds or asks for anything but arrays and plain values.
    """
    path = Path(path).resolve()
    with TemporaryDirectory(prefix="cinema-") as home:
        target = Path(home) / "arrays.npz"
        command = [sys.executable, "-I", str(Path(plain_pickle.__file__).resolve()), str(path), str(target)]
        try:
            done = subprocess.run(
                command, cwd=home, env=_environment(), capture_output=True, text=True, check=False, timeout=_TIMEOUT_S
            )
        except subprocess.TimeoutExpired as error:
            raise UnreadableFileError(f"'{path.name}' was not read in {_TIMEOUT_S} s; it was given up") from error
        if done.returncode != 0:
            why = (done.stderr.strip().splitlines() or [f"its process ended with {done.returncode}"])[-1]
            raise UnreadableFileError(f"'{path.name}' is no pickle of arrays: {why}; it was not read further")
        with np.load(target, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}


def _environment() -> dict[str, str]:
    """Nothing but what Windows needs to start a process."""
    return {name: os.environ[name] for name in ("SYSTEMROOT",) if name in os.environ}


def _converted(scan: Path, name: str, target: Path, *, overwrite: bool) -> ConvertedScan:
    if target.exists() and not overwrite:
        return ConvertedScan(name=name, status="kept")
    try:
        there = {view: path for view, stem in VIEW_FILES.items() if (path := scan / f"{stem}.pickle").exists()}
        arrays = {view: read_plain_pickle(path) for view, path in there.items()}
        cines = {view: _cine(view, its, there[view].name) for view, its in arrays.items() if its}
        if not cines:
            raise InputError(f"the pickles of '{name}' are empty; expected images in one of them")
        _write(scan, cines, arrays, target, overwrite=overwrite)
    except CinemaError as error:
        return ConvertedScan(name=name, status="failed", error=str(error))
    return ConvertedScan(name=name, status="done")


def _write(
    scan: Path, cines: Mapping[View, Cine], arrays: Mapping[View, Arrays], target: Path, *, overwrite: bool
) -> None:
    """All images of a scan and its label map, whole or not at all."""
    masks = scan / "SAX_segs.pickle"
    with atomic_folder(target, overwrite=overwrite) as draft:
        write_nifti_study(Study(name="scan", cines=tuple(cines.values())), draft, overwrite=True)
        if masks.exists() and View.SAX in cines:
            codes = _voxels(read_plain_pickle(masks), "image_segmentation", 4, masks.name)
            order, _ = _order(arrays[View.SAX])
            labels = np.ascontiguousarray(codes[order].transpose(3, 2, 0, 1)).astype(np.uint8)
            write_mask(labels, cines[View.SAX], draft / f"{View.SAX}_segs.nii.gz")


def _cine(view: View, arrays: Arrays, file: str) -> Cine:
    """One view on its own grid; its slices ascend along the image normal."""
    try:
        if view is not View.SAX:
            return _plane(view, arrays, file)
        voxels = _voxels(arrays, "image_voxels", 4, file)
        order, affine = _order(arrays)
        array = voxels[order].transpose(3, 2, 0, 1)
    except (KeyError, IndexError, ValueError) as error:
        raise UnreadableFileError(f"'{file}' tells no geometry ({error}); expected the dataset's own keys") from error
    positions: NDArray[np.float64] = np.arange(array.shape[2]) * np.linalg.norm(affine[:3, 2])
    return _made(view, array, affine, positions)


def _plane(view: View, arrays: Arrays, file: str) -> Cine:
    voxels = _voxels(arrays, "image_voxels", 3, file)
    along, down, normal = _directions(arrays)
    origin = np.asarray(arrays["ImagePositionPatient"], dtype=np.float64).reshape(-1, 3)[0]
    affine = _affine(along, down, normal * _PLANE_MM, origin)
    return _made(view, voxels.transpose(2, 1, 0)[:, :, None, :], affine, np.zeros(1))


def _made(view: View, array: NDArray[Any], affine: NDArray[np.float64], positions: NDArray[np.float64]) -> Cine:
    return Cine(
        array=np.ascontiguousarray(array, dtype=np.float32), affine=affine, view=view, slice_positions_mm=positions
    )


def _voxels(arrays: Arrays, key: str, n_axes: int, file: str) -> NDArray[Any]:
    voxels = arrays.get(key)
    if voxels is None or voxels.ndim != n_axes or not voxels.size:
        found = "nothing" if voxels is None else f"the shape {voxels.shape}"
        raise UnreadableFileError(f"'{file}' has {found} for '{key}'; expected {n_axes} axes")
    return voxels


def _directions(arrays: Arrays) -> tuple[NDArray[np.float64], ...]:
    """Steps of one pixel along a row and down a column, and the unit normal, in LPS."""
    cosines = np.asarray(arrays["ImageOrientationPatient"], dtype=np.float64).reshape(2, 3)
    down_mm, along_mm = np.asarray(arrays["PixelSpacing"], dtype=np.float64).reshape(2)
    along, down = unit(cosines[0]), unit(cosines[1])
    return along * along_mm, down * down_mm, unit(np.cross(along, down))


def _order(arrays: Arrays) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """The order of slices along the normal, and the affine of the stack; `GeometryError` for uneven gaps."""
    along, down, normal = _directions(arrays)
    places = np.asarray(arrays["ImagePositionPatient"], dtype=np.float64).reshape(-1, 3)
    order = np.argsort(places @ normal)
    steps = np.diff(places[order], axis=0)
    if not len(steps):
        steps = normal[None] * float(arrays["SliceSpacing"])
    if np.ptp(steps, axis=0).max() > 0.01 * np.linalg.norm(steps.mean(axis=0)):
        gaps = np.linalg.norm(steps, axis=1)
        raise GeometryError(f"slices are {gaps.min():.2f} to {gaps.max():.2f} mm apart; expected one distance")
    return order, _affine(along, down, steps.mean(axis=0), places[order[0]])


def _affine(*columns: Any) -> NDArray[np.float64]:
    affine = np.eye(4)
    affine[:3] = np.stack(columns, axis=1)
    return lps_to_ras(affine)
