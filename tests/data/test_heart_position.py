"""Where planes meet is known by hand; where a stack beats is known from the synthetic heart."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from oracles import cine_of, heart

from cinema_cmr.core.geometry import apply_affine
from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine
from cinema_cmr.data.heart_position import heart_positions, intersection_point

POINT = np.array([21.0, -34.0, 55.0])


def plane(view: View, directions: np.ndarray, *, place: tuple[float, float], n_slices: int = 1) -> Cine:  # type: ignore[type-arg]
    """A grid in which POINT is voxel `place` of the middle slice."""
    affine = np.eye(4)
    affine[:3, :3] = directions @ np.diag([1.5, 1.5, 8.0])
    affine[:3, 3] = POINT - affine[:3, :3] @ np.array([*place, (n_slices - 1) / 2])
    shape = (80, 90, n_slices, 2)
    return Cine(
        array=np.zeros(shape, np.float32), affine=affine, view=view, slice_positions_mm=np.arange(n_slices) * 8.0
    )


def views() -> list[Cine]:
    frame = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))[0]
    long = frame[:, [2, 0, 1]]  # holds the stack's normal
    turned = long @ np.array([[1.0, 0, 0], [0, 0.5, -(0.75**0.5)], [0, 0.75**0.5, 0.5]])
    return [
        plane(View.SAX, frame, place=(30.0, 51.0), n_slices=5),
        plane(View.LAX_4C, long, place=(44.0, 38.0)),
        plane(View.LAX_2C, turned, place=(25.0, 60.0)),
    ]


def test_three_planes_meet_in_one_point() -> None:
    assert intersection_point(views()) == pytest.approx(POINT, abs=0.1)
    places = heart_positions(Study(name="x", cines=tuple(views())))
    assert places[View.SAX] == pytest.approx((30.0, 51.0), abs=0.1)
    assert places[View.LAX_4C] == pytest.approx((44.0, 38.0), abs=0.1)
    assert places[View.LAX_2C] == pytest.approx((25.0, 60.0), abs=0.1)


def test_two_planes_leave_one_direction_to_the_images() -> None:
    sax, long, _ = views()
    point = intersection_point([sax, long])
    for cine in (sax, long):
        assert apply_affine(np.linalg.inv(cine.affine), point)[2] == pytest.approx((cine.n_slices - 1) / 2, abs=0.1)


def test_a_stack_alone_is_located_by_its_motion() -> None:
    radii = 14 + 4 * np.cos(np.linspace(0, 2 * np.pi, 8, endpoint=False))
    sax = cine_of(heart(tuple(radii), centre=(40.0, 30.0)))
    (place,) = heart_positions(Study(name="x", cines=(sax,))).values()
    assert place == pytest.approx((40.0, 30.0), abs=4.0)


def test_without_orientation_or_motion_it_is_the_middle() -> None:
    still = replace(views()[0], orientation_known=False, array=np.zeros((80, 90, 5, 1), np.float32))
    unknown = replace(views()[1], orientation_known=False)
    places = heart_positions(Study(name="x", cines=(still, unknown)))
    assert places == {View.SAX: (39.5, 44.5), View.LAX_4C: (39.5, 44.5)}


def test_a_point_outside_an_image_is_not_believed() -> None:
    sax, long, other = views()
    far = long.affine.copy()
    far[:3, 3] += far[:3, 0] * 200
    places = heart_positions(Study(name="x", cines=(sax, replace(long, affine=far), other)))
    assert places[View.LAX_4C] == (39.5, 44.5)
