"""Soft surfaces: one half on the surface, edges one pixel wide, and wider where the surface is oblique."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cinema_cmr.phantom.anatomy.heart import ALONG, N_THETA, N_Z, HeartFrame, HeartPoints, build_heart
from cinema_cmr.phantom.anatomy.surfaces import soften_surfaces
from cinema_cmr.phantom.subject import draw_subject

PIXEL_MM, SHEET_MM = 1.5, 3.0


@pytest.fixture(scope="module")
def frame() -> HeartFrame:
    return build_heart(draw_subject(1, group="NOR")).at_ed


def at_radius(radius: np.ndarray) -> HeartPoints:  # type: ignore[type-arg]
    """Points of these radii in the middle of the table."""
    zero = np.zeros_like(radius, dtype=np.float32)
    index = np.full(radius.shape, 10 * N_Z + N_Z // 2, dtype=np.intp)
    return HeartPoints(x=zero, y=zero, z=zero, radius=radius.astype(np.float32), index=index)


def test_edge_of_a_cylinder_is_one_pixel_wide(frame: HeartFrame) -> None:
    cylinder = np.full((N_THETA, N_Z), 25.0, dtype=np.float32)
    surface = soften_surfaces(replace(frame, endo=cylinder), (), PIXEL_MM, SHEET_MM).endo
    radii = 25.0 + PIXEL_MM * np.array([-2, -0.5, -0.25, 0, 0.25, 0.5, 2])
    assert surface.share(at_radius(radii)) == pytest.approx([1, 1, 0.75, 0.5, 0.25, 0, 0], abs=1e-5)
    assert surface.inside(at_radius(np.array([22.0])))[0] == pytest.approx(2.5)


def test_edge_of_a_cone_is_wider_by_its_shift_through_the_sheet(frame: HeartFrame) -> None:
    cone = np.broadcast_to((60 - ALONG)[None], (N_THETA, N_Z)).astype(np.float32)
    surface = soften_surfaces(replace(frame, endo=cone), (), PIXEL_MM, SHEET_MM).endo
    radius = float(cone[10, N_Z // 2])
    width = np.hypot(PIXEL_MM, SHEET_MM)
    assert surface.share(at_radius(np.array([radius, radius + width / 4]))) == pytest.approx([0.5, 0.25], abs=1e-3)
