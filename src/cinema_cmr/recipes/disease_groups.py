"""The disease model from measurements: features of experts' masks in, a model and its honest scores out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from cinema_cmr.core.annotation import LabelMap
from cinema_cmr.core.card import ModelCard
from cinema_cmr.core.errors import InputError
from cinema_cmr.core.serialise import Json, to_dict
from cinema_cmr.core.vocabulary import View
from cinema_cmr.data.cases import AnnotatedStudy
from cinema_cmr.disease.features import FEATURES, DiseaseFeatures, disease_features
from cinema_cmr.disease.fit import cross_validate, fit_linear, fit_temperature
from cinema_cmr.disease.model import DiseaseModel
from cinema_cmr.measure.measure import measure_masks
from cinema_cmr.recipes.card import combined_licence
from cinema_cmr.recipes.finetune import TrainingData
from cinema_cmr.score.classification import balanced_accuracy, confusion_matrix, score_classes
from cinema_cmr.score.statistics import bootstrap_interval, mean_interval

__all__ = ["GROUP_TITLES", "GroupScores", "MeasuredPatient", "measured_patient", "scores_of", "train_disease_model"]

GROUP_TITLES = {
    "NOR": "no disease found",
    "MINF": "previous infarction with reduced ejection fraction",
    "DCM": "dilated cardiomyopathy",
    "HCM": "hypertrophic cardiomyopathy",
    "RV": "abnormal right ventricle",
}
"""ACDC's groups (Bernard et al., IEEE TMI 2018;37:2514)."""

_MIN_OF_GROUP = 2
"""Patients of a group: one learns while another is held out."""

Predict = Callable[[AnnotatedStudy], LabelMap]


@dataclass(frozen=True, kw_only=True)
class MeasuredPatient:
    """One patient's group and features."""

    patient: str
    group: str
    found: DiseaseFeatures


@dataclass(frozen=True, kw_only=True)
class GroupScores:
    """Scores of a classification into groups, as a model's file records them."""

    n: int
    """Patients."""
    accuracy: tuple[float, float, float]
    """Value and 95 % interval."""
    balanced_accuracy: tuple[float, float, float]
    matthews: float
    auroc: float
    calibration_error: float
    mean_confidence: float
    confusion: tuple[tuple[int, ...], ...]
    """Counts by true (row) and predicted group."""
    wrong: tuple[str, ...]
    """The misclassified patients, in words."""
    without_answer: int
    """Patients without features."""


def measured_patient(annotated: AnnotatedStudy, labels: LabelMap | None = None) -> MeasuredPatient:
    """Return the features of the reference mask, or of `labels` on the same cine; `InputError` without a group."""
    group = annotated.facts.get("group")
    if group is None:
        raise InputError(f"study '{annotated.study.name}' has no group; expected a column 'group' in its facts")
    cine, mask = annotated.study.cine(View.SAX), labels or annotated.labels[View.SAX]
    found = disease_features(measure_masks(annotated.study, mask), cine, mask)
    return MeasuredPatient(patient=annotated.patient, group=str(group), found=found)


def train_disease_model(
    data: TrainingData[AnnotatedStudy],
    *,
    predict: Predict | None = None,
    predictor: ModelCard | None = None,
    seed: int = 0,
    report: Callable[[str], None] = lambda text: None,
) -> DiseaseModel:
    """Fit on the training part; scores on validation (reference and predicted masks) and by five folds.

    `predict` returns the mask of a study. The fit then uses predicted masks, which are smoother than the reference and
    are what the model is applied to (the reference mask for a patient without a predicted heart). `predictor` is the
    card of the network that made them: its licence binds the fit as well. Without `predict` the reference masks alone
    are used. Patients without features are left out of the fit and count as wrong in every score.
    """
    learn = [measured_patient(study) for study in data.train]
    held = [measured_patient(study) for study in data.val]
    report(f"measured on reference masks: {len(learn)} patients for training, {len(held)} for validation")
    groups = _groups([*learn, *held])
    shown = learn if predict is None else [measured_patient(study, predict(study)) for study in data.train]
    pairs = zip(shown, learn, strict=True)
    chosen = [drawn if drawn.found.reason is None else by_hand for drawn, by_hand in pairs]
    used = [patient for patient in chosen if patient.found.reason is None]
    if not used:
        reasons = sorted({str(patient.found.reason) for patient in chosen})
        raise InputError(
            f"none of {len(chosen)} training patients can be measured ({'; '.join(reasons)}); expected masks at end"
            " diastole and end systole of whole hearts"
        )
    _check_groups(used, groups)
    table, labels = _table(used), _labels(used, groups)
    fit = fit_linear(table, labels, n_groups=len(groups))
    temperature = fit_temperature(cross_validate(table, labels, n_groups=len(groups), seed=seed), labels)
    model = DiseaseModel(
        name="cinema-disease",
        groups=groups,
        titles={group: GROUP_TITLES.get(group, group) for group in groups},
        features=tuple(FEATURES),
        mean=_plain(fit.mean),
        scale=_plain(fit.scale),
        weights=tuple(_plain(row) for row in fit.weights),
        bias=_plain(fit.bias),
        temperature=round(temperature, 4),
        licence=_licence(data, predictor),
    )
    scores = {"validation, expert masks": scores_of(model, held)} if held else {}
    if predict is not None and held:
        report("measuring predicted masks of the patients held out")
        scores["validation, predicted masks"] = scores_of(
            model, [measured_patient(study, predict(study)) for study in data.val]
        )
    scores["five-fold over all, expert masks"] = _five_fold([*learn, *held], groups, seed)
    masks = "experts'" if predict is None else "a network's"
    facts = _facts(data, len(used), seed, scores) | {"masks": masks}
    return replace(model, training=facts)


