"""Quality checks of a late-enhancement stack: modality, missing structures, coverage, post-processing, confidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from cinema_cmr.core.annotation import LabelMap
from cinema_cmr.core.results import Flag, Prediction
from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import SCAR_LABELS
from cinema_cmr.core.volume import Cine
from cinema_cmr.measure.quality.checks import issue_flags
from cinema_cmr.measure.quality.masks import fov_flag

__all__ = ["NOT_A_CINE", "ScarContext", "scar_flags"]

NOT_A_CINE = "not-a-cine"
"""Code of the flag that every late-enhancement study carries."""

_MIN_SLICES = 4
"""The 80 cases of EMIDEC have 4 to 10 slices."""
_REMOVED_SHARE = 0.05
"""Share of the myocardium from which what post-processing changed may have been heart."""
_LOW_CONFIDENCE = 0.7
"""Mean probability of the predicted class; not calibrated."""
_LARGE_PERCENT = 60.0
"""Percent of the myocardium; the largest of EMIDEC's 80 infarcts has 52."""


@dataclass(frozen=True, kw_only=True)
class ScarContext:
    """One measured late-enhancement stack."""

    study: Study
    cine: Cine
    labels: LabelMap
    volumes_ml: Mapping[str, float]
    """Class of the scar scheme -> volume."""
    prediction: Prediction | None = None
    """The prediction that `labels` belong to; None for a mask from elsewhere, which has no confidence."""

    @property
    def myocardium_ml(self) -> float:
        """Volume of the whole wall: normal myocardium, infarct and no-reflow."""
        return sum(self.volumes_ml.values()) - self.volumes_ml["lv_cavity"]


def scar_flags(context: ScarContext) -> tuple[Flag, ...]:
    """Return all flags raised by a scar map, followed by the issues of its data."""
    checks = (
        _not_a_cine,
        _structure_missing,
        _few_slices,
        _removed_components,
        _exceeds_fov,
        _low_confidence,
        _very_large_infarct,
    )
    raised = (check(context) for check in checks)
    return (*(flag for flag in raised if flag is not None), *issue_flags(context.study))


def _not_a_cine(context: ScarContext) -> Flag | None:
    if context.cine.n_frames > 1:
        return None
    return Flag(
        code=NOT_A_CINE,
        severity="info",
        message="this is a still late-enhancement image, not a cine study: it has no ejection fraction, no"
        " end-diastolic and no end-systolic volume",
    )


def _structure_missing(context: ScarContext) -> Flag | None:
    titles = {label.name: label.title for label in SCAR_LABELS}
    missing = [titles[name] for name in ("lv_cavity", "myo_normal") if context.volumes_ml[name] <= 0]
    if not missing:
        return None
    return Flag(code="structure-missing", severity="error", message=f"not found: {', '.join(missing)}")


def _few_slices(context: ScarContext) -> Flag | None:
    n_slices = int(context.labels.array.any(axis=(0, 1, 3)).sum())
    if n_slices >= _MIN_SLICES:
        return None
    return Flag(
        code="few-slices",
        severity="warning",
        message=f"the left ventricle was found in {n_slices} slices; shares of part of a ventricle do not hold for the"
        " whole",
        evidence={"slices": n_slices},
    )


def _exceeds_fov(context: ScarContext) -> Flag | None:
    return fov_flag(context.prediction) if context.prediction is not None else None


def _removed_components(context: ScarContext) -> Flag | None:
    removed: dict[str, float] = {}
    for component in context.prediction.removed_components if context.prediction is not None else ():
        removed[component.structure] = removed.get(component.structure, 0.0) + component.volume_ml
    myocardium = max(context.myocardium_ml, 1e-9)
    share = sum(removed.values()) / myocardium
    if share < _REMOVED_SHARE:
        return None
    return Flag(
        code="removed-components",
        severity="warning",
        message=f"post-processing changed as much as {100 * share:.0f} % of the myocardium, some of which may have"
        " been heart",
        evidence={f"{name}_percent": round(100 * ml / myocardium, 1) for name, ml in removed.items()},
    )


def _low_confidence(context: ScarContext) -> Flag | None:
    confidence = context.prediction.confidence if context.prediction is not None else np.array([np.nan])
    mean = float(np.nanmean(confidence)) if np.isfinite(confidence).any() else float("nan")
    if not mean < _LOW_CONFIDENCE:
        return None
    return Flag(
        code="low-confidence",
        severity="warning",
        message=f"mean probability of the labels is {mean:.2f}, below {_LOW_CONFIDENCE:g}",
        evidence={"confidence": round(mean, 3)},
    )


def _very_large_infarct(context: ScarContext) -> Flag | None:
    lesion = context.volumes_ml["infarct"] + context.volumes_ml["no_reflow"]
    percent = 100 * lesion / max(lesion + context.volumes_ml["myo_normal"], 1e-9)
    if percent < _LARGE_PERCENT:
        return None
    return Flag(
        code="very-large-infarct",
        severity="warning",
        message=f"{percent:.0f} % of the myocardium is labelled infarct, more than in any training case",
        evidence={"infarct_percent": round(percent, 1)},
    )
