"""The NIfTI header of a cine that came from no NIfTI file, or whose own file's header is not to be trusted."""

from __future__ import annotations

import nibabel
import numpy as np

from cinema_cmr.core.volume import Cine

__all__ = ["header_for"]


def header_for(cine: Cine) -> nibabel.Nifti1Header:
    """A header of a cine's own geometry, whatever file it came from: sform and qform code 1, mm, frame time in ms
    where known.

    Written for programs that take spacing and place from the affine alone, where a file's own header may say less.
    """
    header = nibabel.Nifti1Header()
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
        header["descrip"] = b"slices are uneven; their step here is the mean"
    return header
