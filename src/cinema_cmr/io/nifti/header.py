"""NIfTI header built from the geometry of a cine, independent of the file it came from."""

from __future__ import annotations

import nibabel
import numpy as np

from cinema_cmr.core.volume import Cine

__all__ = ["make_header"]


def make_header(cine: Cine) -> nibabel.Nifti1Header:
    """Return a header for a cine's geometry: sform and qform code 1, mm, frame time in ms if known.

    For programs that take spacing and position from the affine alone, where the original header may be incomplete.
    """
    header = nibabel.Nifti1Header(endianness="<")
    header.set_data_shape(cine.array.shape)
    header.set_qform(cine.affine, code=1)
    header.set_sform(cine.affine, code=1)
    header.set_xyzt_units("mm", "unknown")
    header["pixdim"][1:4] = cine.spacing_mm
    header["pixdim"][4] = 0
    if cine.frame_times_ms is not None and cine.n_frames > 1:
        header["pixdim"][4] = float(np.diff(cine.frame_times_ms).mean())
        header.set_xyzt_units("mm", "msec")
    if not np.allclose(np.diff(cine.slice_positions_mm), cine.spacing_mm[2], rtol=0.01):
        header["descrip"] = b"slices are uneven; the step here is the mean"
    return header
