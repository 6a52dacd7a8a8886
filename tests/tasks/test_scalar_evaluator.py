"""Numbers and classes against the dataset's facts and the measurements of its masks."""

from __future__ import annotations

from dataclasses import replace

import pytest
from oracles import CPU, annotated, heart
from test_scalar_predictor import loaded

from cinema_cmr.core.errors import InputError
from cinema_cmr.tasks.evaluator import PredictionOptions
from cinema_cmr.tasks.result import Result
from cinema_cmr.tasks.scalar import ClassificationEvaluator, RegressionEvaluator

OPTIONS = PredictionOptions()
NUMBER = RegressionEvaluator(loaded("regress", ("lv_ef_percent",), target={"mean": 50.0, "std": 10.0}), CPU, OPTIONS)
CLASS = ClassificationEvaluator(loaded("classify", ("NOR", "DCM")), CPU, OPTIONS)
STUDY = annotated(heart((15.0, 10.0)), "a", group="DCM")


def number(patient: str, target: float, predicted: float) -> Result:
    name = "lv_ef_percent"
    scores = {"absolute_error": abs(predicted - target)}
    return Result(study=patient, patient=patient, scores=scores, measured={name: predicted}, reference={name: target})


def probs(patient: str, target: str, nor: float) -> Result:
    scores = {"prob_NOR": nor, "prob_DCM": 1 - nor}
    return Result(study=patient, patient=patient, target=target, scores=scores)


def test_the_target_comes_from_the_expert_s_masks() -> None:
    result = NUMBER.evaluate(STUDY)
    assert result.reference["lv_ef_percent"] == pytest.approx(100 * (1 - (10 / 15) ** 2), abs=3)
    assert result.scores["absolute_error"] == pytest.approx(abs(result.error("lv_ef_percent")))
    assert NUMBER.not_scorable(STUDY) is None
    assert NUMBER.not_scorable(annotated(heart((15.0,)))) == "'lv_ef_percent' is unknown"
    group = replace(STUDY, facts={"lv_ef_percent": "high"})
    with pytest.raises(InputError, match="is 'high'; expected a number"):
        NUMBER.evaluate(group)


def test_a_patient_counts_once_and_the_baseline_is_the_mean() -> None:
    results = [number("a", 60, 50), number("a", 60, 74), number("b", 40, 41), number("c", 50, 50)]
    found = NUMBER.summarise(results)
    assert found.n_patients == 3 and set(found.measurements) == {"lv_ef_percent"}
    assert found.measurements["lv_ef_percent"].mean_absolute_error.value == pytest.approx((2 + 1 + 0) / 3)
    assert found.scores["baseline_absolute_error"].value == pytest.approx(20 / 3)


def test_the_probability_of_the_true_class_is_a_score() -> None:
    first, second = CLASS.evaluate(STUDY), CLASS.evaluate(replace(STUDY, facts={"group": "NOR"}))
    assert first.scores["prob_of_target"] + second.scores["prob_of_target"] == pytest.approx(1)
    assert {first.scores["correct"], second.scores["correct"]} == {0.0, 1.0} and first.target == "DCM"
    assert CLASS.not_scorable(replace(STUDY, facts={})) == "'group' is unknown"
    with pytest.raises(InputError, match=r"'group' of 'a' is 'HCM'; expected a class of model 'b'"):
        CLASS.evaluate(replace(STUDY, facts={"group": "HCM"}))


def test_a_study_without_annotation_is_predicted() -> None:
    assert set(CLASS.predict(STUDY.study)) == {"NOR", "DCM"} and set(NUMBER.predict(STUDY.study)) == {"lv_ef_percent"}


def test_classes_are_counted() -> None:
    found = CLASS.summarise([probs("a", "NOR", 0.9), probs("b", "NOR", 0.2), probs("c", "DCM", 0.1)])
    assert found.scores["accuracy"].value == pytest.approx(2 / 3)
    assert found.scores["balanced_accuracy"].value == pytest.approx(0.75)
    assert found.confusion is not None and found.confusion.counts == ((1, 1), (0, 1))
    assert found.confusion.classes == ("NOR", "DCM") and found.scores["auroc"].method == "none"
