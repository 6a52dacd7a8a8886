"""Depth inside spheres and tubes against their exact distance, and boxes that contain every reachable point."""

from __future__ import annotations

import numpy as np
import pytest

from cinema_cmr.phantom.anatomy.chambers import Chamber, Chambers, chamber_depth
from cinema_cmr.phantom.anatomy.heart import HeartPoints, build_heart
from cinema_cmr.phantom.subject import draw_subject

SPHERE = Chamber(name="sphere", blood="arterial", centre=(5.0, -3.0, 10.0), size=(20.0, 20.0, 20.0))
TUBE = Chamber(name="tube", blood="venous", centre=(0.0, 0.0, 0.0), size=(0.0, 0.0, 30.0), radius_mm=6.0)


def points_of(ras: np.ndarray) -> HeartPoints:  # type: ignore[type-arg]
    x, y, z = np.asarray(ras, dtype=np.float32).T
    return HeartPoints(x=x, y=y, z=z, radius=np.hypot(x, y), index=np.zeros(len(x), dtype=np.intp))


RANDOM = np.random.default_rng(0).uniform(-60, 60, (500, 3))


def test_depth_in_a_sphere_is_its_radius_minus_the_distance() -> None:
    distance = np.linalg.norm(RANDOM - SPHERE.centre, axis=1)
    assert chamber_depth(SPHERE, points_of(RANDOM)) == pytest.approx(20 - distance, abs=1e-3)


def test_depth_in_a_tube_is_measured_from_its_axis_and_its_ends() -> None:
    beyond = RANDOM[:, 2] - np.clip(RANDOM[:, 2], 0, 30)
    distance = np.sqrt(RANDOM[:, 0] ** 2 + RANDOM[:, 1] ** 2 + beyond**2)
    assert chamber_depth(TUBE, points_of(RANDOM)) == pytest.approx(6 - distance, abs=1e-3)


def test_joined_parts_count_as_one_chamber() -> None:
    joined = Chamber(name="both", blood="arterial", centre=SPHERE.centre, size=SPHERE.size, joined=(TUBE,))
    parts = [chamber_depth(part, points_of(RANDOM)) for part in (SPHERE, TUBE)]
    assert np.array_equal(chamber_depth(joined, points_of(RANDOM)), np.maximum(*parts))


def test_boxes_contain_all_points_within_the_margin() -> None:
    ellipsoid = Chamber(
        name="atrium", blood="venous", centre=(1.0, 2.0, 3.0), size=(12.0, 24.0, 18.0), joined=(TUBE, SPHERE)
    )
    low, high = ellipsoid.reach(5.0)
    within = chamber_depth(ellipsoid, points_of(RANDOM)) > -5
    boxed = ((RANDOM[:, None] >= low) & (RANDOM[:, None] <= high)).all(axis=2).any(axis=1)
    assert within.any() and boxed[within].all()


def test_atria_fill_while_the_ventricles_empty() -> None:
    heart = build_heart(draw_subject(4, group="NOR"))
    chambers = Chambers(heart=heart)
    ed, es = (chambers.at(heart.frame(time)) for time in (0.0, heart.left_cycle.systole_ms))
    assert [chamber.name for chamber in ed] == [chamber.name for chamber in es]
    for before, after in zip(ed, es, strict=True):
        if before.is_atrium:
            assert np.prod(after.size) > np.prod(before.size)
