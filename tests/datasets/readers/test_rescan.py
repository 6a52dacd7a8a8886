"""Rescan after its conversion: pairs, their volumes, and what is still pickled."""

from __future__ import annotations

from pathlib import Path

import pytest
from trees import rescan_tree

from cinema_cmr.core.errors import MissingFileError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.data.cases import Case
from cinema_cmr.datasets.readers.rescan import DATASET, list_cases, read_case


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return rescan_tree(tmp_path).root


def case_of(root: Path, name: str) -> Case:
    return next(case for case in list_cases(root) if case.name == name)


def test_the_two_scans_of_a_pair_are_one_patient_s(root: Path) -> None:
    patients = {case.name: (case.patient, case.facts.get("scan")) for case in list_cases(root)}
    assert patients["test-scan_00_A"] == ("test-scan_00", "A") and patients["test-scan_00_B"] == ("test-scan_00", "B")
    assert patients["retest-1027"] == ("pair_000", "A") and patients["retest-1153"] == ("pair_000", "B1")
    assert patients["train-A-s_0000"] == ("train-A-s_0000", None)
    split = DATASET.predefined_split(list_cases(root))
    assert split is not None and set(split.parts) == {"train", "test", "retest"}


def test_a_pair_of_the_table_has_its_volumes_and_needs_no_labels(root: Path) -> None:
    case = case_of(root, "retest-1027")
    assert {key: case.facts[key] for key in ("lv_edv_ml", "lv_esv_ml", "lv_ef_percent")} == {
        "lv_edv_ml": 120.0,
        "lv_esv_ml": 48.0,
        "lv_ef_percent": 60.0,
    }
    assert not read_case(case).labels
    with pytest.raises(MissingFileError, match=r"'sax\.nii\.gz' is missing"):
        read_case(case_of(root, "retest-1153"))


def test_a_scan_without_its_label_map_or_a_view(root: Path) -> None:
    case = case_of(root, "test-scan_00_A")
    (case.folder / "lax_2c.nii.gz").unlink()
    annotated = read_case(case)
    assert View.LAX_2C not in annotated.study and "view-absent" in [i.code for i in annotated.study.issues]
    assert annotated.facts["drawn_by"] == "a program" and case_of(root, "train-A-s_0000").facts["centre"] == "A"
    (case.folder / "sax_segs.nii.gz").unlink()
    with pytest.raises(MissingFileError, match="sax_segs"):
        read_case(case)
