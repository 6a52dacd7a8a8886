"""Planes of an ideal technologist: along and across the axis of the ventricle, 60 degrees apart."""

from __future__ import annotations

import numpy as np
import pytest

from cinema_cmr.core.errors import UsageError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.phantom.anatomy.heart import build_heart
from cinema_cmr.phantom.planes import plan_view
from cinema_cmr.phantom.styles import find_style
from cinema_cmr.phantom.subject import draw_subject

HEART = build_heart(draw_subject(5, group="NOR"))
AXIS = HEART.pose.towards_apex
IDEAL = find_style("ideal")
LONG_AXES = (View.LAX_2C, View.LAX_3C, View.LAX_4C)


def test_stack_is_perpendicular_to_the_axis_and_covers_the_ventricle() -> None:
    stack = plan_view(HEART, View.SAX, IDEAL)
    assert abs(stack.normal @ AXIS) == pytest.approx(1, abs=1e-9)
    assert np.diff(stack.positions_mm) == pytest.approx(IDEAL.slice_step_mm)
    along = sorted(float((stack.corner(index) - HEART.origin) @ AXIS) for index in (0, stack.shape[2] - 1))
    assert along[0] < 5 and along[1] > HEART.left.length_mm - 10


@pytest.mark.parametrize("view", LONG_AXES)
def test_long_axis_planes_contain_the_axis(view: View) -> None:
    plane = plan_view(HEART, view, IDEAL)
    assert plane.normal @ AXIS == pytest.approx(0, abs=1e-9)
    apex = HEART.to_ras(np.array(0.0), np.array(0.0), np.array(HEART.left.length_mm))
    assert (apex - plane.corner(0)) @ plane.normal == pytest.approx(0, abs=1e-6)


def test_long_axis_planes_are_60_degrees_apart() -> None:
    normals = [plan_view(HEART, view, IDEAL).normal for view in LONG_AXES]
    for first, second in ((0, 1), (1, 2), (0, 2)):
        assert abs(normals[first] @ normals[second]) == pytest.approx(0.5, abs=1e-6)


def test_pixels_follow_the_affine() -> None:
    plane = plan_view(HEART, View.LAX_4C, IDEAL)
    points = plane.points(0, offset_mm=2.0)
    voxel = np.array([7.0, 11.0, 0.0, 1.0])
    assert points.shape == (*plane.shape[:2], 3)
    assert points[7, 11] == pytest.approx((plane.affine @ voxel)[:3] + 2.0 * plane.normal)


def test_other_views_are_refused() -> None:
    with pytest.raises(UsageError, match="cannot be planned; expected one of"):
        plan_view(HEART, View.OTHER, IDEAL)
