"""Structures inside the blood: at the wall, at the valve, and only while blood moves."""

from __future__ import annotations

import numpy as np
import pytest

from cinema_cmr.phantom.anatomy.heart import Heart, HeartPoints, build_heart
from cinema_cmr.phantom.anatomy.valves import Muscles, leaflet_share
from cinema_cmr.phantom.subject import draw_subject


@pytest.fixture(scope="module")
def heart() -> Heart:
    return build_heart(draw_subject(7, group="NOR"))


def points_at(heart: Heart, x: float, y: float, z: float) -> HeartPoints:
    return heart.locate(heart.to_ras(np.array([x]), np.array([y]), np.array([z])))


def test_trabeculae_line_the_wall_and_leave_the_axis_free(heart: Heart) -> None:
    muscles, frame = Muscles(heart=heart), heart.at_ed
    level = 0.6 * heart.left.length_mm
    ring = np.linspace(0, 2 * np.pi, 60)
    axis = points_at(heart, 0, 0, 0.2 * heart.left.length_mm)
    assert muscles.muscle_share(axis, frame)[0] == 0
    wall = heart.locate(heart.to_ras(60 * np.cos(ring), 60 * np.sin(ring), np.full(60, level)))
    share = muscles.muscle_share(wall, frame)
    assert share.min() >= 0 and share.max() <= 1 and share.mean() > 0.3


def test_leaflets_are_at_the_valve_only(heart: Heart) -> None:
    at_valve = heart.locate(heart.to_ras(np.linspace(-20, 20, 80), np.zeros(80), np.full(80, 4.0)))
    assert leaflet_share(at_valve, heart.at_ed, 3.0).max() > 0.1
    assert leaflet_share(points_at(heart, 3, 3, 60.0), heart.at_ed, 3.0)[0] == 0


def test_jets_need_fast_blood(heart: Heart) -> None:
    muscles, cycle = Muscles(heart=heart), heart.left_cycle
    inflow = points_at(heart, -6, -6, 15.0)
    early = heart.frame(cycle.systole_ms + cycle.relaxation_ms + cycle.rapid_filling_ms / 2)
    still = heart.frame(cycle.systole_ms + cycle.relaxation_ms / 2)
    assert muscles.jet(inflow, early)[0] > 0.05 and muscles.jet(inflow, still)[0] == 0
