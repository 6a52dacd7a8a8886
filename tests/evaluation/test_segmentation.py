"""Scores on hearts whose answer is known: whole ones, partly drawn ones, patients with several studies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
import torch
from oracles import Oracle, annotated, heart, segmenter
from torch import Tensor, nn

from cinema_cmr.core.annotation import LabelMap
from cinema_cmr.core.errors import InputError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.data.cases import AnnotatedStudy
from cinema_cmr.evaluation.record import evaluation_document
from cinema_cmr.evaluation.segmentation import evaluate_masks, evaluate_segmentation, summarise
from cinema_cmr.inference.segmenter import Segmenter
from cinema_cmr.report.evaluation.tables import evaluation_tables

RADII = (15.0, 11.0)
LABELS = heart(RADII, n_slices=5)
SEES = segmenter(size=(63, 59))


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
    study = annotated(labels)
    return replace(study, labels={View.SAX: LabelMap(array=drawn)}, structures=("lv",))


def test_a_right_answer_scores_one_and_measures_the_same() -> None:
    (score,) = evaluate_segmentation([annotated(LABELS)], SEES)
    assert len(score.frames) == 2 and score.located == ("image middle", "coarse pass")
    assert all(score.mean(f"dice_{name}") > 0.97 for name in ("rv", "myo", "lv"))
    assert all(score.mean(f"worst_slice_dice_{name}") > 0.97 for name in ("rv", "myo", "lv"))
    assert score.mean("hd95_lv_mm") < 1.6
    truth = 100 * (1 - (LABELS[..., 1] == 3).sum() / (LABELS[..., 0] == 3).sum())
    assert score.reference["lv_ef_percent"] == pytest.approx(truth)
    assert score.measured["lv_ef_percent"] == pytest.approx(truth, abs=1)


def test_a_wrong_answer_scores_what_its_overlap_is() -> None:
    (score,) = evaluate_segmentation([annotated(LABELS)], segmenter(Larger(), size=(63, 59)), together=True)
    lv, wall = (LABELS == 3).sum(axis=(0, 1, 2)), (LABELS == 2).sum(axis=(0, 1, 2))
    assert score.mean("dice_lv") == pytest.approx(float(np.mean(2 * lv / (2 * lv + wall))), abs=0.02)
    assert score.mean("dice_myo") == 0


def test_of_a_partly_drawn_study_only_what_was_drawn_counts() -> None:
    (score,) = evaluate_segmentation([partly(LABELS, [1, 3])], SEES)
    assert {name for name in score.frames[0] if name.startswith("dice")} == {"dice_lv"}
    assert score.mean("dice_lv") > 0.97 and score.mean("worst_slice_dice_lv") > 0.97
    assert score.reference["rv_ef_percent"] is None and score.reference["lv_mass_g"] is None
    truth = 100 * (1 - (LABELS[:, :, [1, 3], 1] == 3).sum() / (LABELS[:, :, [1, 3], 0] == 3).sum())
    assert score.reference["lv_ef_percent"] == pytest.approx(truth)


def test_a_missed_slice_shows_as_the_worst_one() -> None:
    study = annotated(LABELS)
    dark = study.study.cines[0].array.copy()
    dark[:, :, 0] = 0
    hidden = replace(study, study=replace(study.study, cines=(study.study.cines[0].with_array(dark),)))
    (score,) = evaluate_segmentation([hidden], SEES)
    assert score.mean("worst_slice_dice_lv") == 0 and score.mean("dice_lv") > 0.8


@pytest.mark.medium
def test_a_patient_with_two_studies_counts_once() -> None:
    good, bad = SEES, segmenter(Larger(), size=(63, 59))
    scores = [
        *evaluate_segmentation([annotated(LABELS, "a"), annotated(LABELS, "b")], good),
        *evaluate_segmentation([annotated(LABELS, "b")], bad),
    ]
    summary = summarise(scores)
    assert (summary["n_patients"], summary["n_studies"]) == (2, 3)
    of_a, of_b = scores[0].mean("dice_myo"), scores[1].mean("dice_myo") / 2
    assert summary["scores"]["dice_myo"]["value"] == pytest.approx((of_a + of_b) / 2)
    assert summary["measurements"]["lv_edv_ml"]["mean_absolute_error"]["n"] == 2


def test_nothing_evaluated_is_an_error_not_a_zero() -> None:
    with pytest.raises(InputError, match="nothing was evaluated"):
        summarise([])


def test_masks_of_another_tool_are_scored_as_a_model_s() -> None:
    (score,) = evaluate_masks([annotated(LABELS)], lambda study: LABELS)
    (of_model,) = evaluate_segmentation([annotated(LABELS)], SEES)
    assert score.mean("dice_lv") == 1 and score.measured == score.reference == of_model.reference
    assert score.located == ("given", "given") and np.isnan(score.confidence)
    with pytest.raises(InputError, match="expected masks on the images' own grid"):
        evaluate_masks([annotated(LABELS)], lambda study: LABELS[..., :1])


def test_flags_of_the_masks_come_along_and_not_those_of_the_images() -> None:
    flawed = LABELS.copy()
    flawed[:, :, 2] = 0
    (score,) = evaluate_masks([annotated(LABELS)], lambda study: flawed)
    assert {flag.code for flag in score.flags} and all(flag.severity != "info" or flag.code for flag in score.flags)
    assert score.predicted is not None and np.array_equal(score.predicted.array, flawed)


def test_patients_scanned_twice_tell_how_well_a_measurement_repeats() -> None:
    (score,) = evaluate_masks([annotated(LABELS)], lambda study: LABELS)
    values = {"p": (100.0, 110.0), "q": (60.0, 60.0), "r": (50.0, None)}
    scores = [
        replace(
            score,
            patient=patient,
            facts={"scan": scan},
            measured={"lv_edv_ml": value},
            reference={"lv_edv_ml": 80.0},
        )
        for patient, pair in values.items()
        for scan, value in zip("AB", pair, strict=True)
    ]
    found = summarise(scores)["repeatability"]["lv_edv_ml"]
    assert found["measured"]["value"] == pytest.approx(100 * np.sqrt(50 / 105**2 / 2))
    assert (found["measured"]["n"], found["measured"]["n_excluded"]) == (2, 1)
    assert found["reference"]["value"] == 0 and found["reference"]["n"] == 3
    # Two studies of a patient that are no repeated scan tell nothing of this.
    assert summarise([replace(score, facts={}) for score in scores])["repeatability"] == {}
    tables = evaluation_tables(evaluation_document(scores, model="twice"), {})
    assert "| scan-rescan variation, % |" in tables and "| lv_edv_ml | 4.8 (" in tables


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


def of_planes(network: nn.Module, *views: View) -> Segmenter:
    its = segmenter(network, size=(63, 59))
    card = replace(its.card, grids=dict.fromkeys(views, its.grid(View.SAX)))
    return Segmenter(replace(its.loaded, card=card), its.runtime)


@pytest.mark.parametrize("together", [False, True])
def test_long_axis_masks_are_scored_view_by_view(together: bool) -> None:
    both = (View.LAX_4C, View.LAX_2C)
    studies = [planes(LABELS, *both), replace(planes(LABELS, View.LAX_4C), patient="other")]
    right, other = evaluate_segmentation(studies, of_planes(Oracle(), *both), together=together)
    assert [len(score.frames) for score in (right, other)] == [4, 2]
    for score, frame, name in ((right, 0, "lax_4c_lv"), (right, 2, "lax_2c_rv"), (other, 0, "lax_4c_myo")):
        assert score.frames[frame][f"dice_{name}"] == 1 and score.mean(f"dice_{name}") > 0.9
    assert np.isnan(other.mean("dice_lax_2c_lv")) and right.frames[0]["hd95_lax_4c_lv_mm"] == 0
    assert right.measured == {} and not any(name.startswith("worst") for frame in right.frames for name in frame)
    wrong = evaluate_segmentation(studies, of_planes(Larger(), *both), together=together)
    summary = summarise(wrong)
    assert summary["scores"]["dice_lax_4c_lv"]["n"] == 2 and summary["scores"]["dice_lax_2c_lv"]["n"] == 1
    assert summary["scores"]["dice_lax_4c_lv"]["value"] < 0.9 and summary["measurements"] == {}
    assert evaluation_document(wrong, model="planes")["patients"][1]["scores"]["dice_mean"] < 0.9


def test_a_study_without_labels_of_the_model_s_views_is_told() -> None:
    with pytest.raises(InputError, match=r"has no labels of the model's views \(2-chamber\)"):
        evaluate_segmentation([planes(LABELS, View.LAX_4C)], of_planes(Oracle(), View.LAX_2C))
