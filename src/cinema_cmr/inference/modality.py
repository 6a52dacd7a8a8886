"""Whether a still image looks like a cine frame or like late enhancement, to notice the one given for the other.

A linear rule on intensities about the predicted heart. In a cine the blood is bright, uneven and far from the wall,
and lung is dark; in late enhancement blood is near to the wall and the surroundings are grey. Fitted to what experts
drew on the training patients of ACDC (both frames) and EMIDEC by `benchmarks/scar_modality.py`, which says how often
it errs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.card import ModelCard
from cinema_cmr.core.results import Flag, Prediction
from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import LABEL_SCHEMES, View
from cinema_cmr.image.intensity import normalise

__all__ = [
    "MODALITY_MISMATCH",
    "intensity_features",
    "late_enhancement_score",
    "modality_flag",
    "modality_flags",
    "study_for_model",
]

MODALITY_MISMATCH = "modality-mismatch"
"""Code of the flag."""

_PERCENTILES = (10, 25, 50, 75, 90)
_WEIGHTS = np.array([27.87, 29.55, 32.38, 7.87, 0.77, -22.19, -3.75, -66.94, 90.09])
"""Of the percentiles of the surroundings, the medians of blood and wall, and their standard deviations."""
_OFFSET = -6.63
_RANGE = (0.95, 99.5)
"""Percentiles of the surroundings that become 0 and 1."""
_FEWEST_VOXELS = 50
"""Less blood or wall than this says nothing."""

_CAVITY = {"cine": "lv", "scar": "lv_cavity"}
_WALL = {"cine": ("myo",), "scar": ("myo_normal", "infarct", "no_reflow")}
_TITLES = {"cine": "cine frame", "lge": "late-enhancement image"}


def intensity_features(
    frame: NDArray[np.float32], labels: NDArray[np.uint8], scheme: str
) -> NDArray[np.float64] | None:
    """(9,) what the rule looks at, in a frame (x, y, z) with its labels; None with too little blood or wall."""
    codes = {label.name: label.code for label in LABEL_SCHEMES[scheme]}
    walls = [codes[name] for name in _WALL[scheme]]
    if min((labels == codes[_CAVITY[scheme]]).sum(), np.isin(labels, walls).sum()) < _FEWEST_VOXELS:
        return None
    around = _surroundings(labels)
    near, drawn = frame[around], labels[around]
    scaled = normalise(near, _RANGE)
    blood, wall = scaled[drawn == codes[_CAVITY[scheme]]], scaled[np.isin(drawn, walls)]
    levels = np.percentile(scaled[near > near.min()], _PERCENTILES) if np.ptp(near) > 0 else np.zeros(5)
    return np.array([*levels, np.median(blood), np.median(wall), blood.std(), wall.std()], np.float64)


def late_enhancement_score(features: NDArray[np.float64]) -> float:
    """Above 0 for what looks like late enhancement, below for a cine: log odds of the linear rule."""
    return float(_WEIGHTS @ features + _OFFSET)


def modality_flag(study: Study, prediction: Prediction, card: ModelCard) -> Flag | None:
    """An error where the image is not what the model was made for: by its frames, the reader, or its intensities."""
    scheme = prediction.labels.scheme
    if scheme not in _CAVITY:
        return None
    cine = study.cine(prediction.view)
    if card.modality == "lge" and cine.n_frames > 1:
        return _flag(card, "cine", f"has {cine.n_frames} frames", {"frames": cine.n_frames})
    if card.modality == "cine" and (cine.n_frames > 1 or study.modality == "lge"):
        return None if study.modality == "cine" else _flag(card, "lge", "was read as such", {})
    features = intensity_features(cine.array[..., 0], prediction.labels.array[..., 0], scheme)
    if features is None:
        return None
    score = late_enhancement_score(features)
    looks = "lge" if score > 0 else "cine"
    if looks == card.modality:
        return None
    return _flag(card, looks, "looks so by its intensities", {"late_enhancement_score": round(score, 1)})


def modality_flags(study: Study, predictions: Iterable[Prediction], card: ModelCard) -> tuple[Flag, ...]:
    """Return the `modality_flag` of every prediction that has one."""
    flags = (modality_flag(study, prediction, card) for prediction in predictions)
    return tuple(flag for flag in flags if flag is not None)


def study_for_model(study: Study, card: ModelCard) -> Study:
    """Return the study as late enhancement if it is a still stack and the model is one of late enhancement.

    Files do not state it. A single frame is then no issue.
    """
    still = View.SAX in study and study[View.SAX].n_frames == 1
    if not still or card.modality != "lge":
        return study
    issues = tuple(issue for issue in study.issues if issue.code != "single-frame")
    return replace(study, modality="lge", issues=issues)


def _flag(card: ModelCard, looks: str, why: str, evidence: dict[str, str | int | float | bool | None]) -> Flag:
    return Flag(
        code=MODALITY_MISMATCH,
        severity="error",
        message=f"the image is a {_TITLES[looks]} ({why}), but the model '{card.name}' learned from"
        f" {_TITLES[card.modality]}s: no number here is to be used",
        evidence={"model_modality": card.modality, "image_modality": looks, **evidence},
    )


def _surroundings(labels: NDArray[np.uint8]) -> tuple[slice, slice, slice]:
    """The box around all labels, in plane with half its size more on each side."""
    spots = np.argwhere(labels > 0)
    (x0, y0, z0), (x1, y1, z1) = spots.min(axis=0).tolist(), (spots.max(axis=0) + 1).tolist()
    rx, ry = (x1 - x0) // 2, (y1 - y0) // 2
    return slice(max(0, x0 - rx), x1 + rx), slice(max(0, y0 - ry), y1 + ry), slice(z0, z1)
