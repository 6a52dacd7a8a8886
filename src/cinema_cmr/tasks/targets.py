"""Targets of an annotated study: its facts, and the measurements of its reference masks."""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from cinema_cmr.core.results import Measurements
from cinema_cmr.core.vocabulary import CINE_LABELS, View
from cinema_cmr.data.cases import AnnotatedStudy
from cinema_cmr.measure.measure import measure_masks
from cinema_cmr.score.statistics import finite_mean
from cinema_cmr.tasks.mask_scores import labelled_cine

__all__ = ["baseline_target", "bounds_of_cycle", "class_name", "reference_measurements", "target_value"]

_MEASURED: dict[int, Measurements | None] = {}
"""By the identity of a study, for as long as it lives."""

_LV = next(label.code for label in CINE_LABELS if label.name == "lv")


def target_value(annotated: AnnotatedStudy, name: str) -> float | str | None:
    """Return a number or group of a study by name; None if it is unknown.

    `name`: a fact of the dataset ("group", a column of its table), "bmi" (kg/m2, of height and weight), a fact of the
    subject ("age_years", "sex", ...), or a measurement of the experts' short-axis masks ("lv_ef_percent", ...).
    """
    if name in annotated.facts:
        fact = annotated.facts[name]
        return fact if fact is None or isinstance(fact, str) else float(fact)
    subject = annotated.study.subject
    if name == "bmi":
        height, weight = subject.height_cm, subject.weight_kg
        return weight / (height / 100) ** 2 if height and weight else None
    if name in vars(subject):
        value = getattr(subject, name)
        return value if value is None or isinstance(value, str) else float(value)
    measured = reference_measurements(annotated)
    try:
        return None if measured is None else measured.value(name)
    except KeyError:
        return None


def class_name(value: float | str | None) -> str:
    """Return the class that a target names, numbers without trailing zeros."""
    return value if isinstance(value, str) else "unknown" if value is None else f"{value:g}"


def baseline_target(studies: Sequence[AnnotatedStudy], name: str, *, is_class: bool) -> float | str:
    """Return the prediction without a model: the mean of the studies' targets, or the commonest class.

    Of equally common classes the first by name is taken.
    """
    targets = [target for study in studies if (target := target_value(study, name)) is not None]
    if not is_class:
        return finite_mean(target for target in targets if isinstance(target, float))
    counts = Counter(class_name(target) for target in targets)
    return min(counts, key=lambda one: (-counts[one], one))


def reference_measurements(annotated: AnnotatedStudy) -> Measurements | None:
    """What the labelled short-axis frames measure, by our rules; None without whole cine labels.

    A study that is still in memory is measured once, however often this is called.
    """
    key = id(annotated)
    if key not in _MEASURED:
        _MEASURED[key] = _measured(annotated)
        weakref.finalize(annotated, _MEASURED.pop, key)
    return _MEASURED[key]


def _measured(annotated: AnnotatedStudy) -> Measurements | None:
    labels = annotated.labels.get(View.SAX)
    if labels is None or labels.scheme != "cine" or not labels.is_complete:
        return None
    study = replace(annotated.study, cines=(labelled_cine(annotated),))
    return measure_masks(study, labels.select(annotated.labelled_frames[View.SAX]))


def bounds_of_cycle(annotated: AnnotatedStudy) -> tuple[float, float]:
    """End-diastole and end-systole as parts of the cycle (0 to below 1) of the short-axis cine.

    Those are the labelled frames with the most and the least LV; without labels the first frame, and that after
    two fifths of the cycle (of two frames the second, see `tasks.scalar`).
    """
    labels, frames = annotated.labels.get(View.SAX), annotated.labelled_frames.get(View.SAX, ())
    if labels is None or labels.scheme != "cine" or len(frames) < 2:
        return 0.0, 0.4
    volumes = [int((labels.array[..., frame] == _LV).sum()) for frame in frames]
    n_frames = labels.array.shape[3]
    return frames[int(np.argmax(volumes))] / n_frames, frames[int(np.argmin(volumes))] / n_frames
