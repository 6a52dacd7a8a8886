"""Parts of an analysis, made of the records of its results folder; and its masks measured anew."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields, replace

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.annotation import LabelMap, Landmarks, without_empty_atria
from cinema_cmr.core.results import (
    Flag,
    HeartLocation,
    LandmarkPrediction,
    Measurements,
    Prediction,
    RemovedComponent,
)
from cinema_cmr.core.run_facts import OptionValue, RunFacts
from cinema_cmr.core.serialise import from_dict
from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import LABEL_SCHEMES, View
from cinema_cmr.measure.measure import MeasureOptions, measure_study
from cinema_cmr.measure.quality.landmarks import plausible_by_view
from cinema_cmr.measure.volumes import OLD_BASAL_RULES
from cinema_cmr.report.record.run_record import RunRecord
from cinema_cmr.report.record.study_record import LandmarkRecord, Numbers, Point, PredictionRecord, StudyRecord

__all__ = [
    "complete_options",
    "label_scheme",
    "measure_again",
    "n_label_codes",
    "scheme_codes",
    "stored_array",
    "stored_labels",
    "stored_landmarks",
    "stored_measurements",
    "stored_options",
    "stored_prediction",
    "stored_run_facts",
]

_OF_THE_MODEL = (
    "modality-mismatch",
    "heart-exceeds-fov",
    "low-confidence",
    "low-contrast",
    "masks-experimental",
    "landmarks-experimental",
)
"""Flags that need the model or its images: taken over from the record, whatever became of the masks."""

_OF_ITS_MASKS = ("heart-exceeds-fov", "low-confidence", "removed-components")
"""Flags that speak of the masks as the model made them."""

_SAID = " (of the model's own masks)"


def label_scheme(record: StudyRecord, view: View) -> str:
    """Return the scheme of the codes that a view's mask may hold.

    Masks of long-axis planes of a cine may have the atria: those of models and readers that leave them out are in the
    scheme "cine", whose codes are the first of "chambers" (`stored_labels`).
    """
    return "scar" if record.study.modality == "lge" else view.cine_scheme


def scheme_codes(scheme: str) -> dict[int, int]:
    """Return the codes that a mask of a scheme may hold, each standing for itself."""
    return {label.code: label.code for label in LABEL_SCHEMES[scheme]}


def n_label_codes(record: StudyRecord, view: View) -> int:
    """Return the number of codes that a view's mask may hold, background included."""
    return 1 + max(scheme_codes(label_scheme(record, view)))


def stored_labels(array: NDArray[np.uint8], record: StudyRecord, view: View) -> LabelMap:
    """Return a mask of a view that was read or edited, as a label map: of a cine's scheme where it has no atrium."""
    return without_empty_atria(LabelMap(array=array, scheme=label_scheme(record, view)))


def stored_measurements(record: StudyRecord) -> Measurements:
    """Return the measurements as they stand in the record, without the disease model's result."""
    return Measurements(
        measured=record.measurements,
        curves={name: stored_array(values) for name, values in record.curves.values.items()},
        times_ms=None if record.curves.times_ms is None else stored_array(record.curves.times_ms),
        flags=record.flags,
    )


def stored_options(run: RunRecord) -> MeasureOptions:
    """Return the rules of measurement of a run."""
    return _rules(run.options)


def complete_options(options: Mapping[str, OptionValue]) -> dict[str, OptionValue]:
    """Return the options of a run, of an earlier version too, with every rule of measurement by its present name.

    A rule that such a version did not have is the default, which is what it did; its null is none of the reader's.
    """
    return {**options, **asdict(_rules(options))}


def _rules(options: Mapping[str, OptionValue]) -> MeasureOptions:
    names = {field.name for field in fields(MeasureOptions)}
    given = {name: value for name, value in options.items() if name in names and value is not None}
    if "basal_rule" in given:
        given["basal_rule"] = OLD_BASAL_RULES.get(str(given["basal_rule"]), given["basal_rule"])
    rules: MeasureOptions = from_dict(MeasureOptions, given)
    return rules


