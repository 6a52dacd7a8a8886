"""How good a model is in one number a patient and metric, whatever its task: what runs are compared by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from cinema_cmr.core.errors import InputError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.data.cases import AnnotatedStudy
from cinema_cmr.engine.answers import StudyAnswerer
from cinema_cmr.engine.evaluate import evaluate_segmentation
from cinema_cmr.engine.evaluate_answers import evaluate_answers
from cinema_cmr.engine.evaluate_landmarks import evaluate_landmarks
from cinema_cmr.engine.known import mean_of_known
from cinema_cmr.engine.landmarks import LandmarkFinder
from cinema_cmr.engine.predictor import predict_study
from cinema_cmr.engine.runtime import Runtime
from cinema_cmr.engine.segmenter import Segmenter
from cinema_cmr.models.loaded import LoadedModel
from cinema_cmr.score.overlap import dice_by_class

__all__ = ["METRICS", "Metric", "PatientValues", "main_metric", "patient_values"]

PatientValues = dict[str, dict[str, float]]
"""Metric -> patient -> value; NaN where a patient has none."""


@dataclass(frozen=True, kw_only=True)
class Metric:
    """What a number means."""

    title: str
    unit: str = ""
    digits: int = 3
    larger_is_better: bool = True


METRICS: Mapping[str, Metric] = {
    "dice_mean": Metric(title="mean Dice"),
    "dice_lv": Metric(title="Dice LV"),
    "dice_myo": Metric(title="Dice myocardium"),
    "dice_rv": Metric(title="Dice RV"),
    "dice_lv_cavity": Metric(title="Dice LV cavity"),
    "dice_myocardium": Metric(title="Dice whole myocardium"),
    "where_present_dice_infarct": Metric(title="Dice infarct, where there is one"),
    "lv_ef_error": Metric(title="LVEF, absolute error", unit="points", digits=1, larger_is_better=False),
    "rv_ef_error": Metric(title="RVEF, absolute error", unit="points", digits=1, larger_is_better=False),
    "distance": Metric(title="distance of landmarks", unit="mm", digits=1, larger_is_better=False),
    "mapse_error": Metric(title="MAPSE, absolute error", unit="mm", digits=1, larger_is_better=False),
    "absolute_error": Metric(title="absolute error", digits=2, larger_is_better=False),
    "right": Metric(title="share right", digits=2),
}
"""In the order in which they are told; the first that a run has is its main one."""


def main_metric(values: Mapping[str, Mapping[str, float]]) -> str:
    """The metric that a run of these values is compared by first."""
    return next(name for name in METRICS if name in values)


def patient_values(loaded: LoadedModel, studies: Sequence[AnnotatedStudy], runtime: Runtime) -> PatientValues:
    """The metrics of a model's task, over the studies that have its reference; the mean where a patient has several.

    Segmentation of the stack is scored frame by frame on the native grid with its own localisation, that of long-axis
    planes on whole cines. Raises `InputError` where no study has what is needed.
    """
    if loaded.card.task == "landmark":
        return _of_landmarks(LandmarkFinder(loaded, runtime), studies)
    if loaded.card.task in ("regress", "classify"):
        return _of_answers(StudyAnswerer(loaded, runtime), studies)
    segmenter = Segmenter(loaded.members, loaded.card, runtime)
    return _of_stack(segmenter, studies) if View.SAX in loaded.card.grids else _of_planes(segmenter, studies)


def _of_stack(segmenter: Segmenter, studies: Iterable[AnnotatedStudy]) -> PatientValues:
    rows: list[tuple[str, dict[str, float]]] = []
    for score in evaluate_segmentation([s for s in studies if View.SAX in s.labels], segmenter):
        names = {name for frame in score.frames for name in frame if "worst" not in name and "dice" in name}
        found = {name: score.mean(name) for name in names}
        found["dice_mean"] = mean_of_known(value for name, value in found.items() if name.startswith("dice_"))
        for metric, name in (("lv_ef_error", "lv_ef_percent"), ("rv_ef_error", "rv_ef_percent")):
            if name in score.measured:
                found[metric] = _apart(score.measured[name], score.reference[name])
        rows.append((score.patient, found))
    return _by_metric(rows, "short-axis labels")


def _of_planes(segmenter: Segmenter, studies: Iterable[AnnotatedStudy]) -> PatientValues:
    rows: list[tuple[str, dict[str, float]]] = []
    for annotated in studies:
        labelled = [view for view in segmenter.card.grids if view in annotated.labels]
        cines = tuple(cine for cine in annotated.study.cines if cine.view in labelled)
        if not cines:
            continue
        predicted = predict_study(replace(annotated.study, cines=cines), segmenter)
        for view in labelled:
            truth, found = annotated.labels[view].array, predicted[view].labels.array
            frames = [
                dice_by_class(found[..., t], truth[..., t], scheme=annotated.labels[view].scheme)
                for t in annotated.labelled_frames[view]
            ]
            row = {f"dice_{name}": mean_of_known(frame[name] for frame in frames) for name in frames[0]}
            rows.append((annotated.patient, {**row, "dice_mean": mean_of_known(row.values())}))
    return _by_metric(rows, "long-axis labels")


def _of_landmarks(finder: LandmarkFinder, studies: Iterable[AnnotatedStudy]) -> PatientValues:
    rows = []
    for score in evaluate_landmarks(studies, finder):
        medians = [float(np.nanmedian(d)) for d in score.distances_mm.values() if np.isfinite(d).any()]
        names = [name for name in score.reference if name.startswith("mapse")]
        errors = mean_of_known(_apart(score.measured.get(name), score.reference[name]) for name in names)
        rows.append((score.patient, {"distance": mean_of_known(medians), "mapse_error": errors}))
    return _by_metric(rows, "landmarks")


def _of_answers(answerer: StudyAnswerer, studies: Iterable[AnnotatedStudy]) -> PatientValues:
    rows = []
    for score in evaluate_answers(studies, answerer):
        if answerer.card.task == "regress":
            rows.append((score.patient, {"absolute_error": _apart(next(iter(score.answer.values())), score.known)}))
        else:
            told = max(score.answer, key=lambda name: score.answer[name])
            known = score.known if isinstance(score.known, str) else f"{score.known:g}"
            rows.append((score.patient, {"right": float(told == known)}))
    return _by_metric(rows, "known answers")


def _apart(measured: float | None, known: float | str | None) -> float:
    if measured is None or known is None or isinstance(known, str):
        return float("nan")
    return abs(measured - known)


def _by_metric(rows: Sequence[tuple[str, dict[str, float]]], what: str) -> PatientValues:
    if not rows:
        raise InputError(f"no study has {what} to score by")
    lists: dict[str, dict[str, list[float]]] = {}
    for patient, row in rows:
        for name in (name for name in METRICS if name in row):
            lists.setdefault(name, {}).setdefault(patient, []).append(row[name])
    return {name: {p: mean_of_known(its) for p, its in lists[name].items()} for name in METRICS if name in lists}
