"""Positions in centimetres or with steps that are not those of the slices: put right, or refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cine_frames import blood_ml, true_blood_ml, usual, write
from frame_headers import PLAIN_HEADER

from cinema_cmr.core.errors import InputError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.io.dicom.header import FrameHeader
from cinema_cmr.io.dicom.places.position_scale import scaled_positions
from cinema_cmr.io.dicom.series_groups import ImageFile
from cinema_cmr.io.read import read_study

STEP = 9.0


def images(z: list[float], **facts: Any) -> list[ImageFile]:
    """An image a slice, each in a series of its own, with the true location beside the stated position."""
    found = []
    for k, place in enumerate(z):
        facts_of_slice = {"thickness_mm": 8.0, "spacing_between_mm": STEP, "location_mm": 40 + STEP * k, **facts}
        header = replace(PLAIN_HEADER, position=(-12.0, 5.0, place), series_number=k, **facts_of_slice)
        found.append(ImageFile(uid=str(k), number=k, folder="", description="", headers=(header,)))
    return found


def places(found: list[ImageFile]) -> np.ndarray:
    return np.array([one.headers[0].position for one in found])


def test_centimetres_are_read_as_such_in_all_planes_or_in_those_slices_alone() -> None:
    long_axis = replace(PLAIN_HEADER, orientation=(1.0, 0, 0, 0, 0, 1.0), position=(-10.0, 2.0, 3.0))
    for facts in ({}, {"location_mm": None}, {"location_mm": None, "spacing_between_mm": None}):
        stack = images([4 + 0.9 * k for k in range(8)], **facts)
        stack += [replace(stack[0], headers=(long_axis,))]
        moved, (issue,) = scaled_positions(stack)
        np.testing.assert_allclose(places(moved), 10 * places(stack), atol=1e-6)
        assert (issue.code, issue.severity) == ("positions-rescaled", "warning") and "in centimetres" in issue.message
    mixed = images([*(40 + STEP * k for k in range(5)), *((40 + STEP * k) / 10 for k in range(5, 8))])
    moved, (issue,) = scaled_positions(mixed)
    np.testing.assert_allclose(places(moved)[:, 2], [40 + STEP * k for k in range(8)], atol=1e-6)
    assert issue.evidence["n_slices"] == 3 and (places(moved)[:5] == places(mixed)[:5]).all()


@pytest.mark.parametrize("facts", [{}, {"location_mm": None}])
@pytest.mark.parametrize("step", [0.1, 1.0])
def test_an_index_in_place_of_the_position_gives_way_to_what_states_the_distance(
    step: float, facts: dict[str, Any]
) -> None:
    moved, (issue,) = scaled_positions(images([step * k for k in range(8)], **facts))
    np.testing.assert_allclose(np.diff(places(moved)[:, 2]), STEP, atol=1e-6)
    np.testing.assert_array_equal(places(moved)[:, :2], [[-12.0, 5.0]] * 8)
    assert "9 mm by" in issue.message


def test_slices_upon_each_other_whose_distance_nothing_states_are_refused() -> None:
    stack = images([1.3 * k for k in range(8)], location_mm=None, spacing_between_mm=None)
    with pytest.raises(InputError, match=r"8 slices of 8 mm lie 1.3 mm apart .* export\s+the study again"):
        scaled_positions(stack)


@pytest.mark.parametrize(
    ("z", "facts"),
    [
        ([STEP * k for k in range(8)], {}),
        ([-STEP * k for k in range(8)], {}),
        ([STEP * k for k in range(8)], {"spacing_between_mm": 1.0}),
        ([STEP * k + (k % 2) * 0.8 for k in range(8)], {}),
        ([4.0 * k for k in range(8)], {"location_mm": None, "spacing_between_mm": 4.0}),
        ([4.0 * k for k in range(8)], {"location_mm": None, "spacing_between_mm": None}),
        ([STEP * k for k in range(8)], {"location_mm": 1.0}),
        ([0.9 * k for k in range(3)], {"location_mm": None}),
    ],
)
def test_sound_positions_and_those_that_nothing_contradicts_stay(z: list[float], facts: dict[str, Any]) -> None:
    stack = images(z, **facts)
    assert scaled_positions(stack) == (stack, [])


def test_locations_that_are_an_index_do_not_move_slices() -> None:
    stack = images([STEP * k for k in range(8)])
    indexed = [replace(one, headers=(_with_location(one, k + 1),)) for k, one in enumerate(stack)]
    assert scaled_positions(indexed) == (indexed, [])


def _with_location(one: ImageFile, location: float) -> FrameHeader:
    return replace(one.headers[0], location_mm=location)


@pytest.mark.medium
def test_a_study_in_centimetres_has_the_true_volumes(tmp_path: Path) -> None:
    slices = [
        one.with_(
            tags=lambda k, one=one: {
                **one.tags(k),
                "ImagePositionPatient": (one.plane.position / 10).round(4).tolist(),
                "SliceThickness": 8.0,
                "SpacingBetweenSlices": STEP,
            }
        )
        for one in usual()
    ]
    study = read_study(write(tmp_path, slices))
    np.testing.assert_allclose(blood_ml(study.cine(View.SAX)), true_blood_ml(usual()), rtol=0.01)
    assert [one.code for one in study.issues if one.severity != "info"] == ["positions-rescaled"]
