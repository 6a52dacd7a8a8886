"""Landmarks against a label map of their plane that is many times finer than any image."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from cinema_cmr.core.vocabulary import LANDMARKS, View
from cinema_cmr.phantom.anatomy.chambers import AORTA, Chambers, chamber_depth
from cinema_cmr.phantom.anatomy.heart import Heart, HeartFrame, build_heart
from cinema_cmr.phantom.planes import ImagePlane, plan_view
from cinema_cmr.phantom.points import plane_landmarks
from cinema_cmr.phantom.styles import find_style
from cinema_cmr.phantom.subject import GROUPS, draw_subject

STEP_MM = 0.25
HALF_A_PIXEL_MM = 0.7
"""Of the style "ideal", whose pixels have 1.4 mm."""


def cavity_mm(heart: Heart, frame: HeartFrame, plane: ImagePlane) -> tuple[NDArray[np.float64], float]:
    """(n, 3) RAS of the left ventricle's blood in the middle of the plane, and its depth along the ventricle's axis."""
    rows, columns = (plane.affine[:3, k] / np.linalg.norm(plane.affine[:3, k]) for k in (0, 1))
    centre = heart.origin - ((heart.origin - plane.corner(0)) @ plane.normal) * plane.normal
    steps = np.arange(-130, 130, STEP_MM)
    ras = centre + steps[:, None, None] * rows + steps[None, :, None] * columns
    points = heart.locate(ras)
    inside = (points.z >= frame.left.base_mm) & (points.radius < frame.endo.ravel()[points.index])
    return ras[inside], float(points.z[inside].max())


@pytest.mark.medium
@pytest.mark.parametrize("view", [View.LAX_2C, View.LAX_4C])
@pytest.mark.parametrize("seed", [100, 128, 146])
def test_landmarks_are_corners_and_tip_of_the_cavity_in_the_plane(seed: int, view: View) -> None:
    """128 and 146 have hearts that the 2-chamber plane cuts obliquely."""
    heart = build_heart(draw_subject(seed, group=GROUPS[(seed - 100) % len(GROUPS)]))
    plane = plan_view(heart, view, find_style("ideal"))
    frame = heart.frame(0.0)
    marks = plane_landmarks(heart, [frame], plane)
    assert marks is not None
    hinge, other, apex = (marks.points[name][0] for name in LANDMARKS[view])
    cavity, depth_mm = cavity_mm(heart, frame, plane)
    assert depth_mm == pytest.approx(float(heart.locate(apex[None]).z[0]), abs=HALF_A_PIXEL_MM)
    assert np.linalg.norm(cavity - apex, axis=1).min() < HALF_A_PIXEL_MM
    across = (other - hinge) / np.linalg.norm(other - hinge)
    at_valve = (cavity - hinge) @ across
    beside = np.linalg.norm(cavity - hinge - at_valve[:, None] * across, axis=1) < 2 * STEP_MM
    assert at_valve[beside].min() == pytest.approx(0, abs=HALF_A_PIXEL_MM)
    assert at_valve[beside].max() == pytest.approx(np.linalg.norm(other - hinge), abs=HALF_A_PIXEL_MM)


@pytest.mark.medium
@pytest.mark.parametrize("seed", [100, 128, 146])
def test_the_valve_of_the_3_chamber_view_ends_at_the_root_of_the_aorta(seed: int) -> None:
    """Between it and the septum is the way into the aorta, above which there is no left atrium."""
    heart = build_heart(draw_subject(seed, group=GROUPS[(seed - 100) % len(GROUPS)]))
    plane = plan_view(heart, View.LAX_3C, find_style("ideal"))
    frame = heart.frame(0.0)
    marks = plane_landmarks(heart, [frame], plane)
    assert marks is not None
    beside_aorta, lateral, apex = (marks.points[name][0] for name in LANDMARKS[View.LAX_3C])
    cavity, depth_mm = cavity_mm(heart, frame, plane)
    assert depth_mm == pytest.approx(float(heart.locate(apex[None]).z[0]), abs=HALF_A_PIXEL_MM)
    across = (lateral - beside_aorta) / np.linalg.norm(lateral - beside_aorta)
    at_valve = (cavity - beside_aorta) @ across
    beside = np.linalg.norm(cavity - beside_aorta - at_valve[:, None] * across, axis=1) < 2 * STEP_MM
    assert at_valve[beside].max() == pytest.approx(np.linalg.norm(lateral - beside_aorta), abs=HALF_A_PIXEL_MM)
    assert at_valve[beside].min() < -8  # the way into the aorta, as wide as a thumb
    chambers = {chamber.name: chamber for chamber in Chambers(heart=heart).at(frame)}
    sides = heart.locate(beside_aorta + np.array([[-1.0], [1.0]]) * across)
    in_aorta = chamber_depth(chambers[AORTA], sides) > 0
    assert in_aorta.tolist() == [True, False]
