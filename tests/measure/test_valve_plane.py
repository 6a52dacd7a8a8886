"""A cylinder cut by a plane of known depth and tilt, and a synthetic heart whose atrium is drawn as ventricle."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from cinema_cmr.core.annotation import Landmarks
from cinema_cmr.core.errors import InputError
from cinema_cmr.core.vocabulary import LANDMARKS, View
from cinema_cmr.core.volume import Cine
from cinema_cmr.measure.valve_plane import ValvePlanes, apical_shares, find_valve_planes

CENTRE = np.array([20.0, 20.0])
RADIUS_MM = 15.0


def stack(n_frames: int = 4, affine: NDArray[np.float64] | None = None) -> Cine:
    """Eight slices, 10 mm apart, 2 mm pixels; the first at 0 mm, the apex at 80 mm."""
    return Cine(
        array=np.zeros((20, 20, 8, n_frames), np.float32),
        affine=np.diag([2.0, 2.0, 10.0, 1.0]) if affine is None else affine,
        view=View.SAX,
        slice_positions_mm=np.arange(8) * 10.0,
    )


def hinges(view: View, depths_mm: Sequence[float], *, tilt: float = 0.0, angle_deg: float = 0.0) -> Landmarks:
    """Hinge points on a circle, at a depth per frame that grows by `tilt` per mm along x; the apex at 80 mm."""
    first, second, apex = LANDMARKS[view]
    side = RADIUS_MM * np.array([np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))])
    points = {
        name: np.array([[*(CENTRE + way), depth + tilt * way[0]] for depth in depths_mm])
        for name, way in ((first, side), (second, -side))
    }
    return Landmarks(view=view, points={**points, apex: np.array([[*CENTRE, 80.0]] * len(depths_mm))})


def both(depths_mm: Sequence[float], tilt: float = 0.0) -> dict[View, Landmarks]:
    return {
        View.LAX_4C: hinges(View.LAX_4C, depths_mm, tilt=tilt, angle_deg=10),
        View.LAX_2C: hinges(View.LAX_2C, depths_mm, tilt=tilt, angle_deg=80),
    }


def shares_of(cine: Cine, planes: ValvePlanes | None, frame: int) -> NDArray[np.float64]:
    """Share of the voxel in the middle of each slice."""
    assert planes is not None
    return apical_shares(cine, planes, np.array([[10, 10, z, frame] for z in range(cine.n_slices)]))


def test_a_slice_counts_by_the_part_on_the_apical_side() -> None:
    planes = find_valve_planes(stack(), both([0, 8, 12, 5]))
    assert shares_of(stack(), planes, 0)[:3] == pytest.approx([0.5, 1, 1])
    assert shares_of(stack(), planes, 1)[:3] == pytest.approx([0, 0.7, 1])
    assert shares_of(stack(), planes, 2)[:3] == pytest.approx([0, 0.3, 1])
    assert planes is not None and planes.travel_mm == pytest.approx(12)


@pytest.mark.parametrize(
    "views",
    [(View.LAX_4C, View.LAX_2C, View.LAX_3C), (View.LAX_4C, View.LAX_2C), (View.LAX_4C,), (View.LAX_2C,)],
    ids=", ".join,
)
def test_a_tilted_plane_cuts_a_cylinder_at_the_depth_of_its_middle(views: tuple[View, ...]) -> None:
    cine, marks = stack(1), both([23.0], tilt=0.2)
    marks[View.LAX_3C] = hinges(View.LAX_3C, [23.0], tilt=0.2, angle_deg=-45)
    planes = find_valve_planes(cine, {view: marks[view] for view in views})
    x, y = np.meshgrid(np.arange(20), np.arange(20), indexing="ij")
    disc = np.argwhere(np.hypot(2 * x - CENTRE[0], 2 * y - CENTRE[1]) <= RADIUS_MM)
    voxels = np.array([[i, j, z, 0] for z in range(8) for i, j in disc])
    assert planes is not None
    counted_mm = apical_shares(cine, planes, voxels).sum() * 10 / len(disc)
    assert counted_mm == pytest.approx(75 - 23, abs=0.05)


def test_the_cut_is_the_same_whatever_the_orientation_and_order_of_slices() -> None:
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    moved = np.eye(4)
    moved[:3, :3], moved[:3, 3] = turn, [30, -20, 10]
    marks = {
        view: Landmarks(view=view, points={n: p @ turn.T + moved[:3, 3] for n, p in one.points.items()})
        for view, one in both([0, 8, 12, 5], tilt=0.1).items()
    }
    plain = shares_of(stack(), find_valve_planes(stack(), both([0, 8, 12, 5], tilt=0.1)), 1)
    oblique = stack(affine=moved @ stack().affine)
    assert shares_of(oblique, find_valve_planes(oblique, marks), 1) == pytest.approx(plain)
    reverse = np.diag([2.0, 2.0, -10.0, 1.0])
    reverse[2, 3] = 70
    backwards = stack(affine=reverse)
    found = shares_of(backwards, find_valve_planes(backwards, both([0, 8, 12, 5], tilt=0.1)), 1)
    assert found[::-1] == pytest.approx(plain)


def test_uneven_and_sheared_slices_are_cut_at_their_true_depth() -> None:
    sheared = np.diag([2.0, 2.0, 10.0, 1.0])
    sheared[:2, 2] = [3.0, -1.0]
    cine = Cine(
        array=np.zeros((20, 20, 3, 1), np.float32),
        affine=sheared,
        view=View.SAX,
        slice_positions_mm=np.array([0.0, 8.0, 20.0]),
    )
    shares = shares_of(cine, find_valve_planes(cine, both([8.0])), 0)
    assert shares == pytest.approx([0, 0.5, 1])


def test_frames_of_another_number_are_matched_by_phase_and_missing_points_interpolated() -> None:
    marks = both([0, 4, 8, 12, 16, 12, 8, 4])
    marks[View.LAX_4C].points["apex"][2] = np.nan
    for name in LANDMARKS[View.LAX_4C][:2]:
        marks[View.LAX_4C].points[name][2] = np.nan
    planes = find_valve_planes(stack(4), marks)
    assert planes is not None
    assert planes.points[:, 2] == pytest.approx([0, 8, 16, 8])


def test_no_plane_without_orientation_hinge_points_or_a_plausible_tilt() -> None:
    assert find_valve_planes(stack(), {}) is None
    nowhere = hinges(View.LAX_4C, [np.nan] * 4)
    assert find_valve_planes(stack(), {View.LAX_4C: nowhere}) is None
    assert find_valve_planes(stack(), both([10.0] * 4, tilt=1.5)) is None
    unknown = Cine(
        array=np.zeros((20, 20, 8, 4), np.float32),
        affine=np.diag([2.0, 2.0, 10.0, 1.0]),
        view=View.SAX,
        slice_positions_mm=np.arange(8) * 10.0,
        orientation_known=False,
    )
    assert find_valve_planes(unknown, both([0, 8, 12, 5])) is None


def test_a_third_view_evens_out_the_tilt_of_the_others() -> None:
    marks = both([20.0], tilt=0.1)
    marks[View.LAX_3C] = hinges(View.LAX_3C, [20.0], tilt=0.3, angle_deg=-45)
    two, three = (find_valve_planes(stack(1), its) for its in (both([20.0], tilt=0.1), marks))
    assert two is not None and three is not None and three.views == (View.LAX_4C, View.LAX_2C, View.LAX_3C)
    slopes = [-planes.normals[0, 0] / planes.normals[0, 2] for planes in (two, three)]
    assert slopes[0] == pytest.approx(0.1) and 0.1 < slopes[1] < 0.3


def test_two_views_that_nearly_coincide_are_cut_as_one() -> None:
    near = {
        View.LAX_4C: hinges(View.LAX_4C, [12.0], tilt=0.1, angle_deg=0),
        View.LAX_2C: hinges(View.LAX_2C, [12.0], tilt=0.1, angle_deg=5),
    }
    planes = find_valve_planes(stack(1), near)
    assert planes is not None and planes.normals[0] @ [-0.1, 0, 1] == pytest.approx(np.hypot(0.1, 1), abs=1e-3)


def test_landmarks_of_a_view_without_named_points_are_refused_by_name() -> None:
    apex = Landmarks(view=View.LAX_3C, points={"apex": np.zeros((4, 3))})
    with pytest.raises(InputError, match="3-chamber"):
        find_valve_planes(stack(), {View.LAX_3C: apex})
