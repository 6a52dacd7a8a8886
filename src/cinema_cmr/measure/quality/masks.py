"""Quality of the masks: what is missing, in pieces, open, cleaned away or uncertain.

How often each check fires on the experts' labels of ACDC's 100 training patients stands beside it.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from cinema_cmr.core.results import Flag, Prediction
from cinema_cmr.core.vocabulary import View
from cinema_cmr.measure.quality.context import Check, QualityContext
from cinema_cmr.measure.volumes import CODES, LEAST_OF_RIM, enclosed_fractions

__all__ = ["MASK_CHECKS", "fov_flag"]

PIECE_SHARE = 0.05
"""Of the structure: a second piece at least this large is no stray pixel."""

REMOVED_ML = 5.0
"""A piece this large that clean-up took away may have been heart."""


def structure_missing(context: QualityContext) -> Flag | None:
    """A structure that is not labelled in some or all frames; ACDC: none."""
    counts = {name: int(np.isnan(_curve(context, name)).sum()) for name in CODES}
    if not any(counts.values()):
        return None
    n_frames = context.cine.n_frames
    nowhere = n_frames in counts.values()
    missing = ", ".join(f"{name} in {count}" for name, count in counts.items() if count)
    return Flag(
        code="structure-missing",
        severity="error" if nowhere else "warning",
        message=f"not labelled, of {n_frames} frames: {missing}",
        evidence={f"{name}_frames": count for name, count in counts.items() if count},
    )


def _curve(context: QualityContext, structure: str) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    volumes = context.volumes
    return {"lv": volumes.lv_ml, "rv": volumes.rv_ml, "myo": volumes.myo_ml}[structure]


def in_pieces(context: QualityContext) -> Flag | None:
    """A structure in more than one piece at ED or ES; ACDC: none."""
    found = [
        (second, structure, frame)
        for structure in CODES
        for frame in context.key_frames
        if (second := _second_piece(context, structure, frame)) >= PIECE_SHARE
    ]
    if not found:
        return None
    share, structure, frame = max(found)
    return Flag(
        code="in-pieces",
        severity="warning",
        message=f"{structure.upper()} is in pieces in frame {frame}; the second one has {share:.0%} of its volume",
        evidence={"structure": structure, "frame": frame, "share": round(share, 3)},
    )


def _second_piece(context: QualityContext, structure: str, frame: int) -> float:
    """Share of a structure's volume in its second largest piece, pieces touching by a corner being one."""
    mask = context.mask(structure, frame)
    pieces, number = ndimage.label(mask, structure=np.ones((3, 3, 3)))
    if number < 2:
        return 0.0
    weights = np.broadcast_to(context.cine.voxel_volumes_ml, mask.shape)
    sizes = np.sort(np.bincount(pieces.ravel(), weights=weights.ravel())[1:])
    return float(sizes[-2] / sizes.sum())


def not_enclosed(context: QualityContext) -> Flag | None:
    """LV blood that is counted although less than half of its rim, with the tolerance, is myocardium; ACDC: none."""
    enclosed = enclosed_fractions(context.cine, context.prediction.labels)
    open_slices = context.volumes.lv_counted & (np.nan_to_num(enclosed, nan=1.0) < LEAST_OF_RIM)
    seen = [(index, frame) for frame in context.key_frames for index in np.flatnonzero(open_slices[:, frame])]
    if not seen:
        return None
    index, frame = min(seen, key=lambda at: enclosed[at])
    return Flag(
        code="lv-not-enclosed",
        severity="warning",
        message=f"{enclosed[index, frame]:.0%} of the LV's rim is myocardium in slice {index}, frame {frame}",
        evidence={"slice": int(index), "frame": frame, "slices": len({index for index, _ in seen})},
    )


