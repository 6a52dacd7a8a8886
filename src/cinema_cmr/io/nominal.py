"""Copies of images whose voxel sizes were lost: known by the sizes that were written in their place."""

from __future__ import annotations

import numpy as np

from cinema_cmr.core.study import NOMINAL_SPACING, Issue
from cinema_cmr.core.volume import Cine

__all__ = ["nominal_spacing_issue"]

_SHAPE, _SPACING_MM, _MOST = (256, 256), (1.458, 1.458, 10.0), 255


def nominal_spacing_issue(cine: Cine) -> Issue | None:
    """An issue where the header's voxel sizes are known to be a stand-in; None for any other image.

    The 8-bit copies of EMIDEC were brought to 256 x 256 pixels and all carry 1.458 x 1.458 x 10 mm, whatever the
    scanner's were: in-plane size and aspect are lost. Shares of the myocardium remain, lengths and volumes do not.
    """
    of_copy = cine.array.shape[:2] == _SHAPE and np.allclose(cine.spacing_mm, _SPACING_MM, rtol=0, atol=1e-4)
    if not of_copy or float(cine.array.min()) < 0 or float(cine.array.max()) > _MOST:
        return None
    return Issue(
        code=NOMINAL_SPACING,
        severity="warning",
        message="the voxel size in the header is nominal, the true one was lost with the 8-bit copy: shares of the"
        " myocardium hold, lengths, volumes and masses are not given",
        evidence={"spacing_mm": " x ".join(f"{mm:g}" for mm in _SPACING_MM)},
    )
