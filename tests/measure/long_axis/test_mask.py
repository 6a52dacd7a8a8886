"""Landmarks read off a long-axis mask lie where the phantom has them, also where blood was drawn into the atrium."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from chambers import chambers
from numpy.typing import NDArray

from cinema_cmr.core.annotation import LabelMap, Landmarks
from cinema_cmr.core.errors import GeometryError
from cinema_cmr.core.geometry import apply_affine
from cinema_cmr.core.vocabulary import LANDMARKS, View
from cinema_cmr.measure.long_axis.mask import landmarks_from_mask
from cinema_cmr.phantom.phantom import PhantomStudy, make_phantom

MITRAL_ALONE = (View.LAX_4C, View.LAX_2C)
"""Views with no other opening of the cavity than the mitral valve."""
VIEWS = (*MITRAL_ALONE, View.LAX_3C)
HINGE_MM, TIP_MM = 3.5, 12.0
"""Three millimetres count as at the wall; the tip is flat, so that its place along it is open."""


@pytest.fixture(scope="module", params=[(1, "NOR"), (2, "DCM"), (3, "HCM")], ids=lambda case: case[1])
def phantom(request: pytest.FixtureRequest) -> PhantomStudy:
    seed, group = request.param
    return make_phantom(seed, group=group, style="ideal", views=VIEWS, n_frames=2)


def apart_mm(found: Landmarks | None, truth: Landmarks) -> dict[str, float]:
    assert found is not None and found.view is truth.view
    return {name: float(np.linalg.norm(found.points[name] - its, axis=1).max()) for name, its in truth.points.items()}


def checked(found: Landmarks | None, truth: Landmarks) -> None:
    for name, far in apart_mm(found, truth).items():
        assert far < (TIP_MM if name == "apex" else HINGE_MM), name


@pytest.mark.parametrize("view", VIEWS)
def test_points_of_a_true_mask_are_the_true_ones(phantom: PhantomStudy, view: View) -> None:
    checked(landmarks_from_mask(phantom.labels[view], phantom.study.cine(view)), phantom.landmarks[view])


@pytest.mark.parametrize("view", MITRAL_ALONE)
def test_blood_drawn_into_the_atrium_moves_no_hinge(phantom: PhantomStudy, view: View) -> None:
    cine, truth = phantom.study.cine(view), phantom.landmarks[view]
    leaked = phantom.labels[view].in_scheme("cine").array.copy()
    hinges = [_voxels(truth.points[name], cine.affine) for name in LANDMARKS[view][:2]]
    tips = _voxels(truth.points["apex"], cine.affine)
    i, j = np.meshgrid(*(np.arange(n) for n in leaked.shape[:2]), indexing="ij")
    for t, (middle, tip) in enumerate(zip(sum(hinges) / 2, tips, strict=True)):
        outward = (middle - tip) / np.linalg.norm(middle - tip)
        x, y = middle + 8 * outward
        inside = np.hypot(i - x, j - y) < 11
        leaked[:, :, 0, t][inside & (leaked[:, :, 0, t] == 0)] = 3
    checked(landmarks_from_mask(LabelMap(array=leaked), cine), truth)


def test_without_a_left_atrium_the_3_chamber_view_has_no_points(phantom: PhantomStudy) -> None:
    """The opening reaches from the septum to the inferolateral wall: where its mitral part ends is not to be seen."""
    found = landmarks_from_mask(phantom.labels[View.LAX_3C].in_scheme("cine"), phantom.study.cine(View.LAX_3C))
    assert found is not None and all(np.isnan(points).all() for points in found.points.values())


@pytest.mark.parametrize("seed", [100, 104, 111, 116])
def test_the_aorta_is_no_part_of_the_valve(seed: int) -> None:
    """Hearts with the atrium beside the aorta, and (111) with a plane that passes beside the aorta."""
    heart = make_phantom(seed, views=(View.LAX_3C,), n_frames=2)
    checked(landmarks_from_mask(heart.labels[View.LAX_3C], heart.study.cine(View.LAX_3C)), heart.landmarks[View.LAX_3C])


def test_a_plane_stored_the_other_way_round_has_the_same_points(phantom: PhantomStudy) -> None:
    cine, labels = phantom.study.cine(View.LAX_4C), phantom.labels[View.LAX_4C]
    affine = cine.affine.copy()
    affine[:3, 3] += (cine.array.shape[0] - 1) * affine[:3, 0]
    affine[:3, 0] *= -1
    turned = replace(cine, array=cine.array[::-1], affine=affine)
    checked(landmarks_from_mask(LabelMap(array=labels.array[::-1]), turned), phantom.landmarks[View.LAX_4C])


def test_the_right_ventricle_names_the_hinges_of_a_mirrored_plane(phantom: PhantomStudy) -> None:
    """A copy that lost its axes may be mirrored without a word of it."""
    cine, labels = phantom.study.cine(View.LAX_4C), phantom.labels[View.LAX_4C]
    unknown = replace(cine, array=cine.array[::-1], orientation_known=False)
    found = landmarks_from_mask(LabelMap(array=labels.array[::-1]), unknown)
    assert found is not None
    back = {}
    for name, points in found.points.items():
        voxels = apply_affine(np.linalg.inv(cine.affine), points)
        voxels[:, 0] = cine.array.shape[0] - 1 - voxels[:, 0]
        back[name] = apply_affine(cine.affine, voxels)
    checked(Landmarks(view=View.LAX_4C, points=back), phantom.landmarks[View.LAX_4C])


@pytest.mark.parametrize("missing", [2, 3])
def test_a_frame_without_wall_or_cavity_has_no_points(phantom: PhantomStudy, missing: int) -> None:
    array = phantom.labels[View.LAX_4C].array.copy()
    array[..., 1][array[..., 1] == missing] = 0
    found = landmarks_from_mask(LabelMap(array=array), phantom.study.cine(View.LAX_4C))
    assert found is not None
    for points in found.points.values():
        assert np.isfinite(points[0]).all() and np.isnan(points[1]).all()


def test_a_closed_ring_has_no_mouth(phantom: PhantomStudy) -> None:
    cine = phantom.study.cine(View.LAX_2C)
    i, j = np.meshgrid(*(np.arange(n) for n in cine.array.shape[:2]), indexing="ij")
    radius = np.hypot(i - 100, j - 100)
    ring = np.where(radius < 20, 3, np.where(radius < 28, 2, 0)).astype(np.uint8)
    found = landmarks_from_mask(LabelMap(array=np.repeat(ring[:, :, None, None], 2, axis=3)), cine)
    assert found is not None and all(np.isnan(points).all() for points in found.points.values())


def test_what_says_nothing_is_left_alone_and_another_grid_is_refused(phantom: PhantomStudy) -> None:
    cine, labels = phantom.study.cine(View.LAX_4C), phantom.labels[View.LAX_4C]
    assert landmarks_from_mask(labels, replace(cine, view=View.OTHER)) is None
    without_rv = LabelMap(array=np.where(labels.array == 1, 0, labels.array).astype(np.uint8))
    assert landmarks_from_mask(without_rv, replace(cine, orientation_known=False)) is None
    checked(landmarks_from_mask(without_rv, cine), phantom.landmarks[View.LAX_4C])
    with pytest.raises(GeometryError, match="label map has shape"):
        landmarks_from_mask(LabelMap(array=labels.array[1:]), cine)


def _voxels(points: NDArray[np.float64], affine: NDArray[np.float64]) -> NDArray[np.float64]:
    return apply_affine(np.linalg.inv(affine), points)[:, :2]


@pytest.mark.parametrize("view", MITRAL_ALONE)
def test_a_drawn_atrium_moves_no_point(view: View) -> None:
    study, masks = chambers(MITRAL_ALONE, n_frames=2)
    cine = replace(study.cine(view), orientation_known=True)
    drawn, without = (landmarks_from_mask(one, cine) for one in (masks[view], masks[view].in_scheme("cine")))
    assert drawn is not None and without is not None
    assert all(np.isfinite(points).all() for points in drawn.points.values())
    assert all((drawn.points[name] == without.points[name]).all() for name in LANDMARKS[view])
