"""A short-axis mask tells within a centimetre or so where long-axis landmarks are, and says nothing when it cannot."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cinema_cmr.core.annotation import LabelMap
from cinema_cmr.core.errors import GeometryError
from cinema_cmr.core.vocabulary import LANDMARKS, View
from cinema_cmr.measure.long_axis.estimate import estimate_landmarks
from cinema_cmr.phantom.phantom import PhantomStudy, make_phantom

VIEWS = (View.SAX, *LANDMARKS)


CASES = [(1, "NOR"), *(pytest.param(case, marks=pytest.mark.medium) for case in ((2, "DCM"), (3, "RV")))]


@pytest.fixture(scope="module", params=CASES, ids=lambda case: case[1])
def phantom(request: pytest.FixtureRequest) -> PhantomStudy:
    seed, group = request.param
    return make_phantom(seed, group=group, style="ideal", views=VIEWS, n_frames=2)


def test_every_point_is_expected_near_its_truth_on_its_own_side(phantom: PhantomStudy) -> None:
    expected = estimate_landmarks(phantom.study, phantom.labels[View.SAX])
    assert set(expected) == set(LANDMARKS)
    for view, named in expected.items():
        truth = {name: points[0] for name, points in phantom.landmarks[view].points.items()}
        for name, point in named.items():
            assert np.linalg.norm(point - truth[name]) < 18
            nearest = min(truth, key=lambda other: float(np.linalg.norm(point - truth[other])))
            assert nearest == name


def test_points_lie_in_their_plane(phantom: PhantomStudy) -> None:
    for view, named in estimate_landmarks(phantom.study, phantom.labels[View.SAX]).items():
        to_voxels = np.linalg.inv(phantom.study.cine(view).affine)
        assert all(abs((to_voxels @ np.append(point, 1))[2]) < 1e-6 for point in named.values())


def test_the_order_of_slices_is_no_matter(phantom: PhantomStudy) -> None:
    cine, labels = phantom.study.cine(View.SAX), phantom.labels[View.SAX]
    affine = cine.affine.copy()
    affine[:3, 3] += (cine.n_slices - 1) * affine[:3, 2]
    affine[:3, 2] *= -1
    turned = replace(
        cine,
        array=cine.array[:, :, ::-1],
        affine=affine,
        slice_positions_mm=cine.slice_positions_mm[-1] - cine.slice_positions_mm[::-1],
    )
    others = tuple(c for c in phantom.study.cines if c.view is not View.SAX)
    study = replace(phantom.study, cines=(turned, *others))
    found = estimate_landmarks(study, LabelMap(array=labels.array[:, :, ::-1]))
    for view, named in estimate_landmarks(phantom.study, labels).items():
        for name, point in named.items():
            np.testing.assert_allclose(found[view][name], point, atol=1e-6)


def test_too_little_to_tell_tells_nothing(phantom: PhantomStudy) -> None:
    study, array = phantom.study, phantom.labels[View.SAX].array
    assert estimate_landmarks(study, LabelMap(array=np.zeros_like(array))) == {}
    assert estimate_landmarks(study, LabelMap(array=np.where(array == 1, 0, array).astype(np.uint8))) == {}
    few = np.zeros_like(array)
    middle = array.shape[2] // 2
    few[:, :, middle : middle + 2] = array[:, :, middle : middle + 2]
    assert estimate_landmarks(study, LabelMap(array=few)) == {}


def test_a_plane_whose_place_is_unknown_is_left_out(phantom: PhantomStudy) -> None:
    cines = [replace(c, orientation_known=c.view is not View.LAX_2C) for c in phantom.study.cines]
    study = replace(phantom.study, cines=tuple(cines))
    assert set(estimate_landmarks(study, phantom.labels[View.SAX])) == {View.LAX_3C, View.LAX_4C}


def test_a_mask_of_another_grid_is_refused(phantom: PhantomStudy) -> None:
    with pytest.raises(GeometryError):
        estimate_landmarks(phantom.study, LabelMap(array=phantom.labels[View.SAX].array[1:]))


def test_missing_slices_move_no_point(phantom: PhantomStudy) -> None:
    """A stack from which slices were lost is as long as before: the others lie where they were."""
    cine, labels = phantom.study.cine(View.SAX), phantom.labels[View.SAX]
    slices = np.flatnonzero(labels.array.any(axis=(0, 1, 3)))
    kept = [k for k in range(cine.n_slices) if k not in slices[2:4]]
    others = [one for one in phantom.study.cines if one.view is not View.SAX]
    gapped = replace(phantom.study, cines=(cine.select(slices=kept), *others))
    found = estimate_landmarks(gapped, LabelMap(array=labels.array[:, :, kept]))
    for view, named in estimate_landmarks(phantom.study, labels).items():
        for name, point in named.items():
            assert np.linalg.norm(found[view][name] - point) < 4, (view, name)
