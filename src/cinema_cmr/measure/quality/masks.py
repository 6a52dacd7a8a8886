"""Quality checks of the masks: missing, disconnected, open, post-processed or uncertain structures.

Each docstring states how often the check fires on the expert labels of ACDC's 100 training patients.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from cinema_cmr.core.results import Flag, Prediction
from cinema_cmr.core.vocabulary import View
from cinema_cmr.measure.quality.context import Check, QualityContext
from cinema_cmr.measure.quality.image_edge import is_cut
from cinema_cmr.measure.volumes import CODES, Volumes, enclosed_fractions

__all__ = ["MASK_CHECKS", "fov_flag", "fov_flags"]

COMPONENT_SHARE = 0.05
"""Smallest share of a structure's volume at which a second component is more than stray pixels."""

OPEN_SHARE = 0.05
"""Share of a frame's counted blood in open slices, from which their wall was missed rather than thin: the last slice at
the apex, where a network ends the wall a little before the blood, holds 1 % or less in most hearts, 4 % at most."""

CUT_CONFIDENCE = 0.014
"""Allowance of the limit of confidence for a heart that the edge of the image cuts: the model is unsure there, though
the LV is sound."""

REMOVED_ML = 5.0
"""Smallest volume of a removed component that may have been heart."""


def structure_missing(context: QualityContext) -> Flag | None:
    """Report a structure that is not labelled in some or all frames; ACDC: none."""
    counts = {name: int(np.isnan(_curve(context, name)).sum()) for name in CODES}
    if not any(counts.values()):
        return None
    n_frames = context.cine.n_frames
    missing = ", ".join(f"{name} in {count}" for name, count in counts.items() if count)
    return Flag(
        code="structure-missing",
        severity="error" if n_frames in counts.values() else "warning",
        message=f"not labelled, of {n_frames} frames: {missing}",
        evidence={f"{name}_frames": count for name, count in counts.items() if count},
    )


def _curve(context: QualityContext, structure: str) -> NDArray[np.float64]:
    volumes = context.volumes
    return {"lv": volumes.lv_ml, "rv": volumes.rv_ml, "myo": volumes.myo_ml}[structure]


def multiple_components(context: QualityContext) -> Flag | None:
    """Report a structure of more than one connected component at ED or ES; ACDC: none."""
    found = [
        (share, structure, frame)
        for structure in CODES
        for frame in context.key_frames
        if (share := _second_component_share(context, structure, frame)) >= COMPONENT_SHARE
    ]
    if not found:
        return None
    share, structure, frame = max(found)
    return Flag(
        code="multiple-components",
        severity="warning",
        message=f"{structure.upper()} is disconnected in frame {frame}; its second component has {100 * share:.0f} %"
        " of the volume",
        evidence={"structure": structure, "frame": frame, "share": round(share, 3)},
    )


def _second_component_share(context: QualityContext, structure: str, frame: int) -> float:
    """Return the share of a structure's volume in its second largest component (connected by faces, edges, corners)."""
    mask = context.mask(structure, frame)
    components, count = ndimage.label(mask, structure=np.ones((3, 3, 3)))
    if count < 2:
        return 0.0
    weights = np.broadcast_to(context.cine.voxel_volumes_ml, mask.shape)
    sizes = np.sort(np.bincount(components.ravel(), weights=weights.ravel())[1:])
    return float(sizes[-2] / sizes.sum())


def lv_not_enclosed(context: QualityContext) -> Flag | None:
    """Report counted LV blood whose rim is myocardium for less than the limit of the basal rule; ACDC: none.

    A warning if such slices hold `OPEN_SHARE` of the counted blood of a frame, else an info.
    """
    enclosed = enclosed_fractions(context.cine, context.labels)
    is_open = np.nan_to_num(enclosed, nan=1.0) < context.volumes.min_myocardial_rim
    open_slices = context.volumes.lv_counted & is_open
    found = [(index, frame) for frame in context.key_frames for index in np.flatnonzero(open_slices[:, frame])]
    if not found:
        return None
    index, frame = min(found, key=lambda place: enclosed[place])
    share = max(_share_of_blood(context, open_slices[:, frame], frame) for frame in context.key_frames)
    return Flag(
        code="lv-not-enclosed",
        severity="warning" if share >= OPEN_SHARE else "info",
        message=f"{100 * enclosed[index, frame]:.0f} % of the LV's rim is myocardium in slice {index}, frame {frame};"
        f" such slices hold {100 * share:.1f} % of the LV's blood",
        evidence={
            "slice": int(index),
            "frame": frame,
            "slices": len({index for index, _ in found}),
            "blood_share": round(share, 3),
        },
    )


def _share_of_blood(context: QualityContext, slices: NDArray[np.bool_], frame: int) -> float:
    """Return the share of the counted LV blood of a frame that slices (z,) hold; 0 without blood."""
    counted = context.areas_mm2("lv", frame) * context.cine.slice_weights_mm * context.volumes.lv_counted[:, frame]
    return float(counted[slices].sum() / counted.sum()) if counted.any() else 0.0