def stored_landmarks(record: StudyRecord) -> dict[View, LandmarkPrediction]:
    """Return the landmarks, with the points that a reader moved, without the centre of the model's field of view."""
    edits = record.edits.points if record.edits else ()
    return {
        one.view: _landmarks(one, frozenset(edit.frame for edit in edits if edit.view == one.view))
        for one in record.landmarks
    }


def stored_prediction(one: PredictionRecord, labels: NDArray[np.uint8], record: StudyRecord) -> Prediction:
    """Return a prediction with these labels; its model's field of view and threshold of confidence are unknown."""
    return Prediction(
        view=one.view,
        labels=stored_labels(labels, record, one.view),
        confidence=stored_array(one.confidence).astype(np.float32),
        location=HeartLocation(centre=one.centre_voxels, method=one.location_method, evidence=one.evidence),
        removed_components=tuple(RemovedComponent(**vars(part)) for part in one.removed_components),
        model=one.model,
    )


def measure_again(
    study: Study,
    predictions: Mapping[View, Prediction],
    options: MeasureOptions,
    record: StudyRecord,
    *,
    landmarks: Mapping[View, LandmarkPrediction] | None = None,
    corrected: bool = False,
) -> Measurements:
    """Measure masks with landmarks, by default the record's; flags that need the model are those of the record.

    Where the masks are `corrected`, such flags say that they are of the model's own masks.
    """
    plausible, landmark_flags = plausible_by_view(stored_landmarks(record) if landmarks is None else landmarks)
    found = measure_study(study, predictions, options=options, landmarks=plausible)
    kept = [flag for flag in record.flags if flag.code in _OF_THE_MODEL]
    flags = (*landmark_flags, *_without(found.flags), *kept)
    return replace(found, flags=tuple(_of_the_masks(flag, corrected=corrected) for flag in flags))


def _without(flags: tuple[Flag, ...]) -> tuple[Flag, ...]:
    return tuple(flag for flag in flags if flag.code not in _OF_THE_MODEL)


def _of_the_masks(flag: Flag, *, corrected: bool) -> Flag:
    """Return a flag that says whose masks it is of, if it is of the model's and these are corrected."""
    if flag.code not in _OF_ITS_MASKS:
        return flag
    return replace(flag, message=flag.message.removesuffix(_SAID) + (_SAID if corrected else ""))


def stored_run_facts(run: RunRecord) -> RunFacts:
    """Return the facts of a run as they stand in run.json."""
    return RunFacts(
        model_name=run.model.name,
        model_hash=run.model.hash,
        device=run.model.device,
        precision=run.model.precision,
        inference_settings=run.model.inference_settings,
        seconds=run.seconds,
        options=run.options,
        input_sha256=run.input_sha256,
        package_version=run.versions.get("cinema_cmr"),
        python_version=run.versions.get("python") or "unknown",
        torch_version=run.versions.get("torch"),
        numpy_version=run.versions.get("numpy"),
    )


def stored_array(values: Numbers) -> NDArray[np.float64]:
    """Return numbers of a record as an array, NaN where they are unknown."""
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def _landmarks(one: LandmarkRecord, corrected: frozenset[int]) -> LandmarkPrediction:
    points = {name: _points(by_frame) for name, by_frame in one.points_ras_mm.items()}
    return LandmarkPrediction(
        landmarks=Landmarks(view=one.view, points=points),
        confidence={name: stored_array(by_frame) for name, by_frame in one.confidence.items()},
        centre=(np.nan, np.nan),
        model=one.model,
        corrected_frames=corrected,
    )


def _points(points: tuple[Point | None, ...]) -> NDArray[np.float64]:
    return np.array([(np.nan,) * 3 if point is None else point for point in points], dtype=np.float64)
