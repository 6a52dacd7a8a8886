"""Classification of a still image as cine frame or late enhancement, to detect images of the wrong modality.

A linear rule on intensities around the predicted heart. In a cine, blood is bright, uneven and far from the intensity
of the wall, and lung is dark; in late enhancement, blood is close to the wall and the surroundings are grey. The rule
was fitted to the expert masks of the training patients of ACDC (both frames) and EMIDEC by
`benchmarks/scar_modality.py`, which reports its error rate.
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
"""Code of the flag for an image of the wrong modality."""

_PERCENTILES = (10, 25, 50, 75, 90)
_WEIGHTS = np.array([27.87, 29.55, 32.38, 7.87, 0.77, -22.19, -3.75, -66.94, 90.09])
"""Weights of the percentiles of the surroundings, the medians of blood and wall, and their standard deviations."""
_OFFSET = -6.63
_RANGE = (0.95, 99.5)
"""Percentiles of the surroundings that are mapped to 0 and 1."""
_MIN_VOXELS = 50
"""Smallest number of voxels of blood and of wall that the rule needs."""

_CAVITY = {"cine": "lv", "chambers": "lv", "scar": "lv_cavity"}
_WALL = {"cine": ("myo",), "chambers": ("myo",), "scar": ("myo_normal", "infarct", "no_reflow")}
_TITLES = {"cine": "cine frame", "lge": "late-enhancement image"}


def intensity_features(
    frame: NDArray[np.float32], labels: NDArray[np.uint8], scheme: str
) -> NDArray[np.float64] | None:
    """Return the (9,) features of the rule from a frame (x, y, z) and labels; None with too little blood or wall."""
    codes = {label.name: label.code for label in LABEL_SCHEMES[scheme]}
    walls = [codes[name] for name in _WALL[scheme]]
    if min((labels == codes[_CAVITY[scheme]]).sum(), np.isin(labels, walls).sum()) < _MIN_VOXELS:
        return None
    around = _surroundings(labels)
    image, classes = frame[around], labels[around]
    scaled = normalise(image, _RANGE)
    blood, wall = scaled[classes == codes[_CAVITY[scheme]]], scaled[np.isin(classes, walls)]
    levels = np.percentile(scaled[image > image.min()], _PERCENTILES) if np.ptp(image) > 0 else np.zeros(5)
    return np.array([*levels, np.median(blood), np.median(wall), blood.std(), wall.std()], np.float64)


def late_enhancement_score(features: NDArray[np.float64]) -> float:
    """Return the log odds of the linear rule: above 0 for late enhancement, below 0 for a cine."""
    return float(_WEIGHTS @ features + _OFFSET)


def modality_flag(study: Study, prediction: Prediction, card: ModelCard) -> Flag | None:
    """Flag an image of another modality than the model's, by its frames, its study or its intensities."""
    scheme = prediction.labels.scheme
    if scheme not in _CAVITY:
        return None
    cine = study.cine(prediction.view)
    if card.modality == "lge" and cine.n_frames > 1:
        return _flag(card, "cine", f"{cine.n_frames} frames", {"frames": cine.n_frames})
    if card.modality == "cine" and (cine.n_frames > 1 or study.modality == "lge"):
        return None if study.modality == "cine" else _flag(card, "lge", "by the metadata of the study", {})
    features = intensity_features(cine.array[..., 0], prediction.labels.array[..., 0], scheme)
    if features is None:
        return None
    score = late_enhancement_score(features)
    modality = "lge" if score > 0 else "cine"
    if modality == card.modality:
        return None
    return _flag(card, modality, "by its intensities", {"late_enhancement_score": round(score, 1)})


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


def _flag(card: ModelCard, modality: str, reason: str, evidence: dict[str, str | int | float | bool | None]) -> Flag:
    return Flag(
        code=MODALITY_MISMATCH,
        severity="error",
        message=f"the image is a {_TITLES[modality]} ({reason}), but the model '{card.name}' was trained on"
        f" {_TITLES[card.modality]}s: do not use these measurements",
        evidence={"model_modality": card.modality, "image_modality": modality, **evidence},
    )


def _surroundings(labels: NDArray[np.uint8]) -> tuple[slice, slice, slice]:
    """Return the box around all labels, enlarged in plane by half its size on each side."""
    voxels = np.argwhere(labels > 0)
    (x0, y0, z0), (x1, y1, z1) = voxels.min(axis=0).tolist(), (voxels.max(axis=0) + 1).tolist()
    rx, ry = (x1 - x0) // 2, (y1 - y0) // 2
    return slice(max(0, x0 - rx), x1 + rx), slice(max(0, y0 - ry), y1 + ry), slice(z0, z1)
