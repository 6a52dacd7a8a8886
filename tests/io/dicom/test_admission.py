"""Words about a series never overrule its geometry and timing."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from frame_headers import PLAIN_HEADER
from synthetic_dicom import Heart, StudyWriter, short_axis_planes

from cinema_cmr.core.errors import NoCineError
from cinema_cmr.core.study import Issue, Study, Subject
from cinema_cmr.core.vocabulary import View
from cinema_cmr.io.dicom.admission import with_claimed
from cinema_cmr.io.dicom.files import FoundFiles, SeriesFiles
from cinema_cmr.io.dicom.study import read_dicom

HEART = Heart()
PLANES = short_axis_planes(HEART, n=6)


def write(folder: Path, *, n_plain: int = 4, **tags: Any) -> Path:
    """A stack whose last slices have other words in their headers."""
    writer = StudyWriter(folder=folder, heart=HEART)
    for k, plane in enumerate(PLANES):
        writer.add([plane], series=k + 1, n_frames=8, **(tags if k >= n_plain else {}))
    return folder


def issue_of(study: Study, code: str) -> Issue:
    (issue,) = (issue for issue in study.issues if issue.code == code)
    return issue


@pytest.mark.medium
@pytest.mark.parametrize(
    "tags",
    [
        {"SeriesDescription": "cine SA PC"},
        {"SeriesDescription": "InlineVF"},
        {"SeriesDescription": "tagging"},
        {"ImageType": ["DERIVED", "SECONDARY", "MPR"]},
        {"Modality": "OT"},
    ],
)
def test_slices_that_continue_the_stack_are_measured_whatever_they_are_called(
    tmp_path: Path, tags: dict[str, Any]
) -> None:
    study = read_dicom(write(tmp_path, **tags))
    assert study[View.SAX].n_slices == len(PLANES)
    issue = issue_of(study, "claim-overruled")
    assert issue.severity == "info" and issue.evidence["series"] == "5-6"


@pytest.mark.medium
def test_without_another_short_axis_a_claimed_one_is_measured_with_a_warning(tmp_path: Path) -> None:
    study = read_dicom(write(tmp_path, n_plain=0, SeriesDescription="cine PC"))
    assert study[View.SAX].n_slices == len(PLANES)
    assert issue_of(study, "claim-overruled").severity == "warning"


@pytest.mark.medium
def test_velocity_images_are_left_out_with_a_flag_where_they_continue_the_stack(tmp_path: Path) -> None:
    study = read_dicom(write(tmp_path, ImageType=["ORIGINAL", "PRIMARY", "P"]))
    assert study[View.SAX].n_slices == 4
    assert issue_of(study, "claimed-series-left-out").severity == "warning"


@pytest.mark.medium
def test_a_flow_measurement_with_its_velocity_images_is_never_a_cine(tmp_path: Path) -> None:
    writer = StudyWriter(folder=tmp_path, heart=HEART)
    for series, kind in ((1, "M"), (2, "P")):
        writer.add(PLANES, series=series, n_frames=8, ImageType=["ORIGINAL", "PRIMARY", kind], SeriesDescription="flow")
    with pytest.raises(NoCineError, match="series 1: described as flow"):
        read_dicom(tmp_path)


@pytest.mark.medium
def test_a_result_series_at_the_places_of_the_stack_replaces_nothing(tmp_path: Path) -> None:
    plain = read_dicom(write(tmp_path, n_plain=6))[View.SAX]
    # Larger than the originals, which are a series a slice: size must not decide.
    StudyWriter(folder=tmp_path, heart=Heart(centre=(0.0, 0.0, 0.0))).add(
        PLANES, series=90, n_frames=8, SeriesDescription="InlineVF", ImageType=["DERIVED", "SECONDARY"]
    )
    study = read_dicom(tmp_path)
    np.testing.assert_array_equal(study[View.SAX].array, plain.array)
    assert not [issue for issue in study.issues if issue.code.startswith("claim")]


def test_a_multi_frame_image_without_its_first_frame_is_excluded_until_all_its_frames_are_admitted() -> None:
    claimed = tuple(replace(PLAIN_HEADER, frame=frame, claim="described as flow") for frame in (1, 2))
    series = SeriesFiles(number=1, folder=None, n_images=1, excluded=Counter({"described as flow": 1}))
    found = FoundFiles(
        paths=(Path("a.dcm"),),
        headers=(),
        claimed=claimed,
        series={"series 1": series},
        numbers=(1,),
        broken=(),
        n_other_files=0,
        n_directories=0,
        subject=Subject(),
        issues=(),
    )
    partly = with_claimed(found, [0])
    assert partly.series["series 1"].excluded == Counter({"described as flow": 1})
    for whole in (with_claimed(found, [0, 1]), with_claimed(partly, [0])):
        assert len(whole.headers) == 2 and not whole.series["series 1"].excluded
