"""Detection of converted images whose voxel size was lost, by the placeholder stored in its place."""

from __future__ import annotations

import numpy as np

from cinema_cmr.core.study import NOMINAL_SPACING, Issue
from cinema_cmr.core.volume import Cine

__all__ = ["nominal_spacing_issue"]

_SHAPE, _SPACING_MM, _MAX_INTENSITY = (256, 256), (1.458, 1.458, 10.0), 255


def nominal_spacing_issue(cine: Cine) -> Issue | None:
    """Return an issue if the voxel size in the header is a known placeholder, else None.

    The 8-bit copies of EMIDEC were resized to 256 x 256 pixels and all carry 1.458 x 1.458 x 10 mm, whatever the
    original size, so in-plane size and aspect ratio are lost. Fractions of the myocardium remain valid, lengths and
    volumes do not.
    """
    is_converted = cine.array.shape[:2] == _SHAPE and np.allclose(cine.spacing_mm, _SPACING_MM, rtol=0, atol=1e-4)
    if not is_converted or float(cine.array.min()) < 0 or float(cine.array.max()) > _MAX_INTENSITY:
        return None
    return Issue(
        code=NOMINAL_SPACING,
        severity="warning",
        message="the voxel size in the header is nominal, as the true one was lost in the 8-bit conversion: fractions"
        " of the myocardium are reported, lengths, volumes and masses are not",
        evidence={"spacing_mm": " x ".join(f"{mm:g}" for mm in _SPACING_MM)},
    )
