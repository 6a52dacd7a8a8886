"""Quality check of the edge of the image: a heart that it cuts, and which flags follow from that alone.

Images that are cropped closely about the LV cut the RV, and a network leaves the outermost pixels empty. Unequal stroke
volumes, an implausible RVEF, a low confidence and an oblong LV are then consequences of one cause, which is reported
once, here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.results import Flag
from cinema_cmr.measure.quality.context import Check, QualityContext
from cinema_cmr.measure.volumes import CODES

__all__ = ["EDGE_CHECKS", "MAX_STROKE_DIFFERENCE", "RV_WALL_MM", "heart_exceeds_image", "is_cut", "is_lv_cut"]

MAX_STROKE_DIFFERENCE = 0.4
"""Largest difference of the stroke volumes, as a share of the larger; of 100 ACDC patients 20 % flags 52, 40 % 22."""

RV_WALL_MM = 5.0
"""Distance from the edge below which RV blood leaves no room for its wall, 3 to 5 mm thick (Rudski et al., JASE
2010;23:685)."""

SHORT_CONTACT_MM = 20.0
"""Contact with the edge in one slice, up to which no more than a little of RV or wall is missing, if the stroke volumes
agree."""


@dataclass(frozen=True, kw_only=True)
class _Contact:
    """Where the labels meet the edge of the image, over all frames."""

    voxels: int
    lv_blood: bool
    longest_mm: float
    """Longest contact in one slice of one frame."""
    rv_mm: float
    """Distance of RV blood from the edge; infinite without RV."""


def heart_exceeds_image(context: QualityContext) -> Flag | None:
    """Report a heart that the edge of the image cuts.

    An error if LV blood lies on the edge; a warning if the RV lies within `RV_WALL_MM` of it and ejects much less than
    the LV, or if RV or wall lie on it; an info if they meet it in a few pixels and the stroke volumes agree. ACDC:
    none.
    """
    contact = _contact(context)
    small = _is_rv_stroke_small(context)
    rv_cut = small is True and (contact.voxels > 0 or contact.rv_mm < RV_WALL_MM)
    if not contact.voxels and not rv_cut:
        return None
    slight = small is False and contact.longest_mm <= SHORT_CONTACT_MM
    severity: Literal["info", "warning", "error"] = "warning" if rv_cut or not slight else "info"
    evidence: dict[str, str | int | float] = {"voxels": contact.voxels}
    if contact.lv_blood:
        severity = "error"
        message = (
            f"the edge of the image cuts the LV ({contact.voxels} labelled voxels lie on it): do not use its volumes"
        )
    elif rv_cut:
        lv, rv = _strokes_ml(context)
        message = (
            f"the RV lies at the edge of the image and ejects {rv:.0f} ml, the LV {lv:.0f} ml: part of the RV is not"
            " imaged, do not use its volumes"
        )
        evidence |= {"lv_sv_ml": round(lv, 1), "rv_sv_ml": round(rv, 1), "rv_to_edge_mm": round(contact.rv_mm, 1)}
    else:
        message = f"{contact.voxels} labelled voxels lie on the edge of the image; the heart may extend beyond it"
    return Flag(code="heart-exceeds-image", severity=severity, message=message, evidence=evidence)


def is_cut(context: QualityContext) -> bool:
    """Return whether the edge of the image cuts the heart, above an info."""
    flag = heart_exceeds_image(context)
    return flag is not None and flag.severity != "info"


def is_lv_cut(context: QualityContext) -> bool:
    """Return whether LV blood lies on the edge of the image."""
    return _contact(context).lv_blood


def _contact(context: QualityContext) -> _Contact:
    labels, (dx, dy, _) = context.labels.array, context.cine.spacing_mm
    lines = ((labels[0], dy), (labels[-1], dy), (labels[:, 0], dx), (labels[:, -1], dx))
    length_mm = sum(np.count_nonzero(line, axis=0) * mm for line, mm in lines)
    return _Contact(
        voxels=sum(int(np.count_nonzero(line)) for line, _ in lines),
        lv_blood=any(bool((line == CODES["lv"]).any()) for line, _ in lines),
        longest_mm=float(np.max(length_mm)),
        rv_mm=_distance_mm(np.any(labels == CODES["rv"], axis=(2, 3)), (dx, dy)),
    )


def _distance_mm(plane: NDArray[np.bool_], pixel_mm: tuple[float, float]) -> float:
    """Return the smallest distance of a mask (x, y) from the edge; infinite if it is empty."""
    if not plane.any():
        return float("inf")
    x, y = (np.flatnonzero(plane.any(axis=other)) for other in (1, 0))
    gaps_mm = [
        min(int(at[0]), n - 1 - int(at[-1])) * mm for at, n, mm in zip((x, y), plane.shape, pixel_mm, strict=True)
    ]
    return float(min(gaps_mm))


def _strokes_ml(context: QualityContext) -> tuple[float, float]:
    """Return the stroke volumes of LV and RV; NaN without one."""
    lv, rv = (context.value(name) for name in ("lv_sv_ml", "rv_sv_ml"))
    return float("nan") if lv is None else lv, float("nan") if rv is None else rv


def _is_rv_stroke_small(context: QualityContext) -> bool | None:
    """Return whether the RV ejects much less than the LV; None without stroke volumes."""
    lv, rv = _strokes_ml(context)
    return None if np.isnan(lv + rv) else bool(lv > 0 and lv - rv > MAX_STROKE_DIFFERENCE * lv)


EDGE_CHECKS: tuple[Check, ...] = (heart_exceeds_image,)
"""Checks in the order of their report."""
