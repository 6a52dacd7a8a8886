"""One answer a study: what is seen, what is learned, what is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
import torch
from oracles import CPU, annotated, heart
from test_scalar_predictor import loaded
from torch import Tensor, nn

from cinema_cmr.core.card import Grid
from cinema_cmr.core.errors import InputError, UsageError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.data.sample import collate
from cinema_cmr.inference.study_tensors import phase_images
from cinema_cmr.tasks.evaluator import PredictionOptions
from cinema_cmr.tasks.result import Result
from cinema_cmr.tasks.scalar import ClassificationEvaluator, RegressionEvaluator, ScalarConfig, ScalarTask

GRID = Grid(spacing_mm=1.5, size=(48, 44), slice_spacing_mm=8.0, n_slices=4)
STUDIES = [annotated(heart((15.0, r)), f"p{r}", group=g) for r, g in ((8.0, "NOR"), (10.0, "NOR"), (13.0, "DCM"))]
NUMBER = ScalarConfig(kind="regress", target="lv_ef_percent", grids={View.SAX: GRID})
CLASS = ScalarConfig(kind="classify", target="group", classes=("NOR", "DCM"), grids={View.SAX: GRID})


class Says(nn.Module):
    def __init__(self, *rows: tuple[float, ...]) -> None:
        super().__init__()
        self.rows = torch.tensor(rows)

    def forward(self, images: Mapping[str, Tensor]) -> Tensor:
        return self.rows


def test_both_phases_are_channels_about_the_heart() -> None:
    images = phase_images(STUDIES[0].study, {View.SAX: GRID}, (0.0, 0.5))
    assert images["sax"].shape == (2, 48, 44, 4)
    blood = (images["sax"] > 0.95).float().sum(dim=(1, 2, 3))
    assert blood[0] > 2 * blood[1] > 0


def test_of_two_frames_both_are_seen_without_masks_too() -> None:
    drawn = STUDIES[0]
    undrawn = replace(drawn, labels={}, labelled_frames={}, facts={"lv_ef_percent": 60.0})
    task = ScalarTask(NUMBER, nn.Identity())
    first, second = (task.sample(task.examples(study)[0], None).images["sax"] for study in (drawn, undrawn))
    assert torch.equal(first, second) and not torch.equal(second[0], second[1])
    # A plane of ED and ES beside a whole cycle in which both phases lie in the first half; the order stays.
    for phases, order in (((0.0, 0.3), [0, 1]), ((0.9, 0.6), [1, 0]), ((0.0, 0.0), [0, 1])):
        assert torch.equal(phase_images(drawn.study, {View.SAX: GRID}, phases)["sax"], first[order])


@pytest.mark.medium
def test_a_number_is_learned_with_mean_zero_and_spread_one() -> None:
    task = ScalarTask.of(NUMBER, nn.Identity(), STUDIES)
    answers = [float(task.sample(e, None).values["target"]) for s in STUDIES for e in task.examples(s)]
    assert np.mean(answers) == pytest.approx(0, abs=1e-5) and np.std(answers) == pytest.approx(1, abs=1e-5)
    assert task.card_fields().training["target"] == {"mean": task.mean, "std": task.std}


def test_errors_are_told_in_the_number_s_own_unit() -> None:
    task = ScalarTask.of(NUMBER, nn.Identity(), STUDIES)
    batch = collate([task.sample(e, None) for e in task.examples(STUDIES[0])])
    right = float(batch.values["target"])
    task.network = Says((right + 0.5,))
    assert task.validate(batch)["absolute_error"] == pytest.approx([0.5 * task.std])
    assert float(task.loss(batch).total) == pytest.approx(0.25)


def test_classes_are_learned_by_cross_entropy() -> None:
    task = ScalarTask.of(replace(CLASS, smoothing=0.0), nn.Identity(), STUDIES)
    batch = collate([task.sample(e, None) for s in STUDIES[1:] for e in task.examples(s)])
    task.network = Says((2.0, 0.0), (2.0, 0.0))
    assert task.validate(batch)["accuracy"] == [1.0, 0.0]
    expected = (np.log(1 + np.exp(-2)) + np.log(1 + np.exp(2))) / 2
    assert float(task.loss(batch).total) == pytest.approx(expected, rel=1e-5)
    assert task.card_fields().outputs == ("NOR", "DCM") and task.card_fields().training == {"target_name": "group"}


def test_an_augmented_sample_repeats_with_its_seed() -> None:
    task = ScalarTask.of(CLASS, nn.Identity(), STUDIES)
    (example,) = task.examples(STUDIES[0])
    drawn = [task.sample(example, np.random.default_rng(seed)).images["sax"] for seed in (3, 3, 4)]
    assert drawn[0].shape == (2, 48, 44, 4)
    assert torch.equal(drawn[0], drawn[1]) and not torch.equal(drawn[0], drawn[2])


def test_a_study_of_which_nobody_knows_is_no_example() -> None:
    assert ScalarTask.of(CLASS, nn.Identity(), STUDIES).examples(replace(STUDIES[0], facts={})) == []


def test_what_cannot_be_answered_is_said() -> None:
    task = ScalarTask.of(CLASS, nn.Identity(), STUDIES)
    with pytest.raises(InputError, match="'group' is 'HCM'; expected one of"):
        task.examples(replace(STUDIES[0], facts={"group": "HCM"}))
    with pytest.raises(InputError, match="expected a number"):
        ScalarTask(replace(NUMBER, target="group"), nn.Identity()).examples(STUDIES[0])
    with pytest.raises(InputError, match="0 of 3 studies have 'bmi'"):
        ScalarTask.of(replace(NUMBER, target="bmi"), nn.Identity(), STUDIES)
    with pytest.raises(InputError, match="no view of the model; expected one of 4-chamber"):
        phase_images(STUDIES[0].study, {View.LAX_4C: GRID}, (0.0, 0.4))
    with pytest.raises(UsageError, match="SD 0"):
        ScalarTask.of(NUMBER, nn.Identity(), [STUDIES[0], STUDIES[0]])


def test_configurations_that_make_no_sense_are_refused() -> None:
    for changes, message in (
        ({"grids": {}}, "no view"),
        ({"grids": {View.SAX: replace(GRID, n_slices=None)}}, "n_slices"),
        ({"classes": ("one",)}, "two or more"),
        ({"smoothing": 1.0}, "smoothing"),
    ):
        with pytest.raises(UsageError, match=message):
            replace(CLASS, **changes)  # type: ignore[arg-type]


OPTIONS = PredictionOptions()
REGRESSION = RegressionEvaluator(
    loaded("regress", ("lv_ef_percent",), target={"mean": 50.0, "std": 10.0}), CPU, OPTIONS
)
CLASSIFICATION = ClassificationEvaluator(loaded("classify", ("NOR", "DCM")), CPU, OPTIONS)
STUDY = annotated(heart((15.0, 10.0)), "a", group="DCM")


def number(patient: str, target: float, predicted: float) -> Result:
    name = "lv_ef_percent"
    scores = {"absolute_error": abs(predicted - target)}
    return Result(study=patient, patient=patient, scores=scores, measured={name: predicted}, reference={name: target})


def probs(patient: str, target: str, nor: float) -> Result:
    scores = {"prob_NOR": nor, "prob_DCM": 1 - nor}
    return Result(study=patient, patient=patient, target=target, scores=scores)


def test_the_target_comes_from_the_expert_s_masks() -> None:
    result = REGRESSION.evaluate(STUDY)
    assert result.reference["lv_ef_percent"] == pytest.approx(100 * (1 - (10 / 15) ** 2), abs=3)
    assert result.scores["absolute_error"] == pytest.approx(abs(result.error("lv_ef_percent")))
    assert REGRESSION.not_scorable(STUDY) is None
    assert REGRESSION.not_scorable(annotated(heart((15.0,)))) == "'lv_ef_percent' is unknown"
    group = replace(STUDY, facts={"lv_ef_percent": "high"})
    with pytest.raises(InputError, match="is 'high'; expected a number"):
        REGRESSION.evaluate(group)


def test_a_patient_counts_once_and_the_baseline_is_the_mean() -> None:
    results = [number("a", 60, 50), number("a", 60, 74), number("b", 40, 41), number("c", 50, 50)]
    found = REGRESSION.summarise(results)
    assert found.n_patients == 3 and set(found.measurements) == {"lv_ef_percent"}
    assert found.measurements["lv_ef_percent"].mean_absolute_error.value == pytest.approx((2 + 1 + 0) / 3)
    assert found.scores["baseline_absolute_error"].value == pytest.approx(20 / 3)


def test_the_probability_of_the_true_class_is_a_score() -> None:
    first, second = CLASSIFICATION.evaluate(STUDY), CLASSIFICATION.evaluate(replace(STUDY, facts={"group": "NOR"}))
    assert first.scores["prob_of_target"] + second.scores["prob_of_target"] == pytest.approx(1)
    assert {first.scores["correct"], second.scores["correct"]} == {0.0, 1.0} and first.target == "DCM"
    assert CLASSIFICATION.not_scorable(replace(STUDY, facts={})) == "'group' is unknown"
    with pytest.raises(InputError, match=r"'group' of 'a' is 'HCM'; expected a class of model 'b'"):
        CLASSIFICATION.evaluate(replace(STUDY, facts={"group": "HCM"}))


def test_a_study_without_annotation_is_predicted() -> None:
    assert set(CLASSIFICATION.predict(STUDY.study)) == {"NOR", "DCM"} and set(REGRESSION.predict(STUDY.study)) == {
        "lv_ef_percent"
    }


def test_classes_are_counted() -> None:
    found = CLASSIFICATION.summarise([probs("a", "NOR", 0.9), probs("b", "NOR", 0.2), probs("c", "DCM", 0.1)])
    assert found.scores["accuracy"].value == pytest.approx(2 / 3)
    assert found.scores["balanced_accuracy"].value == pytest.approx(0.75)
    assert found.confusion is not None and found.confusion.counts == ((1, 1), (0, 1))
    assert found.confusion.classes == ("NOR", "DCM") and found.scores["auroc"].method == "none"


def test_weights_are_chosen_by_error_or_accuracy() -> None:
    number, group = (ScalarTask.of(config, nn.Identity(), STUDIES) for config in (NUMBER, CLASS))
    assert number.validation_score({"absolute_error": 3.0}) == -3.0
    assert group.validation_score({"accuracy": 0.75}) == 0.75