def _licence(data: TrainingData[AnnotatedStudy], predictor: ModelCard | None) -> str:
    own = data.card.derived_licence or data.card.licence
    return combined_licence({**({predictor.name: predictor.licence} if predictor else {}), "the training data": own})


def scores_of(model: DiseaseModel, patients: Sequence[MeasuredPatient]) -> GroupScores:
    """Return scores over patients with intervals, the confusion matrix, and the misclassified patients."""
    predictions = [model.classify(patient.found).probabilities for patient in patients]
    even = 1 / len(model.groups)
    probs = np.array([[prediction.get(group, even) for group in model.groups] for prediction in predictions])
    missing = sum(not prediction for prediction in predictions)
    return _scored(probs, patients, model.groups, without_answer=missing)


def _five_fold(patients: Sequence[MeasuredPatient], groups: tuple[str, ...], seed: int) -> GroupScores:
    used = [patient for patient in patients if patient.found.reason is None]
    labels = _labels(used, groups)
    logits = cross_validate(_table(used), labels, n_groups=len(groups), seed=seed)
    probs = softmax(logits / fit_temperature(logits, labels), axis=1)
    return _scored(probs, used, groups, without_answer=len(patients) - len(used))


def _scored(
    probs: NDArray[np.float64], patients: Sequence[MeasuredPatient], groups: tuple[str, ...], *, without_answer: int
) -> GroupScores:
    labels = _labels(patients, groups)
    predicted = probs.argmax(axis=1)
    right = (predicted == labels).astype(float)
    scores = score_classes(labels, probs)
    accuracy = mean_interval(right, seed=0)
    balanced = bootstrap_interval(balanced_accuracy, labels.astype(float), right, seed=0, along_axis=True)
    return GroupScores(
        n=len(patients),
        accuracy=(accuracy.value, accuracy.low, accuracy.high),
        balanced_accuracy=(balanced.value, balanced.low, balanced.high),
        matthews=scores.matthews,
        auroc=scores.auroc,
        calibration_error=scores.calibration_error,
        mean_confidence=float(probs.max(axis=1).mean()),
        confusion=tuple(map(tuple, confusion_matrix(labels, predicted, n_classes=len(groups)).tolist())),
        wrong=tuple(
            f"{patient.patient}: {patient.group}, classified {groups[code]} ({prob.max():.2f})"
            for patient, code, prob in zip(patients, predicted, probs, strict=True)
            if groups[code] != patient.group
        ),
        without_answer=without_answer,
    )


def _groups(patients: Sequence[MeasuredPatient]) -> tuple[str, ...]:
    """ACDC's order where the groups are ACDC's, else by name."""
    named = {patient.group for patient in patients}
    return tuple(GROUP_TITLES) if named == set(GROUP_TITLES) else tuple(sorted(named))


def _check_groups(used: Sequence[MeasuredPatient], groups: tuple[str, ...]) -> None:
    """Raise `InputError` unless every group has patients left when a fold is held out."""
    counts = Counter(patient.group for patient in used)
    if min(counts[group] for group in groups) < _MIN_OF_GROUP:
        found = ", ".join(f"{group} {counts[group]}" for group in groups)
        raise InputError(
            f"patients to learn from, by group: {found}; expected at least {_MIN_OF_GROUP} of each: add studies of the"
            " smaller groups, or leave these out"
        )


def _table(patients: Sequence[MeasuredPatient]) -> NDArray[np.float64]:
    return np.array([[patient.found.values[name] for name in FEATURES] for patient in patients])


def _labels(patients: Sequence[MeasuredPatient], groups: tuple[str, ...]) -> NDArray[np.int64]:
    return np.array([groups.index(patient.group) for patient in patients], dtype=np.int64)


def _plain(values: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(round(float(value), 6) for value in values)


def _facts(
    data: TrainingData[AnnotatedStudy], n_used: int, seed: int, scores: Mapping[str, GroupScores]
) -> dict[str, Json]:
    return {
        "data": data.card.title,
        "citation": data.card.citation,
        "split_sha256": data.split.sha256,
        "n_patients": n_used,
        "command": "cinema disease --data NAME:FOLDER -o FOLDER",
        "seed": seed,
        "features_chosen": "by hand from the literature; of six sets looked at, the one best in five-fold over all"
        " 100 patients, so that the five-fold scores flatter a little",
        "scores": {where: to_dict(its, where) for where, its in scores.items()},
        "versions": {name: version(name) for name in ("cinema-cmr", "numpy", "scipy")},
    }
