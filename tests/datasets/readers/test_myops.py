"""MyoPS 2020 as it is laid out: three sequences of one heart, edema and scar beside the cine structures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from trees import cine_of, myops_tree, save_nifti

from cinema_cmr.core.errors import GeometryError, MissingFileError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.datasets.readers.myops import list_cases, read_case


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return myops_tree(tmp_path).root


def test_three_sequences_are_one_study_with_labels_on_the_late_enhancement(root: Path) -> None:
    annotated = read_case(list_cases(root)[0])
    cines = annotated.study.cines
    assert [cine.label for cine in cines] == ["LGE", "bSSFP", "T2"] and annotated.study.modality == "lge"
    assert [cine.view for cine in cines] == [View.SAX, View.OTHER, View.OTHER]
    assert [round(float(cine.array.sum() / cines[1].array.sum())) for cine in cines] == [2, 1, 3]
    labels = annotated.labels[View.SAX]
    assert labels.scheme == "pathology"
    assert [int((labels.array == code).sum()) for code in (4, 5)] == [40, 20]


def test_the_test_part_has_no_labels(root: Path) -> None:
    case = list_cases(root)[-1]
    assert (case.name, case.facts["part"]) == ("myops_201", "test") and not read_case(case).labels


def test_a_missing_sequence_is_named(root: Path) -> None:
    (root / "train25" / "myops_training_101_T2.nii.gz").unlink()
    with pytest.raises(MissingFileError, match=r"'myops_101_T2\.nii\.gz' is missing"):
        read_case(list_cases(root)[0])


def test_a_label_map_alone_is_listed_too(root: Path) -> None:
    for path in root.glob("train25/*_101_*"):
        path.unlink()
    with pytest.raises(MissingFileError, match="myops_101_DE"):
        read_case(list_cases(root)[0])


def test_sequences_of_different_shape_are_refused(root: Path) -> None:
    cine = cine_of(View.SAX)
    save_nifti(root / "train25" / "myops_training_101_C0.nii.gz", np.ones((9, 9, 3)) + 50 * np.arange(3), cine)
    with pytest.raises(GeometryError, match="aligned sequences"):
        read_case(list_cases(root)[0])
