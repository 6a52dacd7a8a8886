"""Scores on hearts whose answer is known: whole ones, partly drawn ones, patients with several studies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from oracles import CPU, Oracle, annotated, heart, segmenter
from torch import Tensor, nn

from cinema_cmr.core.annotation import LabelMap
from cinema_cmr.core.errors import InputError
from cinema_cmr.core.results import HeartLocation, Prediction
from cinema_cmr.core.vocabulary import View
from cinema_cmr.data.cases import AnnotatedStudy
from cinema_cmr.models.loaded import LoadedModel
from cinema_cmr.tasks.evaluator import PredictionOptions
from cinema_cmr.tasks.mask_scores import score_stack, score_views
from cinema_cmr.tasks.result import Result, summarise
from cinema_cmr.tasks.segment import SegmentEvaluator

RADII = (15.0, 11.0)
LABELS = heart(RADII, n_slices=5)


def evaluator(network: nn.Module | None = None, *views: View, together: bool = False) -> SegmentEvaluator:
    oracle = segmenter(size=(63, 59))
    grid = oracle.card.grids[View.SAX]
    card = replace(oracle.card, grids=dict.fromkeys(views or (View.SAX,), grid))
    return SegmentEvaluator(
        LoadedModel(model=network or Oracle(), card=card), CPU, PredictionOptions(together=together)
    )


def evaluate(study: AnnotatedStudy, network: nn.Module | None = None, *views: View, together: bool = False) -> Result:
    return evaluator(network, *views, together=together).evaluate(study)


def masked(labels: NDArray[np.uint8]) -> Result:
    return score_stack(annotated(LABELS), LabelMap(array=labels))


class Larger(nn.Module):
    """The oracle's answer with the wall called left ventricle."""

    def __init__(self) -> None:
        super().__init__()
        self.oracle = Oracle()

    def forward(self, images: Mapping[str, Tensor]) -> dict[str, Tensor]:
        answer = {view: logits.clone() for view, logits in self.oracle(images).items()}
        for logits in answer.values():
            logits[:, 3] = torch.maximum(logits[:, 3], logits[:, 2])
            logits[:, 2] = -1e9
        return answer


def partly(labels: np.ndarray, slices: list[int]) -> AnnotatedStudy:  # type: ignore[type-arg]
    """Only the left ventricle drawn, in some slices."""
    drawn = np.zeros_like(labels)
    drawn[:, :, slices] = np.where(labels[:, :, slices] == 3, 3, 0)
    seen = np.isin(np.arange(labels.shape[2]), slices)[:, None].repeat(labels.shape[3], axis=1)
    study = annotated(labels)
    return replace(study, labels={View.SAX: LabelMap(array=drawn, drawn=("lv",), drawn_slices=seen)})


def test_a_right_answer_scores_one_and_measures_the_same() -> None:
    score = evaluate(annotated(LABELS))
    assert len(score.frames) == 2
    assert all(score.scores[f"dice_{name}"] > 0.97 for name in ("rv", "myo", "lv"))
    assert all(score.scores[f"worst_slice_dice_{name}"] > 0.97 for name in ("rv", "myo", "lv"))
    assert score.scores["hd95_lv_mm"] < 1.6
    truth = 100 * (1 - (LABELS[..., 1] == 3).sum() / (LABELS[..., 0] == 3).sum())
    assert score.reference["lv_ef_percent"] == pytest.approx(truth)
    assert score.measured["lv_ef_percent"] == pytest.approx(truth, abs=1)


def test_a_wrong_answer_scores_what_its_overlap_is() -> None:
    score = evaluate(annotated(LABELS), Larger(), together=True)
    lv, wall = (LABELS == 3).sum(axis=(0, 1, 2)), (LABELS == 2).sum(axis=(0, 1, 2))
    assert score.scores["dice_lv"] == pytest.approx(float(np.mean(2 * lv / (2 * lv + wall))), abs=0.02)
    assert score.scores["dice_myo"] == 0


def test_of_a_partly_drawn_study_only_what_was_drawn_counts() -> None:
    score = evaluate(partly(LABELS, [1, 3]))
    assert {name for name in score.frames[0] if name.startswith("dice")} == {"dice_lv"}
    assert score.scores["dice_lv"] > 0.97 and score.scores["worst_slice_dice_lv"] > 0.97
    assert score.reference["rv_ef_percent"] is None and score.reference["lv_mass_g"] is None
    truth = 100 * (1 - (LABELS[:, :, [1, 3], 1] == 3).sum() / (LABELS[:, :, [1, 3], 0] == 3).sum())
    assert score.reference["lv_ef_percent"] == pytest.approx(truth)


