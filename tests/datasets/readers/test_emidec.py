"""EMIDEC as it is laid out: groups from names, codes of the scheme "scar", what the copies lost is said."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scans import image_of, write_scan
from torch import nn

from cinema_cmr.core.errors import GeometryError, InputError
from cinema_cmr.core.study import NOMINAL_SPACING
from cinema_cmr.core.vocabulary import View
from cinema_cmr.data.cases import stratified_split
from cinema_cmr.datasets.readers.emidec import list_cases, packaged_split, read_case
from cinema_cmr.recipes.registry import recipe
from cinema_cmr.tasks.segment import SegmentTask

SHAPE = (40, 36, 5)


def contours(infarct: bool) -> NDArray[np.uint8]:
    codes = np.zeros(SHAPE, np.uint8)
    codes[10:30, 10:28] = 2
    codes[15:25, 14:24] = 1
    if infarct:
        codes[10:14, 12:20, 1:4] = 3
        codes[12:14, 14:17, 2] = 4
    return codes


def write_case(root: Path, name: str, *, spacing_mm: tuple[float, ...] = (1.6, 1.6, 8.0)) -> Path:
    folder = root / name
    write_scan(folder / "Images" / f"{name}.nii.gz", image_of(int(name[-3:]), SHAPE), spacing_mm)
    write_scan(folder / "Contours" / f"{name}.nii.gz", contours("_P" in name), spacing_mm)
    return folder


def test_cases_are_found_with_their_group_and_their_clinical_file(tmp_path: Path) -> None:
    for name in ("Case_P002", "Case_N010", "Case_P001"):
        write_case(tmp_path / "emidec", name)
    (tmp_path / "emidec" / "Case P001.txt").write_text("Sex : F\r\nAge : 57\r\nKillip Max : 1\r\nFEVG :  \r\n")
    cases = {case.name: case for case in list_cases(tmp_path)}
    assert list(cases) == ["Case_N010", "Case_P001", "Case_P002"]
    assert [case.facts["group"] for case in cases.values()] == ["normal", "infarct", "infarct"]
    assert cases["Case_P001"].facts == {"sex": "F", "age": "57", "killip max": "1", "group": "infarct"}
    subject = read_case(cases["Case_P001"]).study.subject
    assert (subject.sex, subject.age_years) == ("F", 57.0)
    assert read_case(cases["Case_P002"]).study.subject.age_years is None


def test_a_case_is_one_still_frame_of_late_enhancement_with_its_codes(tmp_path: Path) -> None:
    write_case(tmp_path, "Case_P007")
    annotated = read_case(list_cases(tmp_path)[0])
    cine, labels = annotated.study.cine(View.SAX), annotated.labels[View.SAX]
    assert annotated.study.modality == "lge" and labels.scheme == "scar"
    assert cine.array.shape == (*SHAPE, 1) and cine.spacing_mm == pytest.approx((1.6, 1.6, 8.0))
    assert np.array_equal(labels.array[..., 0], contours(infarct=True))
    assert annotated.labelled_frames == {View.SAX: (0,)} and annotated.facts["spacing"] == "true"
    assert NOMINAL_SPACING not in {issue.code for issue in annotated.study.issues}


def test_an_unusable_case_is_refused_by_name(tmp_path: Path) -> None:
    folder = write_case(tmp_path, "Case_P007")
    case = list_cases(tmp_path)[0]
    write_scan(folder / "Contours" / "Case_P007.nii.gz", contours(infarct=True) + 1, (1.6, 1.6, 8.0))
    with pytest.raises(InputError, match=r"holds the values \[5\]"):
        read_case(case)
    write_scan(folder / "Contours" / "Case_P007.nii.gz", contours(infarct=True)[:, :, :4], (1.6, 1.6, 8.0))
    with pytest.raises(GeometryError, match="on the image's grid"):
        read_case(case)
    (folder / "Contours" / "Case_P007.nii.gz").unlink()
    with pytest.raises(InputError, match=r"missing.*Case_P007/Contours"):
        read_case(case)
    write_case(tmp_path / "again", "Case_P007")
    with pytest.raises(InputError, match="'Case_P007' is present more than once"):
        list_cases(tmp_path)


@pytest.mark.parametrize("name", ["scar-unet", "scar-unetr"])
def test_the_scar_recipes_learn_from_it_and_draw_lesions_more_often(tmp_path: Path, name: str) -> None:
    for case in ("Case_N001", "Case_P002"):
        write_case(tmp_path, case)
    task = SegmentTask(recipe(name).task, nn.Identity())
    examples = [example for case in list_cases(tmp_path) for example in task.examples(read_case(case))]
    assert [int(example.labels.max()) for example in examples] == [2, 4]
    assert Counter(example.name for example in task.oversampled(examples)) == {
        "Case_N001, frame 0": 1,
        "Case_P002, frame 0": 2,
    }
    sample = task.sample(examples[1], np.random.default_rng(0))
    assert sample.images["sax"].shape[1:3] == (128, 128) and set(np.unique(sample.labels["sax"])) <= {0, 1, 2, 3, 4}
    assert set(np.unique(task.sample(examples[1], None).labels["sax"])) == {0, 1, 2, 3, 4}


def test_a_cine_recipe_refuses_it(tmp_path: Path) -> None:
    write_case(tmp_path, "Case_N001")
    with pytest.raises(InputError, match="modality 'lge'; expected 'cine'"):
        SegmentTask(recipe("sax-unet").task, nn.Identity()).examples(read_case(list_cases(tmp_path)[0]))


def test_our_split_keeps_patients_apart_and_both_groups_in_each_part() -> None:
    split = packaged_split()
    train, validation = split["train"], split["validation"]
    assert len(train) == 64 and len(validation) == 16 and not set(train) & set(validation)
    assert [sum("_N" in name for name in part) for part in (train, validation)] == [21, 5]


@pytest.mark.realdata
def test_the_split_follows_its_rule_on_the_real_cases(real_data: Path) -> None:
    strata = {case.patient: case.facts["group"] for case in list_cases(real_data / "emidec")}
    drawn = stratified_split("emidec", strata, shares={"train": 0.8, "validation": 0.2}, seed=0)
    assert drawn == packaged_split()


@pytest.mark.realdata
def test_real_copies_say_that_their_spacing_is_nominal(real_data: Path) -> None:
    case = next(c for c in list_cases(real_data / "emidec") if c.name == "Case_P001")
    annotated = read_case(case)
    assert annotated.facts["spacing"] == "nominal"
    assert NOMINAL_SPACING in {issue.code for issue in annotated.study.issues}
    counts = np.bincount(annotated.labels[View.SAX].array.ravel(), minlength=5)
    assert counts[1:].tolist() == [11869, 5275, 3648, 2011]
