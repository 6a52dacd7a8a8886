"""Sizes that no scan of a heart has: refused beyond any scanner's, reported where they are merely unusual."""

from __future__ import annotations

from collections.abc import Sequence

from cinema_cmr.core.errors import GeometryError
from cinema_cmr.core.study import Issue

__all__ = ["MAX_POSITION_MM", "check_pixel_spacing", "spacing_issue"]

MAX_POSITION_MM = 5000.0
"""Distance of an image from the scanner's centre; tables reach 2 m."""
_POSSIBLE_IN_PLANE_MM = (0.02, 20.0)
"""From the hearts of mice to localisers."""
_IN_PLANE_MM = (0.3, 5.0)
_SLICES_MM = (1.5, 30.0)
_POSSIBLE_SLICES_MM = (0.05, 100.0)


def check_pixel_spacing(sizes_mm: Sequence[float]) -> None:
    """Raise `GeometryError` for a pixel size that no scanner gives, which would make every number wrong."""
    low, high = _POSSIBLE_IN_PLANE_MM
    if not all(low <= size <= high for size in sizes_mm):
        raise GeometryError(
            f"a pixel spacing of {_listed(sizes_mm)} mm ({low:g} to {high:g} mm are possible): correct the header"
        )


def spacing_issue(sizes_mm: Sequence[float], n_slices: int) -> Issue | None:
    """Return an issue for unusual voxel sizes (x, y, slices), an error where the slices cannot be of one heart."""
    *in_plane, between = sizes_mm
    usual = all(_IN_PLANE_MM[0] <= size <= _IN_PLANE_MM[1] for size in in_plane)
    if usual and (n_slices == 1 or _SLICES_MM[0] <= between <= _SLICES_MM[1]):
        return None
    possible = n_slices == 1 or _POSSIBLE_SLICES_MM[0] <= between <= _POSSIBLE_SLICES_MM[1]
    return Issue(
        code="spacing-implausible",
        severity="warning" if possible else "error",
        message=f"voxel sizes ({_listed(sizes_mm)} mm) are implausible for a heart scan and affect all volumes: check"
        " the header",
        evidence={"sizes_mm": _listed(sizes_mm)},
    )


def _listed(values: Sequence[float]) -> str:
    return " x ".join(f"{value:.4g}" for value in values)
