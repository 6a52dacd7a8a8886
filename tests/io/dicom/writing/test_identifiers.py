"""Identity of written studies: valid DICOM identifiers that depend on the content alone."""

from __future__ import annotations

import re
import uuid
from dataclasses import replace

import numpy as np
import pytest

from cinema_cmr.core.study import Study, Subject
from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine
from cinema_cmr.io.dicom.writing.identifiers import clock_time, study_digest, uid_from

CINE = Cine(
    array=np.arange(24, dtype=np.float32).reshape(2, 3, 2, 2),
    affine=np.diag([1.5, 1.5, 8.0, 1.0]),
    view=View.SAX,
    slice_positions_mm=np.array([0.0, 8.0]),
    frame_times_ms=np.array([0.0, 40.0]),
    rr_interval_ms=900.0,
)
STUDY = Study(name="one", cines=(CINE,), subject=Subject(sex="F", height_cm=170.0))


def test_a_uid_is_a_uuid_under_2_25() -> None:
    """PS3.5: at most 64 characters, components without leading zeros; B.2: the decimal form of a UUID."""
    for parts in (("a",), ("a", 1), ("series", 12, "image")):
        uid = uid_from(*parts)
        assert len(uid) <= 64 and re.fullmatch(r"2\.25\.[1-9]\d*", uid)
        assert uuid.UUID(int=int(uid.removeprefix("2.25."))).version == 5


def test_parts_are_not_merely_concatenated() -> None:
    assert len({uid_from("ab", "c"), uid_from("a", "bc"), uid_from("abc"), uid_from("ab", "c", "")}) == 4


def test_the_name_of_a_study_does_not_change_its_digest() -> None:
    assert study_digest(replace(STUDY, name="two")) == study_digest(STUDY)


@pytest.mark.parametrize(
    "change",
    [
        {"array": CINE.array + np.float32(1)},
        {"affine": np.diag([1.5, 1.5, 8.5, 1.0])},
        {"view": View.LAX_4C},
        {"slice_positions_mm": np.array([0.0, 9.0])},
        {"frame_times_ms": np.array([0.0, 41.0])},
        {"frame_times_ms": None},
        {"rr_interval_ms": 901.0},
        {"slice_thickness_mm": 8.0},
    ],
    ids=lambda change: next(iter(change)),
)
def test_any_written_value_changes_the_digest(change: dict[str, object]) -> None:
    assert study_digest(replace(STUDY, cines=(replace(CINE, **change),))) != study_digest(STUDY)


def test_a_subject_fact_changes_the_digest() -> None:
    assert study_digest(replace(STUDY, subject=Subject(sex="M", height_cm=170.0))) != study_digest(STUDY)


def test_acquisitions_follow_each_other_within_the_day() -> None:
    times = [clock_time(number) for number in range(300)]
    assert times[:2] == ["120000", "120012"] and times[299] == "125948"
    assert sorted(times) == times and len(set(times)) == 300
