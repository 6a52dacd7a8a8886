"""The heart's volumes, counted on a fine grid in patient space, are those that its anatomy states."""

from __future__ import annotations

import numpy as np
import pytest

from cinema_cmr.phantom.anatomy.heart import Heart, HeartFrame, build_heart
from cinema_cmr.phantom.anatomy.left_ventricle import MYOCARDIAL_DENSITY_G_ML
from cinema_cmr.phantom.subject import GROUPS, draw_subject

GRID_MM = 1.0


def counted_ml(heart: Heart, frame: HeartFrame) -> dict[str, float]:
    """Volumes in ml by counting the points of a grid through the whole heart."""
    axes = [np.arange(-105, 105, GRID_MM) + 0.37 for _ in range(3)]
    found = dict.fromkeys(("lv", "myo", "rv"), 0)
    for x in axes[0]:
        y, z = np.meshgrid(axes[1], axes[2], indexing="ij")
        points = heart.locate(heart.origin + np.stack([np.full_like(y, x), y, z], axis=-1))
        radius = {name: getattr(frame, name).ravel()[points.index] for name in ("endo", "epi", "rv_inner", "rv_blood")}
        below = points.z >= frame.left.base_mm
        lv = below & (points.radius < radius["endo"])
        myo = below & (points.radius < radius["epi"]) & ~lv
        rv = (points.radius < radius["rv_blood"]) & (points.radius >= radius["rv_inner"]) & ~lv & ~myo
        for name, inside in (("lv", lv), ("myo", myo), ("rv", rv)):
            found[name] += int(inside.sum())
    return {name: count * GRID_MM**3 / 1000 for name, count in found.items()}


def check_volumes(heart: Heart) -> None:
    subject = heart.subject
    es_ms = heart.left_cycle.systole_ms + heart.left_cycle.relaxation_ms / 2
    ed, es = heart.at_ed, heart.frame(es_ms)
    at_ed, at_es = counted_ml(heart, ed), counted_ml(heart, es)
    assert at_ed["lv"] == pytest.approx(subject.lv_edv_ml, rel=0.01)
    assert at_es["lv"] == pytest.approx(subject.lv_edv_ml * (1 - subject.lv_ef_percent / 100), rel=0.015)
    assert at_ed["rv"] == pytest.approx(subject.rv_edv_ml, rel=0.01)
    assert at_ed["myo"] * MYOCARDIAL_DENSITY_G_ML == pytest.approx(subject.lv_mass_g, rel=0.01)
    assert at_es["myo"] == pytest.approx(at_ed["myo"], rel=0.02)


@pytest.mark.medium
def test_counted_volumes_are_the_stated_ones() -> None:
    check_volumes(build_heart(draw_subject(4, group="NOR")))


@pytest.mark.slow
@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("seed", [1, 2])
def test_counted_volumes_are_the_stated_ones_in_every_group(group: str, seed: int) -> None:
    check_volumes(build_heart(draw_subject(seed, group=group)))


@pytest.mark.parametrize("group", ["NOR", *(pytest.param(g, marks=pytest.mark.medium) for g in GROUPS if g != "NOR")])
def test_the_wall_keeps_its_volume_over_the_beat(group: str) -> None:
    heart = build_heart(draw_subject(7, group=group))
    times = np.linspace(0, heart.left_cycle.rr_interval_ms, 9)
    walls = np.array([heart.left.wall_ml(heart.frame(float(time)).left) for time in times])
    assert np.ptp(walls) / walls[0] < 0.02


def test_a_beat_ends_where_it_began() -> None:
    heart = build_heart(draw_subject(3, group="NOR"))
    first, last = heart.frame(0.0), heart.frame(heart.left_cycle.rr_interval_ms)
    assert last.fullness == pytest.approx(first.fullness, abs=1e-9)
    np.testing.assert_allclose(last.endo, first.endo, atol=1e-4)


def test_points_go_to_the_heart_and_back() -> None:
    heart = build_heart(draw_subject(5, group="HCM"))
    points = np.random.default_rng(0).normal(size=(50, 3)) * 40
    located = heart.locate(points)
    back = heart.to_ras(*(np.asarray(getattr(located, axis), dtype=np.float64) for axis in "xyz"))
    np.testing.assert_allclose(back, points, atol=1e-3)
    np.testing.assert_allclose(heart.pose.matrix @ heart.pose.matrix.T, np.eye(3), atol=1e-9)
