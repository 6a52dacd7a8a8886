"""Rendering of a slice: weights of its sheets, labels of the anatomy, and stillness outside the heart."""

from __future__ import annotations

import numpy as np
import pytest

from cinema_cmr.core.vocabulary import View
from cinema_cmr.phantom.body import build_body
from cinema_cmr.phantom.chambers import Chambers
from cinema_cmr.phantom.heart import build_heart
from cinema_cmr.phantom.planes import plan_view
from cinema_cmr.phantom.render import Beat, render_slice, sheets
from cinema_cmr.phantom.styles import find_style
from cinema_cmr.phantom.subject import draw_subject
from cinema_cmr.phantom.surfaces import soften_surfaces
from cinema_cmr.phantom.tissue import tissue_signals


def test_sheets_sample_the_slice_symmetrically() -> None:
    offsets, weights = sheets(9.0)
    assert offsets == pytest.approx([-3, 0, 3]) and weights.sum() == pytest.approx(1)
    assert weights[0] == weights[2] < weights[1]


@pytest.mark.medium
def test_a_mid_ventricular_slice_has_the_areas_of_the_anatomy_and_a_still_background() -> None:
    style = find_style("ideal")
    body = build_body(build_heart(draw_subject(4, group="NOR")))
    heart, plane = body.heart, plan_view(body.heart, View.SAX, style)
    frames = [heart.frame(time) for time in (0.0, heart.left_cycle.systole_ms)]
    vessels = Chambers(heart=heart)
    parts = [soften_surfaces(frame, vessels.at(frame), style.pixel_mm, 3.0) for frame in frames]
    tissues = tissue_signals(field_tesla=1.5, flip_deg=60, tr_ms=3.0)
    found = render_slice(body, Beat(parts=parts), plane, plane.shape[2] // 2, tissues=tissues, flow=0.0)
    blood = np.count_nonzero(found.labels == 3, axis=(1, 2)) * style.pixel_mm**2
    assert blood[0] > 1.3 * blood[1] > 0
    assert blood[0] == pytest.approx(np.pi * heart.left.radius_mm**2, rel=0.35)
    assert np.array_equal(found.signal[0][:20], found.signal[1][:20]) and not found.labels[:, :20].any()
