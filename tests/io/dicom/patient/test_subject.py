"""Facts of the subject: plausible ones kept, others unknown and said so, nothing personal."""

from __future__ import annotations

import pytest
from pydicom.dataset import Dataset

from cinema_cmr.core.study import Issue, Subject
from cinema_cmr.io.dicom.files import quiet_pydicom
from cinema_cmr.io.dicom.patient.subject import fill_subject, read_subject


def dataset(**tags: object) -> Dataset:
    made = Dataset()
    with quiet_pydicom():
        for keyword, value in tags.items():
            setattr(made, keyword, value)
    return made


@pytest.mark.parametrize(
    ("tags", "subject"),
    [
        ({}, Subject()),
        ({"PatientSex": "M", "PatientAge": "063Y"}, Subject(sex="M", age_years=63)),
        ({"PatientSex": "O", "PatientAge": "006M"}, Subject(age_years=0.5)),
        ({"PatientBirthDate": "19700615", "StudyDate": "20200614"}, Subject(age_years=49)),
        ({"PatientBirthDate": "19700615", "StudyDate": "20200615"}, Subject(age_years=50)),
        ({"PatientBirthDate": "00000000", "StudyDate": "20200615"}, Subject()),
        ({"PatientBirthDate": "19000101", "StudyDate": "20000615"}, Subject()),
        ({"PatientBirthDate": "19300615", "StudyDate": "19700101"}, Subject()),
        ({"PatientAge": "000Y"}, Subject()),
        ({"PatientAge": "000Y", "PatientBirthDate": "19700615", "StudyDate": "20200615"}, Subject(age_years=50)),
        ({"PatientAge": "000D"}, Subject(age_years=0)),
        ({"PatientSize": 1.82, "PatientWeight": 80.5}, Subject(height_cm=182, weight_kg=80.5)),
    ],
)
def test_facts(tags: dict[str, object], subject: Subject) -> None:
    assert read_subject(dataset(**tags)) == (subject, ())


@pytest.mark.parametrize(
    ("tags", "fact"),
    [
        ({"PatientSize": 0}, "height"),
        ({"PatientWeight": 0}, "weight"),
        ({"PatientWeight": 900}, "weight"),
        ({"PatientAge": "200Y"}, "age"),
    ],
)
def test_implausible_facts_are_unknown_with_an_issue(tags: dict[str, object], fact: str) -> None:
    subject, (issue,) = read_subject(dataset(**tags))
    assert subject == Subject()
    assert issue.code == "implausible-subject" and issue.evidence == {"fact": fact}


def test_height_in_centimetres_is_converted_and_reported() -> None:
    subject, (issue,) = read_subject(dataset(PatientSize=175))
    assert subject.height_cm == 175
    assert issue.code == "height-unit"


def test_unknown_facts_come_from_later_files_and_issues_once() -> None:
    issues: dict[str, Issue] = {}
    subject = Subject()
    for tags in (
        {"PatientSize": 0},
        {"PatientSize": 0, "PatientSex": "F"},
        {"PatientSize": 1.6, "PatientSex": "M"},
    ):
        subject = fill_subject(subject, dataset(**tags), issues=issues)
    assert subject == Subject(sex="F", height_cm=160)
    assert list(issues) == ["height"]