def basal_slice_left_out(context: QualityContext) -> Flag | None:
    """LV blood beyond the valve that the basal rule does not count, and what it would add; ACDC: none."""
    left_out = context.volumes.lv_left_out
    frames = [frame for frame in context.key_frames if left_out[:, frame].any()]
    if not frames:
        return None
    counts = {frame: np.count_nonzero(context.mask("lv", frame), axis=(0, 1)) for frame in frames}
    ml = {frame: float(context.cine.voxel_volumes_ml @ (counts[frame] * left_out[:, frame])) for frame in frames}
    message = ", ".join(f"{volume:.0f} ml in frame {frame}" for frame, volume in ml.items())
    return Flag(
        code="basal-slice-left-out",
        severity="info",
        message=f"LV blood at the base with less than {100 * LEAST_OF_RIM:.0f} % of its rim in myocardium is not"
        f" counted: {message}",
        evidence={f"frame_{frame}_ml": round(volume, 1) for frame, volume in ml.items()},
    )


def slice_without_lv(context: QualityContext) -> Flag | None:
    """A slice without LV between two that have it; ACDC: none."""
    for frame in context.key_frames:
        present = np.flatnonzero(context.areas_mm2("lv", frame))
        if present.size and np.ptp(present) + 1 > present.size:
            missing = sorted(set(range(present[0], present[-1])) - set(present.tolist()))
            message = f"no LV in slice {missing[0]} of frame {frame}, between slices that have it"
            evidence = {"slice": int(missing[0]), "frame": frame}
            return Flag(code="slice-without-lv", severity="warning", message=message, evidence=evidence)
    return None


def removed_pieces(context: QualityContext) -> Flag | None:
    """What clean-up took away from the prediction."""
    removed = context.prediction.removed_components
    if not removed:
        return None
    largest = max(removed, key=lambda piece: piece.volume_ml)
    return Flag(
        code="removed-pieces",
        severity="warning" if largest.volume_ml >= REMOVED_ML else "info",
        message=(
            f"{len(removed)} pieces removed; the largest, {largest.volume_ml:.1f} ml of {largest.structure.upper()}, "
            f"in frame {largest.frame}"
        ),
        evidence={"pieces": len(removed), "largest_ml": round(largest.volume_ml, 2), "frame": largest.frame},
    )


def fov_flag(prediction: Prediction) -> Flag | None:
    """The heart did not fit into the part of the planes that the model learned on; ACDC validation: none."""
    if not prediction.fov_expansions and not prediction.truncated:
        return None
    seen = "x".join(f"{mm:.0f}" for mm in prediction.fov_mm or ())
    message = "" if prediction.view is View.SAX else f"{prediction.view.title}: "
    if prediction.truncated:
        message += f"labels lie on the edge of the {seen} mm that the model sees; the heart may reach beyond it"
    else:
        message += f"the heart did not fit into the window that the model learned on; it was shown {seen} mm"
    return Flag(
        code="larger-than-window",
        severity="warning" if prediction.truncated else "info",
        message=f"{message}: is the pixel size right?",
        evidence={"fov_mm": seen, "widened": prediction.fov_expansions},
    )


def larger_than_window(context: QualityContext) -> Flag | None:
    """`fov_flag` of the prediction."""
    return fov_flag(context.prediction)


def low_confidence(context: QualityContext) -> Flag | None:
    """The model was unsure at ED or ES."""
    confidence = context.prediction.confidence[list(context.key_frames)]
    known, least = confidence[np.isfinite(confidence)], context.prediction.least_confidence
    if not known.size or known.min() >= least:
        return None
    return Flag(
        code="low-confidence",
        severity="warning",
        message=f"mean probability of the labels at ED or ES is {known.min():.2f}, below {least:g}",
        evidence={"confidence": round(float(known.min()), 3)},
    )


MASK_CHECKS: tuple[Check, ...] = (
    structure_missing,
    in_pieces,
    not_enclosed,
    basal_slice_left_out,
    slice_without_lv,
    removed_pieces,
    larger_than_window,
    low_confidence,
)
"""In the order in which they are reported."""
