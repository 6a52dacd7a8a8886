"""M&Ms as it is laid out, with what is irregular in it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from trees import ED, ES, mnms_tree, save_nifti

from cinema_cmr.core.errors import InputError, MissingFileError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.data.cases import Case
from cinema_cmr.datasets.readers.mnms import DATASET, list_cases, read_case


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return mnms_tree(tmp_path_factory.mktemp("mnms")).root


def case_of(root: Path, name: str) -> Case:
    return next(case for case in list_cases(root) if case.name == name)


def test_the_whole_cine_comes_with_the_two_frames_that_were_drawn(root: Path) -> None:
    annotated = read_case(case_of(root, "A0S9V9"))
    assert annotated.labelled_frames == {View.SAX: (ED, ES)}
    assert set(np.unique(annotated.labels[View.SAX].array)) == {0, 1, 2, 3}
    subject = annotated.study.subject
    assert (subject.sex, subject.age_years, subject.height_cm, subject.weight_kg) == ("F", 61.0, 171.0, None)
    assert not [issue for issue in annotated.study.issues if issue.code == "other-frames-labelled"]


def test_empty_masks_of_the_unlabelled_part_are_no_labels(root: Path) -> None:
    case = case_of(root, "B1C2D3")
    assert case.facts["part"] == "unlabelled" and not read_case(case).labels
    assert "B1C2D3" not in DATASET.training_split(list_cases(root))["train"]


def test_a_row_without_an_image_is_listed_as_missing(root: Path) -> None:
    case = case_of(root, "Z0Z0Z0")
    assert "part" not in case.facts and case.facts["group"] == "HCM"
    with pytest.raises(MissingFileError, match=r"'Z0Z0Z0_sa\.nii\.gz' is missing"):
        read_case(case)


def test_any_folder_of_the_dataset_will_do(root: Path) -> None:
    below = list_cases(root / "OpenDataset" / "Training" / "Labeled")
    assert [case.name for case in below if case.folder.exists()] == ["A0S9V9"]


def test_labels_in_other_frames_than_the_table_are_used_and_reported(tmp_path: Path) -> None:
    root = mnms_tree(tmp_path).root
    (table,) = root.rglob("*.csv")
    table.write_text(table.read_text().replace(f",{ED},{ES},", ",2,7,"))
    annotated = read_case(case_of(root, "A0S9V9"))
    assert annotated.labelled_frames == {View.SAX: (ED, ES)}
    (issue,) = (issue for issue in annotated.study.issues if issue.code == "other-frames-labelled")
    assert "[0, 5]" in issue.message and "[2, 7]" in issue.message


def test_a_code_of_another_dataset_is_refused(tmp_path: Path) -> None:
    root = mnms_tree(tmp_path).root
    case = case_of(root, "A0S9V9")
    cine = read_case(case).study.cine(View.SAX)
    save_nifti(case.folder / "A0S9V9_sa_gt.nii.gz", np.full(cine.array.shape, 4), cine)
    with pytest.raises(InputError, match="expected the label codes"):
        read_case(case)