def test_of_a_partly_drawn_scar_map_structures_of_several_words_count() -> None:
    cavity_and_wall = np.where(LABELS == 3, 1, np.where(LABELS == 2, 2, 0)).astype(np.uint8)[..., :1]
    drawn = LabelMap(array=cavity_and_wall, scheme="scar", drawn=("lv_cavity", "myo_normal"))
    study = replace(annotated(LABELS[..., :1]), labels={View.SAX: drawn})
    scores = score_stack(study, LabelMap(array=cavity_and_wall, scheme="scar")).scores
    assert {name for name in scores if name.startswith("dice")} == {"dice_lv_cavity", "dice_myo_normal", "dice_mean"}
    assert scores["dice_mean"] == 1


def test_a_missed_slice_shows_as_the_worst_one() -> None:
    study = annotated(LABELS)
    dark = study.study.cines[0].array.copy()
    dark[:, :, 0] = 0
    hidden = replace(study, study=replace(study.study, cines=(study.study.cines[0].with_array(dark),)))
    score = evaluate(hidden)
    assert score.scores["worst_slice_dice_lv"] == 0 and score.scores["dice_lv"] > 0.8


def test_masks_of_another_tool_score_like_those_of_a_model() -> None:
    score, of_model = masked(LABELS), evaluate(annotated(LABELS))
    assert score.scores["dice_lv"] == 1 and score.measured == score.reference == of_model.reference
    assert np.isnan(score.confidence) and of_model.confidence > 0.9


def test_flags_of_the_masks_are_kept() -> None:
    flawed = LABELS.copy()
    flawed[:, :, 2] = 0
    score = masked(flawed)
    assert score.flags and score.labels is not None and np.array_equal(score.labels.array, flawed)


def planes(labels: np.ndarray, *views: View) -> AnnotatedStudy:  # type: ignore[type-arg]
    """One slice of these labels as each of the long-axis views."""
    study = annotated(labels[:, :, :1])
    cine = study.study.cine(View.SAX)
    return replace(
        study,
        study=replace(study.study, cines=tuple(replace(cine, view=view) for view in views)),
        labels=dict.fromkeys(views, study.labels[View.SAX]),
        labelled_frames=dict.fromkeys(views, study.labelled_frames[View.SAX]),
    )


@pytest.mark.parametrize("together", [False, True])
def test_long_axis_masks_are_scored_view_by_view(together: bool) -> None:
    both = (View.LAX_4C, View.LAX_2C)
    studies = [planes(LABELS, *both), replace(planes(LABELS, View.LAX_4C), patient="other")]
    right, other = (evaluate(study, Oracle(), *both, together=together) for study in studies)
    assert [len(score.frames) for score in (right, other)] == [4, 2]
    for score, frame, name in ((right, 0, "lax_4c_lv"), (right, 2, "lax_2c_rv"), (other, 0, "lax_4c_myo")):
        assert score.frames[frame][f"dice_{name}"] == 1 and score.scores[f"dice_{name}"] > 0.9
    assert "dice_lax_2c_lv" not in other.scores and right.frames[0]["hd95_lax_4c_lv_mm"] == 0
    assert right.measured == {} and not any(name.startswith("worst") for name in right.scores)
    wrong = [evaluate(study, Larger(), *both, together=together) for study in studies]
    summary = summarise(wrong)
    assert summary.scores["dice_lax_4c_lv"].n == 2 and summary.scores["dice_lax_2c_lv"].n == 1
    assert summary.scores["dice_lax_4c_lv"].value < 0.9 and summary.measurements == {}
    assert wrong[1].scores["dice_mean"] < 0.9


