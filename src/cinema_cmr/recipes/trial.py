"""A trial: a model is trained on one part of a dataset and asked about each patient of another; one document.

The document has, beside what the run was, one entry a patient with its values by name, so that trials can be averaged
over seeds and compared on the same patients. Differences are signed, model minus reference.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from cinema_cmr.core.errors import UsageError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.data.cases import AnnotatedStudy
from cinema_cmr.engine.trainer import Progress
from cinema_cmr.evaluation.eligible import choose_scorable
from cinema_cmr.evaluation.landmark import LandmarkScore, evaluate_landmarks
from cinema_cmr.evaluation.record import patient_row
from cinema_cmr.evaluation.scalar import ScalarResult, evaluate_answers
from cinema_cmr.evaluation.segmentation import evaluate_segmentation
from cinema_cmr.inference.landmark_predictor import LandmarkPredictor
from cinema_cmr.inference.predictor import predict_cine
from cinema_cmr.inference.runtime import Runtime, choose_runtime
from cinema_cmr.inference.scalar_predictor import ScalarPredictor
from cinema_cmr.inference.segmenter import Segmenter
from cinema_cmr.models.loaded import LoadedModel
from cinema_cmr.recipes.disease_groups import measured_patient, train_disease_model
from cinema_cmr.recipes.experiment import Experiment
from cinema_cmr.recipes.finetune import TrainingData, finetune
from cinema_cmr.score.statistics import finite_mean
from cinema_cmr.tasks.targets import reference_measurements, target_value

__all__ = ["measured_number_trial", "measured_trial", "shipped_trial", "trial"]

Values = Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class _Answer:
    """Of one study: the patient's values, and what is known where that is a class."""

    patient: str
    values: Values
    known: str | None = None


def trial(
    experiment: Experiment,
    data: TrainingData[AnnotatedStudy],
    folder: Path,
    *,
    start: LoadedModel | None = None,
    report: Callable[[Progress], None] | None = None,
) -> dict[str, Any]:
    """Train in `folder` (or go on there), and score every patient of `data.val` on its own grid.

    The held-out patients choose nothing: neither the step that is kept nor a threshold. Raises what
    `recipes.finetune.finetune` and the evaluations of `engine` raise.
    """
    began = time.monotonic()
    loaded = finetune(experiment, data, folder, start=start, report=report).load()
    trained = time.monotonic()
    runtime = choose_runtime(experiment.train.accelerator, experiment.train.precision)
    answers = _ASKED[loaded.card.task](loaded, runtime, data)
    return _document(
        answers,
        data,
        model=loaded.card.name,
        hash=loaded.card.weights_sha256,
        n_steps=experiment.train.n_steps,
        seconds=trained - began,
        seconds_to_score=time.monotonic() - trained,
    )


def shipped_trial(loaded: LoadedModel, data: TrainingData[AnnotatedStudy], *, device: str = "auto") -> dict[str, Any]:
    """A model that is there already, asked about every patient of `data.val`."""
    began = time.monotonic()
    answers = _ASKED[loaded.card.task](loaded, choose_runtime(device, "auto"), data)
    about = {"model": loaded.card.name, "hash": loaded.card.weights_sha256, "n_steps": 0, "seconds": 0.0}
    return _document(answers, data, **about, seconds_to_score=time.monotonic() - began)


def measured_number_trial(
    data: TrainingData[AnnotatedStudy], target: str, *, masks_of: LoadedModel | None = None, device: str = "auto"
) -> dict[str, Any]:
    """A number as masks measure it (the experts', or with `masks_of` that model's), against the one that is known.

    A patient in whom it cannot be measured has no value.
    """
    began = time.monotonic()
    mean = _mean_learned(data.train, target)
    segmenter = None
    if masks_of is not None:
        segmenter = Segmenter(masks_of, choose_runtime(device, "auto"))
    answers = []
    for study in data.val:
        shown, known = study, target_value(study, target)
        if segmenter is not None:
            labels = predict_cine(study.study.cine(View.SAX), segmenter).labels
            shown = replace(study, labels={**study.labels, View.SAX: labels})
        measured = reference_measurements(shown)
        value = None if measured is None else measured.value(target)
        if isinstance(known, float):
            difference = float("nan") if value is None else value - known
            answers.append(_Answer(patient=study.patient, values={"difference": difference, "blind": mean - known}))
    name = "experts' masks" if masks_of is None else masks_of.card.name
    about = {"model": name, "hash": "" if masks_of is None else masks_of.card.weights_sha256, "n_steps": 0}
    return _document(answers, data, **about, seconds=0.0, seconds_to_score=time.monotonic() - began)


