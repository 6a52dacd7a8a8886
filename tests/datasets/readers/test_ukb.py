"""UK Biobank's zips: two make one visit, one alone is read and told, none is an error."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from trees import ukb_tree

from cinema_cmr.core.vocabulary import View
from cinema_cmr.datasets.readers.ukb import list_cases, read_case


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ukb_tree(tmp_path_factory.mktemp("ukb")).root


def test_visits_of_one_participant_are_one_patient_s(root: Path, tmp_path: Path) -> None:
    for name in ("1234567_20209_2_0.zip", "1234567_20209_3_0.zip"):
        shutil.copy(root / "1234567_20209_2_0.zip", tmp_path / name)
    (tmp_path / "1234567_20210_2_0.zip").write_bytes(b"another field")
    assert [(case.name, case.patient) for case in list_cases(tmp_path)] == [
        ("1234567_2_0", "1234567"),
        ("1234567_3_0", "1234567"),
    ]


def test_a_broken_zip_beside_a_whole_one_is_reported(root: Path, tmp_path: Path) -> None:
    shutil.copy(root / "1234567_20208_2_0.zip", tmp_path)
    (tmp_path / "1234567_20209_2_0.zip").write_bytes(b"PK torn")
    study = read_case(list_cases(tmp_path)[0]).study
    assert View.SAX not in study and {cine.view for cine in study.cines} == {View.LAX_2C, View.LAX_4C}
    (issue,) = (issue for issue in study.issues if issue.code == "zip-broken")
    assert "1234567_20209_2_0.zip" in issue.message
