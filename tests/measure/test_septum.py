"""The septum of round hearts whose right ventricle lies on a known side."""

from __future__ import annotations

import numpy as np
import pytest
from hearts import LV, RV, STANDARD_AXES, cine_of, heart_slice

from cinema_cmr.core.annotation import LabelMap
from cinema_cmr.measure.septum import blood_centre_mm, circular_mean, find_septum


def one_slice(turns: int = 0) -> LabelMap:
    """RV towards smaller x (angle 180 degrees), turned by quarters from x towards y."""
    plane = np.rot90(heart_slice(20, 8, 22, (1, 1), (101, 101)), turns, axes=(0, 1))
    return LabelMap(array=np.ascontiguousarray(plane)[..., None, None])


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_the_middle_of_the_septum_turns_with_the_heart(turns: int) -> None:
    labels = one_slice(turns)
    septum = find_septum(cine_of(labels.array.shape, (1, 1, 8)), labels, 0, [0])
    expected = np.pi + turns * np.pi / 2
    assert np.cos(septum.middle[0] - expected) == pytest.approx(1, abs=1e-3)


def test_oblong_pixels_do_not_bend_angles() -> None:
    labels = LabelMap(array=heart_slice(20, 8, 22, (1.0, 2.5), (101, 41))[..., None, None])
    cine = cine_of(labels.array.shape, (1.0, 2.5, 8))
    assert np.cos(find_septum(cine, labels, 0, [0]).middle[0]) == pytest.approx(-1, abs=1e-2)
    assert blood_centre_mm(cine, labels, 0, 0) == pytest.approx((50, 50), abs=0.5)


def test_patient_space_tells_the_anterior_side() -> None:
    labels = one_slice()
    mirrored = STANDARD_AXES * np.array([[1.0], [-1.0], [1.0]])
    for axes, sense in ((STANDARD_AXES, 1), (mirrored, -1)):
        septum = find_septum(cine_of(labels.array.shape, (1, 1, 8), axes=axes, oriented=True), labels, 0, [0])
        assert (septum.anterior_sense, septum.sense_known) == (sense, True)


def test_without_orientation_clockwise_is_assumed_and_said() -> None:
    labels = one_slice()
    septum = find_septum(cine_of(labels.array.shape, (1, 1, 8)), labels, 0, [0])
    assert (septum.anterior_sense, septum.sense_known) == (1, False)


def test_no_right_ventricle_no_septum() -> None:
    labels = one_slice()
    labels.array[labels.array == RV] = 0
    assert not find_septum(cine_of(labels.array.shape, (1, 1, 8)), labels, 0, [0]).middle


def test_a_right_ventricle_that_touches_nothing_is_no_septum() -> None:
    plane = np.zeros((60, 60), dtype=np.uint8)
    plane[40:50, 40:50], plane[:5, :5] = LV, RV
    labels = LabelMap(array=plane[..., None, None])
    assert not find_septum(cine_of(labels.array.shape, (1, 1, 8)), labels, 0, [0]).middle


def test_circular_mean_crosses_the_turn() -> None:
    assert np.degrees(circular_mean(np.radians([170.0, -170.0]))) % 360 == pytest.approx(180)
