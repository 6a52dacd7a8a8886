"""The Data Science Bowl: volumes from its tables, one of which has a row a phase."""

from __future__ import annotations

from pathlib import Path

import pytest
from trees import kaggle_tree

from cinema_cmr.core.errors import MissingFileError
from cinema_cmr.core.study import Study
from cinema_cmr.data.cases import Case
from cinema_cmr.datasets.readers import kaggle
from cinema_cmr.datasets.readers.kaggle import DATASET, list_cases, read_case


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return kaggle_tree(tmp_path_factory.mktemp("kaggle")).root


def case_of(root: Path, name: str) -> Case:
    return next(case for case in list_cases(root) if case.name == name)


def test_volumes_come_from_both_kinds_of_table(root: Path) -> None:
    assert case_of(root, "0001").facts["lv_ef_percent"] == pytest.approx(60)
    test = case_of(root, "0701").facts
    assert test == {"part": "test", "lv_edv_ml": 200.0, "lv_esv_ml": 150.0, "lv_ef_percent": 25.0}


def test_the_official_parts_are_the_folders(root: Path) -> None:
    split = DATASET.predefined_split(list_cases(root))
    assert split is not None and dict(split.parts) == {"train": ("0001",), "test": ("0701",)}


def test_a_row_without_images_is_listed_as_missing(root: Path) -> None:
    with pytest.raises(MissingFileError, match=r"'study' is missing; expected it in '.*/2'"):
        read_case(case_of(root, "0002"))


def test_an_end_systole_larger_than_the_end_diastole_is_reported(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kaggle, "read_study", lambda folder, name: Study(name=name, cines=()))
    case = case_of(root, "0001")
    facts = {**case.facts, "lv_edv_ml": 50.0}
    annotated = read_case(Case(name=case.name, patient=case.patient, folder=case.folder, facts=facts))
    assert "volumes-implausible" in [issue.code for issue in annotated.study.issues]
    assert not annotated.labels and annotated.study.name == "0001"
