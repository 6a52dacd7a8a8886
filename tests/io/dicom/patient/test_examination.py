"""Two people are never one study, whatever an anonymiser left of them; one person's study is read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from synthetic_dicom import HEART, StudyWriter, codes, enhanced, long_axis_plane, save, short_axis_planes

from cinema_cmr.core.errors import InputError
from cinema_cmr.core.study import Study
from cinema_cmr.io.dicom.files import quiet_pydicom
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


def rewritten(folder: Path, change: Callable[[Dataset, int], None]) -> Path:
    """Three slices of eight frames in one series, each image changed by its number."""
    StudyWriter(folder=folder).add(short_axis_planes(HEART, n=3), series=1, n_frames=8, **KNOWN)
    with quiet_pydicom():
        for number, path in enumerate(sorted(folder.rglob("*.dcm"))):
            image = dcmread(path)
            change(image, number)
            image.save_as(path)
    return folder


@pytest.mark.parametrize(
    ("keyword", "values", "found"),
    [
        ("PatientID", ("P0017", "P0018"), "2 patients"),
        ("PatientID", ("P0017", "P0018", "P0019"), "3 patients"),
        ("StudyDate", ("20190523", "20200714"), "2 different days"),
    ],
)
def test_two_people_within_a_series_are_refused(
    tmp_path: Path, keyword: str, values: tuple[str, ...], found: str
) -> None:
    def change(image: Dataset, number: int) -> None:
        setattr(image, keyword, values[number % len(values)])

    with pytest.raises(InputError, match=f"the images of series 1 are of {found}") as error:
        read_dicom(rewritten(tmp_path, change))
    assert not any(value in str(error.value) for value in values)


def test_one_strange_image_within_a_series_is_refused(tmp_path: Path) -> None:
    def change(image: Dataset, number: int) -> None:
        image.PatientID = "P0018" if number == 11 else image.PatientID

    with pytest.raises(InputError, match="2 patients"):
        read_dicom(rewritten(tmp_path, change))


@pytest.mark.parametrize("fact", [("PatientSex", ("F", "M")), ("StudyInstanceUID", ("1.2.3", "1.2.4"))])
def test_two_unidentified_people_within_a_series_are_refused(tmp_path: Path, fact: tuple[str, tuple[str, str]]) -> None:
    def change(image: Dataset, number: int) -> None:
        image.PatientID = ""
        setattr(image, fact[0], fact[1][number % 2])

    with pytest.raises(InputError, match=r"sex|2 study UIDs"):
        read_dicom(rewritten(tmp_path, change))


def absent_in_some(image: Dataset, number: int) -> None:
    """An anonymiser that missed, or lost, the identity of some images."""
    if number % 3 == 0:
        image.PatientID = ""
    if number % 3 == 1:
        del image.PatientID, image.StudyDate


def past_midnight(image: Dataset, number: int) -> None:
    image.AcquisitionDate = image.ContentDate = "20190523" if number < 8 else "20190524"


def one_by_one(image: Dataset, number: int) -> None:
    image.PatientID, image.StudyInstanceUID = f"anon{number}", f"1.2.9.{number}"
    image.PatientBirthDate = f"195001{number + 1:02d}"


@pytest.mark.parametrize("change", [absent_in_some, past_midnight, one_by_one])
def test_one_person_within_a_series_is_read(tmp_path: Path, change: Callable[[Dataset, int], None]) -> None:
    study = read_dicom(rewritten(tmp_path, change))
    assert [cine.n_slices for cine in study.cines] == [3]


def test_whole_stacks_of_three_people_in_one_series_are_refused(tmp_path: Path) -> None:
    for k in range(3):
        stack = enhanced(short_axis_planes(HEART, n=3), HEART, time="trigger")
        stack.PatientID, stack.StudyDate, stack.InstanceNumber = f"P{k + 1}", "20190523", k + 1
        stack.PixelData = (np.frombuffer(stack.PixelData, "<u2") + k).astype("<u2").tobytes()
        stack.SOPInstanceUID = stack.file_meta.MediaStorageSOPInstanceUID = f"1.2.9.{k}"
        save(stack, tmp_path / f"{k}.dcm")
    with pytest.raises(InputError, match="3 patients"):
        read_dicom(tmp_path)


def test_two_study_uids_in_one_frame_of_reference_are_one_examination_with_a_warning(tmp_path: Path) -> None:
    facts = {**CONSTANT, "FrameOfReferenceUID": "1.2.9"}
    study = read(tmp_path, facts, {**facts, "StudyInstanceUID": "1.2.4"})
    issue = next(issue for issue in study.issues if issue.code == "subject-differs")
    assert issue.severity == "warning" and "2 study UIDs" in issue.message


@pytest.mark.parametrize("identity", [KNOWN, {**CONSTANT, "FrameOfReferenceUID": "1.2.7"}], ids=["known", "blanked"])
@pytest.mark.parametrize(
    ("clock", "is_two"),
    [(("101500", "101500.4"), True), (("101500", "103000"), False), (("101500", "101500"), False)],
    ids=["at once", "one after the other", "made equal"],
)
def test_series_of_two_studies_at_the_same_time_are_of_two_people(
    tmp_path: Path, identity: dict[str, str], clock: tuple[str, str], is_two: bool
) -> None:
    first, second = ({**identity, "AcquisitionTime": one} for one in clock)
    second["StudyInstanceUID"] = "1.2.4"
    if is_two:
        with pytest.raises(InputError, match="at the same time"):
            read(tmp_path, first, second)
    else:
        assert len(read(tmp_path, first, second).cines) == 2


def test_times_say_nothing_where_each_series_was_given_a_study_uid_of_its_own(tmp_path: Path) -> None:
    """Series of one protocol may state its start alone."""
    times = ("101500", "101500", "103000")
    series = ({**KNOWN, "StudyInstanceUID": f"1.2.{k}", "AcquisitionTime": one} for k, one in enumerate(times))
    assert len(read(tmp_path, *series).cines) == 3


@pytest.mark.parametrize(
    ("fact", "values", "name"),
    [
        ("PatientWeight", (61.0, 84.0), "weight"),
        ("PatientAge", ("043Y", "067Y"), "age"),
        ("DeviceSerialNumber", ("40512", "66017"), "scanner"),
    ],
)
def test_two_bodies_or_scanners_under_one_blanked_identity_are_refused(
    tmp_path: Path, fact: str, values: tuple[Any, Any], name: str
) -> None:
    blanked = {**CONSTANT, "FrameOfReferenceUID": "1.2.7"}
    with pytest.raises(InputError, match=f"differ in {name}"):
        read(tmp_path, {**blanked, fact: values[0]}, {**blanked, fact: values[1], "StudyInstanceUID": "1.2.4"})
