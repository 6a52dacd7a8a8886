"""Lines and planes of the heart, against constructions whose angles are known."""

from __future__ import annotations

import numpy as np
import pytest

from cinema_cmr.core.geometry import unit
from cinema_cmr.views.axis import (
    EXPECTED_AXIS,
    LongAxis,
    Plane,
    angle_to_expected_deg,
    axis_from_planes,
    contains_axis,
    intersection_lines,
    orient_to_apex,
    rotation_deg,
)

AXIS = unit(np.array([-0.5, 0.6, -0.6]))
CENTRE = np.array([-30.0, 20.0, -10.0])
RIGHT_FRONT = unit(np.array([1.0, 1.0, 0.0]) - (np.array([1.0, 1.0, 0.0]) @ AXIS) * AXIS)


def turned_plane(degrees: float, *, beside: float = 0.0, along: float = 0.0) -> Plane:
    """A plane that holds the axis, turned about it from right-front towards anterior (left-head)."""
    anterior = np.cross(RIGHT_FRONT, AXIS)
    angle = np.radians(degrees)
    normal = np.cross(np.cos(angle) * RIGHT_FRONT + np.sin(angle) * anterior, AXIS)
    return Plane(centre=CENTRE + beside * normal + along * AXIS, normal=normal)


def test_anterior_is_left_and_up() -> None:
    anterior = np.cross(RIGHT_FRONT, AXIS)
    assert anterior[0] < 0 < anterior[2]


@pytest.mark.parametrize("degrees", [-89, -60, -30, 0, 30, 60, 90])
def test_rotation_equals_that_of_the_construction(degrees: float) -> None:
    plane = turned_plane(degrees)
    assert rotation_deg(plane.normal, AXIS) == pytest.approx(degrees)
    assert rotation_deg(-plane.normal, AXIS) == pytest.approx(degrees)


def test_planes_meet_in_the_axis() -> None:
    planes = [turned_plane(-30, along=5), turned_plane(35, along=-8), turned_plane(90)]
    lines = intersection_lines(planes)
    assert len(lines) == 3
    for line in lines:
        np.testing.assert_allclose(line.direction, AXIS, atol=1e-9)
        across = (line.centre - CENTRE) - ((line.centre - CENTRE) @ AXIS) * AXIS
        np.testing.assert_allclose(across, 0, atol=1e-9)
    assert intersection_lines([turned_plane(0), turned_plane(20)]) == []


def test_the_line_that_most_planes_share_is_the_axis() -> None:
    odd = Plane(centre=CENTRE + 40, normal=unit(np.array([0.9, 0.1, 0.2])))
    found = axis_from_planes([odd, turned_plane(-30), turned_plane(35), turned_plane(90)])
    assert found is not None
    axis, containing = found
    np.testing.assert_allclose(axis.direction, AXIS, atol=1e-9)
    assert containing == 3


def test_lines_that_no_heart_has_are_no_axis() -> None:
    transverse, sagittal = np.array([0.0, 0.0, 1.0]), np.array([1.0, 0.0, 0.0])
    planes = [Plane(centre=CENTRE, normal=transverse), Plane(centre=CENTRE, normal=sagittal)]
    assert axis_from_planes(planes) is None


def test_distance_and_holding() -> None:
    axis = LongAxis(centre=CENTRE, direction=AXIS, half_length_mm=30.0, source="motion")
    np.testing.assert_allclose(axis.distances_mm(turned_plane(10, beside=7)), [7, 7, 7])
    assert contains_axis(turned_plane(10, beside=7), axis)
    assert not contains_axis(turned_plane(10, beside=13), axis)
    assert not contains_axis(Plane(centre=CENTRE, normal=unit(RIGHT_FRONT + 0.4 * AXIS)), axis)


def test_usual_direction() -> None:
    np.testing.assert_allclose(orient_to_apex(-EXPECTED_AXIS), EXPECTED_AXIS)
    assert angle_to_expected_deg(-EXPECTED_AXIS) == pytest.approx(0, abs=1e-5)
    for body in np.eye(3):
        assert angle_to_expected_deg(body) > 45