def measured_trial(
    data: TrainingData[AnnotatedStudy], *, masks_of: LoadedModel | None = None, device: str = "auto", seed: int = 0
) -> dict[str, Any]:
    """The linear model of disease groups, fitted on the experts' masks and asked about held-out patients.

    With `masks_of`, a segmentation model, it is asked about that model's masks; else about the experts'. A patient
    without an answer, since a measurement is missing, counts as wrong.
    """
    began = time.monotonic()
    # Without the held-out patients: its own scores of them are made below, patient by patient.
    model = train_disease_model(replace(data, val=()), seed=seed)
    fitted = time.monotonic()
    segmenter = None
    if masks_of is not None:
        segmenter = Segmenter(masks_of, choose_runtime(device, "auto"))
    common = _commonest(str(study.facts["group"]) for study in data.train)
    answers = []
    for study in data.val:
        labels = None if segmenter is None else predict_cine(study.study.cine(View.SAX), segmenter).labels
        patient = measured_patient(study, labels)
        said = model.classify(patient.found).probabilities
        told = max(said, key=lambda group: said[group]) if said else None
        values = {"right": float(told == patient.group), "blind": float(common == patient.group)}
        answers.append(_Answer(patient=study.patient, values=values, known=patient.group))
    times = {"seconds": fitted - began, "seconds_to_score": time.monotonic() - fitted}
    return _document(answers, data, model=model.name, hash=model.sha256, n_steps=0, **times)


def _document(answers: Sequence[_Answer], data: TrainingData[AnnotatedStudy], **about: Any) -> dict[str, Any]:
    return {
        **about,
        "data": data.card.name,
        "split_sha256": data.split.sha256,
        "n_learned_from": len({study.patient for study in data.train}),
        "patients": _by_patient(answers),
    }


def _by_patient(answers: Sequence[_Answer]) -> list[dict[str, Any]]:
    """One entry a patient, with the mean of its studies."""
    found: dict[str, list[_Answer]] = {}
    for answer in answers:
        found.setdefault(answer.patient, []).append(answer)
    return [
        {
            "patient": patient,
            "known": its[0].known,
            "values": {
                name: finite_mean(a.values.get(name, np.nan) for a in its) for name in dict.fromkeys(_names(its))
            },
        }
        for patient, its in found.items()
    ]


def _names(answers: Iterable[_Answer]) -> list[str]:
    return [name for answer in answers for name in answer.values]


def _outlined(loaded: LoadedModel, runtime: Runtime, data: TrainingData[AnnotatedStudy]) -> list[_Answer]:
    studies, _ = choose_scorable(data.val, loaded.card)
    # All labelled frames as one cine, as `cinema analyse` sees them: the heart is looked for once.
    scores = evaluate_segmentation(studies, Segmenter(loaded, runtime), together=True)
    rows = [patient_row(score) for score in scores]
    return [
        _Answer(patient=row["patient"], values={**row["scores"], **_differences(row["measured"], row["reference"])})
        for row in rows
    ]


def _pointed(loaded: LoadedModel, runtime: Runtime, data: TrainingData[AnnotatedStudy]) -> list[_Answer]:
    return [
        _Answer(patient=score.patient, values=_of_points(score))
        for score in evaluate_landmarks(data.val, LandmarkPredictor(loaded, runtime))
    ]


def _of_points(score: LandmarkScore) -> Values:
    medians = {
        f"distance_mm_{name}": float(np.median(known)) if (known := mm[np.isfinite(mm)]).size else float("nan")
        for name, mm in score.distances_mm.items()
    }
    mean = finite_mean(medians.values())
    return {"distance_mm": mean, **medians, **_differences(score.measured, score.reference)}


def _answered(loaded: LoadedModel, runtime: Runtime, data: TrainingData[AnnotatedStudy]) -> list[_Answer]:
    scores = evaluate_answers(data.val, ScalarPredictor(loaded, runtime))
    if loaded.card.task == "regress":
        mean = _mean_learned(data.train, loaded.card.outputs[0])
        return [_number(score, mean) for score in scores]
    target = str(loaded.card.training.get("answers", "group"))
    common = _commonest(_class(target_value(study, target)) for study in data.train)
    return [_class_told(score, common) for score in scores]


def _number(score: ScalarResult, mean: float) -> _Answer:
    if isinstance(score.known, str):
        raise UsageError(f"'{score.known}' is known of patient '{score.patient}'; expected a number: classify instead")
    told = next(iter(score.answer.values()))
    return _Answer(patient=score.patient, values={"difference": told - score.known, "blind": mean - score.known})


def _class_told(score: ScalarResult, common: str) -> _Answer:
    known = _class(score.known)
    told = max(score.answer, key=lambda name: score.answer[name])
    probs = {f"chance_{name}": value for name, value in score.answer.items()}
    values = {"right": float(told == known), "blind": float(common == known), **probs}
    return _Answer(patient=score.patient, values=values, known=known)


def _mean_learned(studies: Sequence[AnnotatedStudy], target: str) -> float:
    known = (target_value(study, target) for study in studies)
    return finite_mean(value for value in known if isinstance(value, float))


def _class(known: float | str | None) -> str:
    return known if isinstance(known, str) else f"{known:g}"


def _commonest(names: Iterable[str]) -> str:
    """The first by name of those that are most frequent."""
    counts = Counter(names)
    return min(counts, key=lambda name: (-counts[name], name))


def _differences(measured: Mapping[str, float | None], reference: Mapping[str, float | None]) -> dict[str, float]:
    """Measured minus reference of all that both know."""
    pairs = ((name, value, reference.get(name)) for name, value in measured.items())
    return {name: float(a - b) for name, a, b in pairs if a is not None and b is not None}


_ASKED: Mapping[str, Callable[[LoadedModel, Runtime, TrainingData[AnnotatedStudy]], list[_Answer]]] = {
    "segment": _outlined,
    "landmark": _pointed,
    "regress": _answered,
    "classify": _answered,
}
