"""The torso around a heart: air outside, fat under the skin, and the heart inside the chest wall."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cinema_cmr.phantom.anatomy.body import Body, build_body
from cinema_cmr.phantom.anatomy.heart import build_heart
from cinema_cmr.phantom.subject import draw_subject
from cinema_cmr.phantom.tissue import tissue_signals

TISSUES = tissue_signals(field_tesla=1.5, flip_deg=60, tr_ms=3.0, fat_sign=1.0)


@pytest.fixture(scope="module")
def body() -> Body:
    return build_body(build_heart(draw_subject(9, group="NOR")))


def signal_at(body: Body, *points: tuple[float, float, float]) -> np.ndarray:  # type: ignore[type-arg]
    return body.signal(np.array(points)[None, :, None], TISSUES, 1.5)[0, :, 0]


def test_outside_is_air_and_under_the_skin_is_fat(body: Body) -> None:
    z = float(body.heart.origin[2])
    outside, fat = signal_at(body, (0, body.half_depth_mm + 80, z), (0, body.half_depth_mm - body.fat_mm / 2, z))
    assert outside == 0
    assert fat == pytest.approx(TISSUES["fat"], rel=0.4)


def test_heart_lies_behind_the_sternum_and_on_the_diaphragm(body: Body) -> None:
    heart = body.heart
    theta = np.linspace(0, 2 * np.pi, 60)
    radius = heart.left.radius_mm + heart.left.wall_mm
    wall = heart.to_ras(radius * np.cos(theta), radius * np.sin(theta), np.full(60, 0.4 * heart.left.length_mm))
    assert wall[:, 1].max() < body.half_depth_mm - body.wall_mm
    assert abs(body.diaphragm_mm - wall[:, 2].min()) < 45


def test_fat_under_the_skin_grows_with_weight() -> None:
    subject = draw_subject(9, group="NOR")
    thin, stout = (build_body(build_heart(replace(subject, weight_kg=kg))) for kg in (55.0, 110.0))
    assert stout.fat_mm > thin.fat_mm and stout.half_width_mm > thin.half_width_mm