@pytest.mark.parametrize("scheme", ["cine", "chambers"])
def test_atria_are_scored_where_model_and_expert_have_them(scheme: str) -> None:
    """A model of ventricles alone is scored without atria, one of all chambers without those that were not drawn."""
    study = planes(LABELS, View.LAX_4C)
    labels = study.labels[View.LAX_4C]
    with_atrium = labels.array.copy()
    with_atrium[:4, :4] = 4
    drawn = ("rv", "myo", "lv", "la")
    chambers = replace(labels, array=with_atrium, scheme="chambers", drawn=drawn)
    prediction = Prediction(
        view=View.LAX_4C,
        labels=LabelMap(array=with_atrium, scheme="chambers").in_scheme(scheme),
        confidence=np.ones(2, np.float32),
        location=HeartLocation(centre=(0.0, 0.0), method="given"),
    )
    in_scheme = replace(study, labels={View.LAX_4C: chambers.in_scheme(scheme)})
    scores = score_views(in_scheme, {View.LAX_4C: prediction}).scores
    assert scores["dice_lax_4c_lv"] == 1 and "dice_lax_4c_ra" not in scores
    assert scores.get("dice_lax_4c_la") == (1 if scheme == "chambers" else None)
    without = with_atrium.copy()
    without[without == 4] = 0
    missed = replace(prediction, labels=replace(prediction.labels, array=without))
    assert score_views(in_scheme, {View.LAX_4C: missed}).scores["dice_mean"] == 1


def test_labels_are_taken_in_the_scheme_of_the_model() -> None:
    study = planes(LABELS, View.LAX_4C)
    labels = replace(study.labels[View.LAX_4C], scheme="chambers")
    score = evaluate(replace(study, labels={View.LAX_4C: labels}), Oracle(), View.LAX_4C)
    assert {name for name in score.scores if name.startswith("dice_lax")} == {
        f"dice_lax_4c_{name}" for name in ("rv", "myo", "lv")
    }


@pytest.mark.medium
def test_failures_are_named() -> None:
    assert masked(LABELS).failure is None
    assert "LVEF off by -" in str(masked(heart((15.0, 14.0), n_slices=5)).failure)
    assert str(masked(np.zeros_like(LABELS)).failure).startswith("lv Dice 0.00")


def test_studies_that_cannot_be_scored_are_named() -> None:
    its = evaluator()
    assert its.not_scorable(annotated(LABELS)) is None
    assert its.not_scorable(planes(LABELS, View.LAX_4C)) == "no labels of the short axis"
    assert its.not_scorable(replace(annotated(LABELS), labelled_frames={View.SAX: ()})) == "no labels of the short axis"
    both = evaluator(None, View.LAX_2C, View.LAX_4C)
    assert both.not_scorable(annotated(LABELS)) == "no labels of the 2-chamber or 4-chamber"
    scar = replace(annotated(LABELS), labels={View.SAX: LabelMap(array=LABELS, scheme="scar")})
    with pytest.raises(InputError, match="choose a model of the same scheme"):
        its.evaluate(scar)


def test_volumes_stated_as_facts_are_compared_with_the_measured_ones() -> None:
    study = annotated(LABELS)
    measured = masked(LABELS).measured["lv_edv_ml"]
    assert measured is not None
    stated = replace(study, facts={"lv_edv_ml": measured + 12.5, "lv_ef_percent": "unknown"})
    scores = score_stack(stated, LabelMap(array=LABELS)).scores
    assert scores["error_to_fact_lv_edv_ml"] == pytest.approx(12.5) and "error_to_fact_lv_ef_percent" not in scores


def test_hinge_points_and_apex_of_long_axis_cavities_are_compared() -> None:
    i, j = np.meshgrid(np.arange(120), np.arange(120), indexing="ij")
    cavity = (((i - 60) / 45) ** 2 + ((j - 60) / 20) ** 2 < 1) & (i > 40)
    drawn = np.where(cavity, 3, 0).astype(np.uint8)[:, :, None, None].repeat(2, axis=3)
    study = planes(drawn, View.LAX_4C, View.LAX_3C)
    moved, (pixel_mm, *_) = np.roll(drawn, 2, axis=0), study.study.cine(View.LAX_4C).spacing_mm
    predictions = {
        view: Prediction(
            view=view,
            labels=LabelMap(array=moved),
            confidence=np.ones(2, np.float32),
            location=HeartLocation(centre=(0.0, 0.0), method="given"),
        )
        for view in study.labels
    }
    scores = score_views(study, predictions).scores
    assert scores["hinge_lax_4c_lv_mm"] == pytest.approx(2 * pixel_mm, abs=1e-6)
    assert scores["apex_lax_4c_lv_mm"] == pytest.approx(2 * pixel_mm, abs=1e-6)
    assert not any(name.startswith(("hinge_lax_3c", "apex_lax_3c")) for name in scores)
    lost = {view: replace(one, labels=LabelMap(array=np.zeros_like(moved))) for view, one in predictions.items()}
    assert np.isnan(score_views(study, lost).scores["hinge_lax_4c_lv_mm"])
