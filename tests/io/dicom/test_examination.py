"""Two people are never one study, whatever an anonymiser left of them; one person's study is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from synthetic_dicom import HEART, StudyWriter, codes, long_axis_plane, short_axis_planes

from cinema_cmr.core.errors import InputError
from cinema_cmr.core.study import Study
from cinema_cmr.io.dicom.study import read_dicom

KNOWN = {"PatientID": "P0017", "StudyDate": "20190523"}
BLANK = {"PatientID": "", "StudyDate": ""}
CONSTANT = {"PatientID": "ANON", "StudyDate": "19000101"}


def read(folder: Path, *series: dict[str, Any]) -> Study:
    """A short axis and as many long axes as there are further series, each with its own tags."""
    writer = StudyWriter(folder=folder)
    for k, tags in enumerate(series):
        planes = [long_axis_plane(HEART, 90 - 30 * k)] if k else short_axis_planes(HEART, n=3)
        writer.add(planes, series=k + 1, n_frames=8, **tags)
    return read_dicom(folder)


@pytest.mark.parametrize("identity", [BLANK, CONSTANT, {**KNOWN, "StudyDate": None}], ids=["blank", "constant", "date"])
def test_two_unidentified_studies_are_refused(tmp_path: Path, identity: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="2 study UIDs"):
        read(tmp_path, identity, {**identity, "StudyInstanceUID": "1.2.4"})


@pytest.mark.parametrize(("fact", "values"), [("PatientSex", ("F", "M")), ("PatientSize", (1.6, 1.8))])
def test_two_unidentified_bodies_are_refused(tmp_path: Path, fact: str, values: tuple[Any, Any]) -> None:
    with pytest.raises(InputError, match="subjects who differ in"):
        read(tmp_path, *({**CONSTANT, fact: value} for value in values))


@pytest.mark.medium
def test_a_reopened_examination_is_read_and_another_body_reported(tmp_path: Path) -> None:
    again = {**KNOWN, "StudyInstanceUID": "1.2.4"}
    assert "subject-differs" not in codes(read(tmp_path / "a", KNOWN, again))
    study = read(tmp_path / "b", {**KNOWN, "PatientSize": 1.6}, {**again, "PatientSize": 1.8})
    issue = next(issue for issue in study.issues if issue.code == "subject-differs")
    assert issue.severity == "warning" and issue.evidence == {"facts": "height"}


@pytest.mark.medium
def test_a_separate_study_uid_for_every_series_is_due_to_anonymisation(tmp_path: Path) -> None:
    study = read(tmp_path / "a", *({**CONSTANT, "StudyInstanceUID": f"1.2.{k}"} for k in range(3)))
    assert len(study.cines) == 3
    with pytest.raises(InputError, match="subjects who differ in birth date"):
        born = ({**CONSTANT, "StudyInstanceUID": f"1.2.{k}", "PatientBirthDate": f"1950010{k + 1}"} for k in range(3))
        read(tmp_path / "b", *born)
