"""ACDC as it is laid out, and as it is not: every case that cannot be used is refused by name."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scans import SHAPE, SPACING_MM, image_of, labels_of, write_scan

from cinema_cmr.core.errors import GeometryError, InputError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.data.cases import Case, stratified_split
from cinema_cmr.datasets.readers.acdc import CARD, DATASET, list_cases, packaged_split, read_case, read_cycle


def write_patient(root: Path, number: int, *, ed: int = 1, es: int = 9, info: str | None = None) -> Path:
    name = f"patient{number:03d}"
    folder = root / "database" / "training" / name
    for frame in (ed, es):
        write_scan(folder / f"{name}_frame{frame:02d}.nii.gz", image_of(100 * number + frame))
        write_scan(folder / f"{name}_frame{frame:02d}_gt.nii.gz", labels_of(frame))
    text = f"ED: {ed}\r\nES: {es}\r\nGroup: DCM\r\nHeight: 184.0\r\nNbFrame: 30\r\nWeight: 95.0\r\n"
    (folder / "Info.cfg").write_text(text if info is None else info, newline="")
    return folder


def only_case(root: Path, **settings: Any) -> Case:
    write_patient(root, 7, **settings)
    return list_cases(root)[0]


def test_patients_are_found_from_any_folder_above_them(tmp_path: Path) -> None:
    for number in (12, 3):
        write_patient(tmp_path, number)
    (tmp_path / "database" / "training" / "MANDATORY_CITATION.md").write_text("cite")
    for root in (tmp_path, tmp_path / "database", tmp_path / "database" / "training"):
        assert [case.name for case in list_cases(root)] == ["patient003", "patient012"]
    facts = list_cases(tmp_path)[0].facts
    assert facts == {"ED": 1, "ES": 9, "group": "DCM", "Height": 184.0, "Weight": 95.0}


def test_ed_comes_first_with_its_masks_its_sizes_and_its_subject(tmp_path: Path) -> None:
    annotated = read_case(only_case(tmp_path, ed=4, es=11))
    cine = annotated.study.cine(View.SAX)
    assert cine.array.shape == (*SHAPE, 2)
    assert cine.spacing_mm == pytest.approx(SPACING_MM) and not cine.orientation_known
    assert np.array_equal(cine.array, np.stack([image_of(704), image_of(711)], axis=3))
    labels = annotated.labels[View.SAX].array
    assert np.array_equal(labels, np.stack([labels_of(4), labels_of(11)], axis=3))
    assert annotated.labelled_frames == {View.SAX: (0, 1)} and annotated.patient == "patient007"
    assert (annotated.study.subject.height_cm, annotated.study.subject.weight_kg) == (184.0, 95.0)


def test_an_es_before_ed_in_the_cycle_is_still_second(tmp_path: Path) -> None:
    cine = read_case(only_case(tmp_path, ed=20, es=8)).study.cine(View.SAX)
    assert np.array_equal(cine.array[..., 0], image_of(720))


@pytest.mark.parametrize("missing", ["patient007_frame09.nii.gz", "patient007_frame01_gt.nii.gz"])
def test_a_missing_file_is_named(tmp_path: Path, missing: str) -> None:
    case = only_case(tmp_path)
    (case.folder / missing).unlink()
    with pytest.raises(InputError, match=f"'{missing}' is missing"):
        read_case(case)


def test_an_unknown_code_is_refused(tmp_path: Path) -> None:
    case = only_case(tmp_path)
    labels = labels_of(1)
    labels[0, 0, 0] = 4
    write_scan(case.folder / "patient007_frame01_gt.nii.gz", labels)
    with pytest.raises(InputError, match=r"holds the values \[4\]"):
        read_case(case)


@pytest.mark.parametrize("wrong", ["shape", "spacing"])
def test_phases_on_different_grids_are_refused(tmp_path: Path, wrong: str) -> None:
    case = only_case(tmp_path)
    shape, spacing = (SHAPE, (1.5, 1.5, 5.0)) if wrong == "spacing" else ((20, 18, 5), SPACING_MM)
    write_scan(case.folder / "patient007_frame09.nii.gz", image_of(3, shape), spacing)
    with pytest.raises(GeometryError, match=r"patient007.*one grid"):
        read_case(case)


def test_a_mask_on_another_grid_is_refused(tmp_path: Path) -> None:
    case = only_case(tmp_path)
    write_scan(case.folder / "patient007_frame09_gt.nii.gz", labels_of(1, (18, 20, 4)))
    with pytest.raises(GeometryError, match="patient007_frame09_gt"):
        read_case(case)


@pytest.mark.parametrize(
    ("info", "message"),
    [("Group: NOR\nES: 9\n", r"lacks \['ED'\]"), ("ED: first\nES: 9\nGroup: NOR\n", "has ED 'first'")],
)
def test_an_incomplete_info_file_is_listed_and_refused(tmp_path: Path, info: str, message: str) -> None:
    write_patient(tmp_path, 8)
    case = only_case(tmp_path, info=info)
    assert [one.name for one in list_cases(tmp_path) if one.problem is None] == ["patient008"]
    with pytest.raises(InputError, match=message):
        read_case(case)


def test_height_and_weight_may_be_unknown(tmp_path: Path) -> None:
    subject = read_case(only_case(tmp_path, info="ED: 1\nES: 9\nGroup: NOR\n")).study.subject
    assert subject.height_cm is None and subject.weight_kg is None


def test_an_empty_folder_and_two_copies_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected patientNNN"):
        list_cases(tmp_path)
    write_patient(tmp_path / "a", 1)
    write_patient(tmp_path / "b", 1)
    with pytest.raises(InputError, match="'patient001' is present more than once"):
        list_cases(tmp_path)


def test_the_whole_cycle_is_read_if_available(tmp_path: Path) -> None:
    case = only_case(tmp_path)
    assert read_cycle(case).cine(View.SAX).n_frames == 2
    write_scan(case.folder / "patient007_4d.nii.gz", image_of(5, (*SHAPE, 30)))
    assert np.array_equal(read_cycle(case).cine(View.SAX).array, image_of(5, (*SHAPE, 30)))


def test_a_cycle_in_another_folder_is_found_by_its_patient(tmp_path: Path) -> None:
    write_patient(tmp_path / "database", 7)
    write_scan(tmp_path / "cycles" / "patient007_4d.nii.gz", image_of(5, (9, 8, 3, 12)))
    (case,) = list_cases(tmp_path)
    assert read_cycle(case).cine(View.SAX).array.shape == (9, 8, 3, 12)
    assert read_case(case).study.cine(View.SAX).n_frames == 2


def test_patients_of_the_official_test_part_are_marked(tmp_path: Path) -> None:
    write_patient(tmp_path, 7)
    (tmp_path / "database" / "testing").mkdir()
    write_patient(tmp_path / "other", 101)
    (tmp_path / "other" / "database" / "training" / "patient101").rename(tmp_path / "database/testing/patient101")
    cases = list_cases(tmp_path)
    assert DATASET.patients(cases, "test") == ("patient101",)
    assert DATASET.training_split(cases) == packaged_split()


def test_our_split_is_complete_and_identified_by_its_hash() -> None:
    split = packaged_split()
    train, validation = split["train"], split["validation"]
    assert split.dataset == CARD.name == "acdc"
    assert len(train) == 80 and len(validation) == 20 and not set(train) & set(validation)
    assert sorted([*train, *validation]) == [f"patient{n:03d}" for n in range(1, 101)]


@pytest.mark.realdata
def test_the_split_follows_its_rule_on_the_real_groups(real_data: Path) -> None:
    cases = list_cases(real_data / "acdc")
    strata = {case.patient: case.facts["group"] for case in cases}
    shares = {"train": 0.8, "validation": 0.2}
    drawn = stratified_split("acdc", strata, shares=shares, seed=0)
    assert drawn == packaged_split()
    assert Counter(strata[name] for name in drawn["validation"]) == dict.fromkeys(set(strata.values()), 4)


@pytest.mark.realdata
@pytest.mark.parametrize("number", [1, 21, 90])
def test_real_patients_are_read(real_data: Path, number: int) -> None:
    case = next(c for c in list_cases(real_data / "acdc") if c.name == f"patient{number:03d}")
    annotated = read_case(case)
    cine, labels = annotated.study.cine(View.SAX), annotated.labels[View.SAX].array
    assert labels.shape == cine.array.shape and cine.n_frames == 2
    assert set(np.unique(labels)) == {0, 1, 2, 3}
    assert 1.2 < cine.spacing_mm[0] < 1.9 and 4 < cine.spacing_mm[2] < 11
    volumes_ml = (labels == 3).sum(axis=(0, 1)).T @ cine.voxel_volumes_ml
    assert volumes_ml[0] > volumes_ml[1] > 10
    if number == 90:
        assert case.facts["ED"] == 4 and case.facts["ES"] == 11
