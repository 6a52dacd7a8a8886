"""Reasons to look again at a late-enhancement stack: what it is not, what was not found, what was cleaned away."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cinema_cmr.core.results import Flag, Prediction
from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import SCAR_LABELS
from cinema_cmr.measure.quality.checks import issue_flags
from cinema_cmr.measure.quality.masks import fov_flag

__all__ = ["NOT_A_CINE", "scar_flags"]

NOT_A_CINE = "not-a-cine"
"""Code of the flag that every late-enhancement study carries."""

_FEWEST_SLICES = 4
"""EMIDEC's 80 cases have 4 to 10."""
_REMOVED_SHARE = 0.05
"""Of the myocardium: a piece this large that clean-up took away may have been heart."""
_LOW_CONFIDENCE = 0.7
"""Mean probability of the predicted class; not calibrated."""
_LARGEST_SHARE = 60.0
"""Percent of the myocardium: the largest of EMIDEC's 80 infarcts has 52."""


def scar_flags(study: Study, prediction: Prediction, volumes_ml: Mapping[str, float]) -> tuple[Flag, ...]:
    """All flags of a scar map, then those of its data."""
    checks = (_not_a_cine, _not_found, _few_slices, _removed, _window, _uncertain, _large)
    raised = (check(study, prediction, volumes_ml) for check in checks)
    return (*(flag for flag in raised if flag is not None), *issue_flags(study))


def _not_a_cine(study: Study, prediction: Prediction, volumes_ml: Mapping[str, float]) -> Flag | None:
    if study.cine(prediction.view).n_frames > 1:
        return None
    return Flag(
        code=NOT_A_CINE,
        severity="info",
        message="this is a still late-enhancement image, not a cine study: it has no ejection fraction, no"
        " end-diastolic and no end-systolic volume",
    )


def _not_found(study: Study, prediction: Prediction, volumes_ml: Mapping[str, float]) -> Flag | None:
    titles = {label.name: label.title for label in SCAR_LABELS}
    missing = [titles[name] for name in ("lv_cavity", "myo_normal") if volumes_ml[name] <= 0]
    if not missing:
        return None
    return Flag(code="structure-missing", severity="error", message=f"not found: {', '.join(missing)}")


def _few_slices(study: Study, prediction: Prediction, volumes_ml: Mapping[str, float]) -> Flag | None:
    n_slices = int(prediction.labels.array.any(axis=(0, 1, 3)).sum())
    if n_slices >= _FEWEST_SLICES:
        return None
    return Flag(
        code="few-slices",
        severity="warning",
        message=f"the left ventricle was found in {n_slices} slices; shares of a part are not those of the whole",
        evidence={"slices": n_slices},
    )


def _window(study: Study, prediction: Prediction, volumes_ml: Mapping[str, float]) -> Flag | None:
    return fov_flag(prediction)


def _removed(study: Study, prediction: Prediction, volumes_ml: Mapping[str, float]) -> Flag | None:
    myocardium = sum(volumes_ml.values()) - volumes_ml["lv_cavity"]
    removed: dict[str, float] = {}
    for piece in prediction.removed_components:
        removed[piece.structure] = removed.get(piece.structure, 0.0) + piece.volume_ml
    share = sum(removed.values()) / max(myocardium, 1e-9)
    if share < _REMOVED_SHARE:
        return None
    percent = {f"{name}_percent": round(100 * ml / max(myocardium, 1e-9), 1) for name, ml in removed.items()}
    return Flag(
        code="removed-pieces",
        severity="warning",
        message=f"clean-up changed as much as {share:.0%} of the myocardium; it may have been heart",
        evidence=percent,
    )


def _uncertain(study: Study, prediction: Prediction, volumes_ml: Mapping[str, float]) -> Flag | None:
    mean = float(np.nanmean(prediction.confidence)) if np.isfinite(prediction.confidence).any() else float("nan")
    if not mean < _LOW_CONFIDENCE:
        return None
    return Flag(
        code="low-confidence",
        severity="warning",
        message=f"the model is unsure: mean probability of what it drew {mean:.2f}",
        evidence={"confidence": round(mean, 3)},
    )


def _large(study: Study, prediction: Prediction, volumes_ml: Mapping[str, float]) -> Flag | None:
    lesion = volumes_ml["infarct"] + volumes_ml["no_reflow"]
    share = 100 * lesion / max(lesion + volumes_ml["myo_normal"], 1e-9)
    if share < _LARGEST_SHARE:
        return None
    return Flag(
        code="infarct-very-large",
        severity="warning",
        message=f"{share:.0f} % of the myocardium are called infarct, more than in any case the model learned from",
        evidence={"infarct_percent": round(share, 1)},
    )