def basal_slice_excluded(context: QualityContext) -> Flag | None:
    """Report LV blood that the basal rule excludes, with its volume; ACDC: none."""
    excluded = context.volumes.lv_excluded
    frames = [frame for frame in context.key_frames if excluded[:, frame].any()]
    if not frames:
        return None
    counts = {frame: np.count_nonzero(context.mask("lv", frame), axis=(0, 1)) for frame in frames}
    left_out = excluded * (1 - context.volumes.lv_shares)
    ml = {frame: float(context.cine.voxel_volumes_ml @ (counts[frame] * left_out[:, frame])) for frame in frames}
    listed = ", ".join(f"{volume:.0f} ml in frame {frame}" for frame, volume in ml.items())
    return Flag(
        code="basal-slice-excluded",
        severity="info",
        message=f"basal LV blood {_why_excluded(context.volumes)} is not counted: {listed}",
        evidence={f"frame_{frame}_ml": round(volume, 1) for frame, volume in ml.items()},
    )


def _why_excluded(volumes: Volumes) -> str:
    """Return what the basal rule excludes, in words."""
    if volumes.basal_rule == "valve-plane":
        return "beyond the valve plane, in slices of which it cuts off more than half,"
    atrium = ", or that is atrium by the beat," if volumes.basal_rule == "descent" else ""
    return (
        f"with less than {100 * volumes.min_myocardial_rim:.0f} % of its rim in myocardium, or in one frame alone"
        f"{atrium or ','}"
    )


def slice_without_lv(context: QualityContext) -> Flag | None:
    """Report a slice without LV between two slices with LV; ACDC: none."""
    for frame in context.key_frames:
        present = np.flatnonzero(context.areas_mm2("lv", frame))
        if present.size and np.ptp(present) + 1 > present.size:
            missing = sorted(set(range(present[0], present[-1])) - set(present.tolist()))
            message = f"no LV in slice {missing[0]} of frame {frame}, between slices that have it"
            evidence = {"slice": int(missing[0]), "frame": frame}
            return Flag(code="slice-without-lv", severity="warning", message=message, evidence=evidence)
    return None


def removed_components(context: QualityContext) -> Flag | None:
    """Report the components that post-processing removed from the prediction."""
    removed = context.prediction.removed_components if context.prediction is not None else ()
    if not removed:
        return None
    largest = max(removed, key=lambda component: component.volume_ml)
    return Flag(
        code="removed-components",
        severity="warning" if largest.volume_ml >= REMOVED_ML else "info",
        message=(
            f"{len(removed)} components removed; the largest, {largest.volume_ml:.1f} ml of"
            f" {largest.structure.upper()}, in frame {largest.frame}"
        ),
        evidence={"components": len(removed), "largest_ml": round(largest.volume_ml, 2), "frame": largest.frame},
    )


def fov_flag(prediction: Prediction) -> Flag | None:
    """Report a heart that exceeds the field of view used in training; ACDC validation: none."""
    if not prediction.fov_expansions and not prediction.truncated:
        return None
    extent = "x".join(f"{mm:.0f}" for mm in prediction.fov_mm or ())
    message = "" if prediction.view is View.SAX else f"{prediction.view.title}: "
    if prediction.truncated:
        message += f"labels touch the edge of the model's field of view of {extent} mm; the heart may extend beyond it"
    else:
        message += f"the heart exceeds the model's field of view, which was expanded to {extent} mm"
    return Flag(
        code="heart-exceeds-fov",
        severity="warning" if prediction.truncated else "info",
        message=f"{message}; check the pixel size",
        evidence={"fov_mm": extent, "fov_expansions": prediction.fov_expansions},
    )


def fov_flags(predictions: Iterable[Prediction]) -> tuple[Flag, ...]:
    """Return the `fov_flag` of every prediction that has one."""
    flags = (fov_flag(prediction) for prediction in predictions)
    return tuple(flag for flag in flags if flag is not None)


def heart_exceeds_fov(context: QualityContext) -> Flag | None:
    """Apply `fov_flag` to the short-axis prediction."""
    return fov_flag(context.prediction) if context.prediction is not None else None


def small_heart(context: QualityContext) -> Flag | None:
    """Report a heart that was magnified, as it is much smaller than those that the model learned; ACDC: none."""
    location = context.prediction.location if context.prediction is not None else None
    if location is None or location.magnification <= 1:
        return None
    extent_mm = location.evidence.get("extent_mm")
    return Flag(
        code="small-heart",
        severity="warning",
        message=f"both ventricles are {extent_mm:.0f} mm across, much less than the adult hearts that the model"
        f" learned; segmented in an image magnified {location.magnification:.1f} times: check the outlines and the"
        " pixel size",
        evidence={"extent_mm": extent_mm, "magnification": location.magnification},
    )


def low_confidence(context: QualityContext) -> Flag | None:
    """Report a mean probability of the labels at ED or ES below the limit in the model's card.

    For a heart that the edge of the image cuts the limit is `CUT_CONFIDENCE` lower.
    """
    if context.prediction is None:
        return None
    confidence = context.prediction.confidence[list(context.key_frames)]
    finite, limit = confidence[np.isfinite(confidence)], context.prediction.least_confidence
    if is_cut(context):
        limit = round(limit - CUT_CONFIDENCE, 3)
    if not finite.size or finite.min() >= limit:
        return None
    return Flag(
        code="low-confidence",
        severity="warning",
        message=f"mean probability of the labels at ED or ES is {finite.min():.2f}, below {limit:g}",
        evidence={"confidence": round(float(finite.min()), 3)},
    )


MASK_CHECKS: tuple[Check, ...] = (
    structure_missing,
    multiple_components,
    lv_not_enclosed,
    basal_slice_excluded,
    slice_without_lv,
    removed_components,
    heart_exceeds_fov,
    small_heart,
    low_confidence,
)
"""Checks in the order of their report."""
