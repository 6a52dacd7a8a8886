"""Numbers and disease groups from the measurements of masks: the experts', or those of a segmentation model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from cinema_cmr.core.annotation import LabelMap
from cinema_cmr.core.vocabulary import View
from cinema_cmr.data.cases import AnnotatedStudy
from cinema_cmr.data.training_set import TrainingData
from cinema_cmr.disease.model import DiseaseModel
from cinema_cmr.inference.predictor import predict_cine
from cinema_cmr.inference.runtime import choose_runtime
from cinema_cmr.inference.segmenter import Segmenter
from cinema_cmr.models.loaded import LoadedModel
from cinema_cmr.recipes.disease_groups import measured_patient, train_disease_model
from cinema_cmr.tasks.result import Result
from cinema_cmr.tasks.targets import reference_measurements, target_value

__all__ = ["classify_by_measurements", "measure_number"]

Labelled = TrainingData[AnnotatedStudy]


def measure_number(
    data: Labelled,
    target: str,
    masks_of: LoadedModel | None = None,
    *,
    device: str = "auto",
    report: Callable[[object], None] = lambda study: None,
) -> list[Result]:
    """Compare a measurement of each held-out patient's masks with its value in the dataset's facts.

    The masks are the experts', or with `masks_of` that model's; a patient in whom the measurement fails has none.
    `report` receives each study before it is measured.
    """
    segmenter = _segmenter(masks_of, device)
    results = []
    for study in data.val:
        report(study)
        target_number = target_value(study, target)
        if not isinstance(target_number, float):
            continue
        labels = study.labels if segmenter is None else {**study.labels, View.SAX: _predict(segmenter, study)}
        measured = reference_measurements(replace(study, labels=labels))
        value = None if measured is None else measured.value(target)
        results.append(
            Result(
                study=study.study.name,
                patient=study.patient,
                scores={"absolute_error": np.nan if value is None else abs(value - target_number)},
                measured={target: value},
                reference={target: target_number},
            )
        )
    return results


def classify_by_measurements(
    data: Labelled,
    masks_of: LoadedModel | None = None,
    *,
    device: str = "auto",
    seed: int = 0,
    report: Callable[[object], None] = lambda study: None,
) -> tuple[list[Result], DiseaseModel]:
    """Fit the linear model of disease groups on the experts' masks, and classify the held-out patients.

    Their masks are the experts', or with `masks_of` that model's. A patient without a class, since a measurement is
    missing, counts as wrong. `report` receives each study before it is classified.
    """
    model = train_disease_model(replace(data, val=()), seed=seed)
    segmenter = _segmenter(masks_of, device)
    results = []
    for study in data.val:
        report(study)
        patient = measured_patient(study, None if segmenter is None else _predict(segmenter, study))
        probs = model.classify(patient.found).probabilities
        predicted = max(probs, key=lambda group: probs[group]) if probs else None
        results.append(
            Result(
                study=study.study.name,
                patient=study.patient,
                scores={"correct": float(predicted == patient.group)},
                target=patient.group,
            )
        )
    return results, model


def _segmenter(masks_of: LoadedModel | None, device: str) -> Segmenter | None:
    if masks_of is None:
        return None
    return Segmenter(masks_of, choose_runtime(device, "auto"))


def _predict(segmenter: Segmenter, study: AnnotatedStudy) -> LabelMap:
    return predict_cine(study.study.cine(View.SAX), segmenter).labels
