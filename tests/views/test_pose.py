"""The position of the heart, against usual, mirrored and turned ones."""

from __future__ import annotations

import numpy as np
import pytest

from cinema_cmr.views.axis import EXPECTED_AXIS, TOWARDS_RV, LongAxis
from cinema_cmr.views.pose import MIRROR, axis_in_pose, mirrored_angle_deg

AXIS = LongAxis(centre=np.zeros(3), direction=EXPECTED_AXIS, half_length_mm=40.0, source="motion")


def with_direction(direction: np.ndarray) -> LongAxis:
    return LongAxis(centre=np.zeros(3), direction=direction, half_length_mm=40.0, source="motion")


def test_the_usual_position_changes_nothing() -> None:
    assert axis_in_pose(AXIS, TOWARDS_RV) is AXIS


@pytest.mark.parametrize("sign", [1, -1])
def test_a_mirrored_body_has_the_other_hand(sign: int) -> None:
    found = axis_in_pose(with_direction(sign * MIRROR * EXPECTED_AXIS), MIRROR * TOWARDS_RV)
    assert found.mirrored and found.handed and found.towards_rv is not None
    np.testing.assert_allclose(found.direction, MIRROR * EXPECTED_AXIS)
    np.testing.assert_allclose(found.towards_rv, MIRROR * TOWARDS_RV)


def test_any_other_position_has_no_hand() -> None:
    """Turned by a quarter about the body's axis."""
    turn = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    found = axis_in_pose(with_direction(turn @ EXPECTED_AXIS), turn @ TOWARDS_RV)
    assert not found.handed and found.towards_rv is not None
    np.testing.assert_allclose(found.towards_rv, turn @ TOWARDS_RV)


def test_an_unusual_right_ventricle_alone_leaves_the_hand_open() -> None:
    assert not axis_in_pose(AXIS, -TOWARDS_RV).handed


def test_angle_to_the_mirrored_axis() -> None:
    assert mirrored_angle_deg(-MIRROR * EXPECTED_AXIS) == pytest.approx(0, abs=1e-5)
    assert mirrored_angle_deg(EXPECTED_AXIS) > 60
