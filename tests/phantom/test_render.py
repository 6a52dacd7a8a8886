"""Rendering of a slice: weights of its sheets, labels of the anatomy, and stillness outside the heart."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from cinema_cmr.core.vocabulary import View
from cinema_cmr.phantom.anatomy.body import build_body
from cinema_cmr.phantom.anatomy.chambers import Chambers
from cinema_cmr.phantom.anatomy.heart import ALONG, N_THETA, build_heart
from cinema_cmr.phantom.anatomy.surfaces import soften_surfaces
from cinema_cmr.phantom.planes import plan_view
from cinema_cmr.phantom.render import Beat, render_slice, sheets
from cinema_cmr.phantom.styles import find_style
from cinema_cmr.phantom.subject import draw_subject
from cinema_cmr.phantom.tissue import tissue_signals


def test_sheets_sample_the_slice_symmetrically() -> None:
    offsets, weights = sheets(9.0)
    assert offsets == pytest.approx([-3, 0, 3]) and weights.sum() == pytest.approx(1)
    assert weights[0] == weights[2] < weights[1]


def area_mm2(radius_mm: NDArray[np.float32], z_mm: float) -> float:
    """Area within a surface (theta, z) of the heart at one distance from the base."""
    areas = 0.5 * (np.asarray(radius_mm, dtype=np.float64) ** 2).sum(axis=0) * 2 * np.pi / N_THETA
    return float(np.interp(z_mm, ALONG, areas))


def test_a_mid_ventricular_slice_has_the_areas_of_the_anatomy_and_a_still_background() -> None:
    style = find_style("ideal")
    body = build_body(build_heart(draw_subject(4, group="NOR")))
    heart, plane = body.heart, plan_view(body.heart, View.SAX, style)
    frames = [heart.frame(time) for time in (0.0, heart.left_cycle.systole_ms)]
    vessels = Chambers(heart=heart)
    parts = [soften_surfaces(frame, vessels.at(frame), style.pixel_mm, 3.0) for frame in frames]
    tissues = tissue_signals(field_tesla=1.5, flip_deg=60, tr_ms=3.0)
    middle = plane.shape[2] // 2
    found = render_slice(body, Beat(parts=parts), plane, middle, tissues=tissues, flow=0.0)
    located = heart.locate(plane.points(middle))
    z_mm = float(located.z.ravel()[located.radius.argmin()])
    for frame, labels in zip(frames, found.labels, strict=True):
        blood, heart_mm2 = (np.isin(labels, codes).sum() * style.pixel_mm**2 for codes in ((3,), (2, 3)))
        assert blood == pytest.approx(area_mm2(frame.endo, z_mm), rel=0.02)
        assert heart_mm2 == pytest.approx(area_mm2(frame.epi, z_mm), rel=0.02)
    assert np.array_equal(found.signal[0][:20], found.signal[1][:20]) and not found.labels[:, :20].any()
