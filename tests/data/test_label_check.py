"""Exchanged codes are refused with the right ones, and masks that do not lie on the heart are remarked."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from hearts import acdc_patient
from oracles import annotated, cine_of, heart

from cinema_cmr.core.annotation import LabelMap
from cinema_cmr.core.errors import InputError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.data.cases import AnnotatedStudy
from cinema_cmr.data.label_check import (
    blood_wall_auc,
    check_nesting,
    label_remarks,
    rim_shares,
    summarise_labels,
)
from cinema_cmr.datasets.registry import DATASETS
from cinema_cmr.measure.volumes import measure_volumes

OURS = {1: 1, 2: 2, 3: 3}
NAMES = {1: "rv", 2: "myo", 3: "lv"}


def heart_labels() -> LabelMap:
    return LabelMap(array=heart((12.0, 9.0)))


def test_the_lv_lies_within_its_wall_and_nothing_else_within_anything() -> None:
    shares = rim_shares(heart_labels().array)
    assert shares[3, 2] == 1
    shares[3, 2] = 0
    assert shares[1:, 1:].max() < 0.5


@pytest.mark.parametrize("order", [order for order in permutations((1, 2, 3)) if order != (1, 2, 3)])
def test_exchanged_codes_are_refused_with_the_right_ones(order: tuple[int, int, int]) -> None:
    """`order`: what the lab writes for right ventricle, myocardium and left ventricle; it is read with our codes."""
    array = np.array([0, *order], np.uint8)[heart_labels().array]
    right = " ".join(f"{code}={NAMES[ours]}" for code, ours in sorted(zip(order, (1, 2, 3), strict=True)))
    with pytest.raises(InputError, match=f"--codes {right}"):
        check_nesting(LabelMap(array=array), OURS, name="p1")


@pytest.mark.parametrize(("lv", "myo"), [(1, 2), (2, 1), (3, 1), (2, 3), (1, 3)])
def test_exchanged_codes_of_lv_and_wall_alone(lv: int, myo: int) -> None:
    array = np.array([0, 0, myo, lv], np.uint8)[heart_labels().array]
    with pytest.raises(InputError, match="p1: the structure with code") as caught:
        check_nesting(LabelMap(array=array), OURS, name="p1")
    assert f"{lv}=lv" in str(caught.value) and f"{myo}=myo" in str(caught.value)


def test_right_codes_and_parts_of_them_pass() -> None:
    array = heart_labels().array
    for kept in ((1, 2, 3), (2, 3), (3,), (1,), (1, 3)):
        check_nesting(LabelMap(array=np.where(np.isin(array, kept), array, 0).astype(np.uint8)), OURS, name="p1")


def test_the_suggestion_keeps_what_is_background() -> None:
    with pytest.raises(InputError, match="--codes 1=lv 2=myo 3=rv 7=background"):
        check_nesting(LabelMap(array=np.array([0, 3, 2, 1], np.uint8)[heart_labels().array]), {**OURS, 7: 0}, name="p1")


def test_the_message_has_the_codes_of_the_files() -> None:
    """The lab writes 10 LV, 20 wall, 30 RV, and states LV and RV the wrong way round."""
    stated = {10: 1, 20: 2, 30: 3}
    array = np.array([0, 3, 2, 1], np.uint8)[heart_labels().array]
    with pytest.raises(InputError, match=r"code 10, taken for rv, lies within code 20.*--codes 10=lv 20=myo 30=rv"):
        check_nesting(LabelMap(array=array), stated, name="p1")


def bright_blood(labels: LabelMap, seed: int = 0) -> AnnotatedStudy:
    noise = np.random.default_rng(seed).normal(0, 20, labels.array.shape)
    image = np.array([80.0, 200.0, 60.0, 200.0])[labels.array] + noise
    study = annotated(labels.array, "p1")
    cine = replace(study.study[View.SAX], array=image.astype(np.float32))
    return replace(study, study=replace(study.study, cines=(cine,)))


def test_masks_on_the_heart_have_no_remark_and_shifted_ones_do() -> None:
    study = bright_blood(heart_labels())
    assert label_remarks(summarise_labels(study)) == ()
    array = study.labels[View.SAX].array
    shifted = replace(study, labels={View.SAX: LabelMap(array=np.roll(array, 8, axis=1))})
    (remark,) = label_remarks(summarise_labels(shifted))
    assert "may not lie on the heart" in remark and "mirrored, shifted or exchanged" in remark


def test_the_auc_is_that_of_its_definition() -> None:
    labels = heart_labels()
    study = bright_blood(labels, seed=3)
    cine = study.study[View.SAX]
    expected = []
    for frame in range(2):
        blood, wall = (cine.array[..., frame][labels.array[..., frame] == code] for code in (3, 2))
        expected.append((blood[:, None] > wall[None]).mean() + 0.5 * (blood[:, None] == wall[None]).mean())
    assert blood_wall_auc(cine, labels) == pytest.approx(np.mean(expected), abs=1e-9)
    assert blood_wall_auc(cine, labels.in_scheme("chambers")) == blood_wall_auc(cine, labels)
    assert blood_wall_auc(cine, LabelMap(array=np.where(labels.array == 2, 0, labels.array).astype(np.uint8))) is None


def test_a_summary_has_frames_and_volumes_of_what_was_drawn() -> None:
    array = heart((12.0, 9.0))
    study = annotated(np.where(array == 3, 3, 0).astype(np.uint8), "p1")
    study = replace(study, labels={View.SAX: replace(study.labels[View.SAX], drawn=("lv",))})
    (summary,) = summarise_labels(study)
    voxel_ml = float(np.prod(cine_of(array).spacing_mm)) / 1000
    assert summary.drawn == ("lv",) and summary.frames == (0, 1)
    expected = [voxel_ml * np.count_nonzero(array[..., t] == 3) for t in (0, 1)]
    assert summary.volumes_ml == {"lv": pytest.approx(expected)}


def test_volumes_count_uneven_slices_with_the_length_that_each_stands_for() -> None:
    study, kept = annotated(heart((12.0, 9.0), n_slices=8), "p1"), [0, 1, 4, 5, 6, 7]
    cine = study.study[View.SAX].select(slices=kept)
    labels = replace(study.labels[View.SAX], array=study.labels[View.SAX].array[:, :, kept])
    gapped = replace(study, study=replace(study.study, cines=(cine,)), labels={View.SAX: labels})
    (summary,) = summarise_labels(gapped)
    assert summary.volumes_ml["lv"] == pytest.approx(measure_volumes(cine, labels, basal_rule="all-slices").lv_ml)


@pytest.mark.slow
@pytest.mark.realdata
def test_all_patients_of_acdc_pass_and_exchanged_ones_are_refused(real_data: Path) -> None:
    for number in range(1, 101):
        _, labels, _ = acdc_patient(real_data, number)
        check_nesting(labels, OURS, name=str(number))
        if number % 20 == 0:
            exchanged = LabelMap(array=np.array([0, 3, 2, 1], np.uint8)[labels.array])
            with pytest.raises(InputError, match="probably --codes 1=lv 2=myo 3=rv"):
                check_nesting(exchanged, OURS, name=str(number))


@pytest.mark.slow
@pytest.mark.realdata
def test_blood_is_brighter_than_the_wall_on_acdc_unless_masks_are_mirrored(real_data: Path) -> None:
    dataset = DATASETS["acdc"]
    right, mirrored = [], []
    for case in dataset.list_cases(real_data / "acdc"):
        study = dataset.read_case(case)
        cine, labels = study.study[View.SAX], study.labels[View.SAX]
        right.append(blood_wall_auc(cine, labels))
        mirrored.append(blood_wall_auc(cine, LabelMap(array=labels.array[::-1])))
    assert len(right) == 100 and min(map(float, filter(None, right))) > 0.84
    assert np.median([auc for auc in mirrored if auc is not None]) < 0.65
