"""Images of other formats as header and voxels of NIfTI: MHA, MHD and NRRD (SimpleITK), PAR/REC (nibabel)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from nibabel import Nifti1Header
from numpy.typing import NDArray

from cinema_cmr.core.errors import InputError, UnreadableFileError
from cinema_cmr.core.geometry import lps_to_ras

__all__ = ["is_other_format", "read_as_nifti"]

_ITK = (".mha", ".mhd", ".nrrd", ".nhdr")
_PAR = ".par"


def is_other_format(path: Path | str) -> bool:
    """Return True for a file name of a format that is read like NIfTI; a .rec is read with its .par."""
    return Path(path).suffix.lower() in (*_ITK, _PAR)


def read_as_nifti(path: Path) -> tuple[Nifti1Header, bytes]:
    """Return a header with shape, affine (RAS mm) and time step, and the voxels as float32 in its order.

    Raises `InputError` if SimpleITK is needed and not installed, `UnreadableFileError` for a damaged file.
    """
    return _read_par(path) if path.suffix.lower() == _PAR else _read_itk(path)


def _read_itk(path: Path) -> tuple[Nifti1Header, bytes]:
    try:
        import SimpleITK as sitk  # noqa: N813  # its own manual imports it so
    except ImportError as error:
        raise InputError(
            f"{path.suffix} files are read with SimpleITK, which is not installed; expected it: "
            "pip install 'cinema-cmr[formats]', or convert the file to NIfTI"
        ) from error
    try:
        image: Any = sitk.ReadImage(str(path))
    except RuntimeError as error:
        raise UnreadableFileError(
            "SimpleITK cannot read it; expected a complete image, with its data file beside it: copy it again"
        ) from error
    stored = sitk.GetArrayFromImage(image)
    if image.GetNumberOfComponentsPerPixel() > 1:
        # A cine that was stored as a vector a voxel, as 3D Slicer does: components are frames.
        array = np.moveaxis(stored, -1, 0).transpose(*range(stored.ndim - 1, 0, -1), 0)
    else:
        array = stored.transpose()
    size = image.GetDimension()
    affine = np.eye(4)
    directions = np.array(image.GetDirection()).reshape(size, size)
    used = min(size, 3)
    affine[:used, :used] = directions[:used, :used] * np.array(image.GetSpacing())[:used]
    affine[:used, 3] = image.GetOrigin()[:used]
    return _as_nifti(array, lps_to_ras(affine), step_ms=None)


def _read_par(path: Path) -> tuple[Nifti1Header, bytes]:
    import nibabel

    try:
        image: Any = nibabel.load(path)
        array = np.asarray(image.dataobj, dtype=np.float32)
        triggers = np.unique(image.header.image_defs["trigger_time"])
    except Exception as error:
        # nibabel raises any exception for a damaged file.
        raise UnreadableFileError(
            "the PAR/REC pair cannot be read; expected both files, complete and uncompressed: export them again"
        ) from error
    steps = np.diff(triggers)
    whole = array.ndim == 4 and len(triggers) == array.shape[3]
    return _as_nifti(array, np.asarray(image.affine), step_ms=float(np.median(steps)) if whole and len(steps) else None)


def _as_nifti(array: NDArray[Any], affine: NDArray[np.float64], *, step_ms: float | None) -> tuple[Nifti1Header, bytes]:
    values = array.astype("<f4")
    header = Nifti1Header(endianness="<")
    header.set_data_shape(values.shape)
    header.set_data_dtype(np.float32)
    header.set_sform(affine, code=1)
    header["pixdim"][1:4] = np.linalg.norm(affine[:3, :3], axis=0)
    header["pixdim"][4] = step_ms or 0
    header.set_xyzt_units("mm", "msec" if step_ms else "unknown")
    return header, values.tobytes(order="F")
