"""Turning and cropping pictures for the eye."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations, product

import numpy as np
import pytest
from numpy.typing import NDArray

from cinema_cmr.core.geometry import apply_affine
from cinema_cmr.core.results import Prediction
from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine
from cinema_cmr.io.nifti.source import NiftiSource
from cinema_cmr.report.display import Box, heart_box, heart_centre_mm, shown, window

TTA_CHOICES = [(order, signs) for order in permutations((0, 1)) for signs in product((1, -1), repeat=2)]


def cine_of(view: View, array: NDArray[np.float32], *, affine: NDArray[np.float64]) -> Cine:
    return Cine(
        array=array,
        affine=affine,
        view=view,
        slice_positions_mm=np.arange(array.shape[2]) * float(affine[2, 2]),
    )


def stored(order: tuple[int, ...], signs: tuple[int, ...]) -> Cine:
    """A transverse plane stored in one of eight ways; the voxel at the patient's left front is bright."""
    affine = np.diag([2.0, 2.0, 8.0, 1.0])
    affine[:2, :2] = np.diag(signs)[:, order] * 2.0
    array = np.zeros((5, 7, 1, 2), np.float32)
    # Left is -x and front is +y in RAS: the index of the brightest grows along the axis or starts it.
    grows = {0: -1, 1: 1}
    at = []
    for axis in (0, 1):
        direction = int(np.flatnonzero(affine[:2, axis])[0])
        forward = affine[direction, axis] * grows[direction] > 0
        at.append(array.shape[axis] - 1 if forward else 0)
    array[at[0], at[1], 0] = 9
    return replace(cine_of(View.OTHER, array, affine=affine), source=NiftiSource(b"x", (1, 1, 1)))


@pytest.mark.parametrize(("order", "signs"), TTA_CHOICES)
def test_a_transverse_nifti_shows_left_on_the_right_and_front_on_top(
    order: tuple[int, ...], signs: tuple[int, ...]
) -> None:
    cine = stored(order, signs)
    labels = (cine.array > 0).astype(np.uint8)
    turned, turned_labels = shown(cine, labels)
    n_x = turned.array.shape[0]
    assert turned.array[n_x - 1, 0, 0, 0] == 9
    assert turned_labels is not None
    assert np.array_equal(turned_labels > 0, turned.array > 0)
    # The same voxel is still at the same place in the patient.
    before = apply_affine(cine.affine, np.argwhere(cine.array[..., 0] > 0))
    after = apply_affine(turned.affine, np.argwhere(turned.array[..., 0] > 0))
    assert np.allclose(before, after)


def test_dicom_and_unknown_orientation_stay_as_stored() -> None:
    cine = stored((1, 0), (-1, 1))
    assert shown(replace(cine, source=None), None)[0].array is cine.array
    assert shown(replace(cine, orientation_known=False), None)[0].array is cine.array


def test_box_is_a_square_in_mm_around_all_labels() -> None:
    labels = np.zeros((120, 80, 2, 3), np.uint8)
    labels[40:70, 38:50, 0, 1] = 1
    labels[60:75, 40:44, 1, 2] = 3
    cine = cine_of(View.SAX, np.zeros(labels.shape, np.float32), affine=np.diag([1.0, 2.0, 8.0, 1.0]))
    box = heart_box(cine, labels)
    found = np.argwhere(labels.any(axis=(2, 3)))
    assert box.left < found[:, 0].min()
    assert box.right > found[:, 0].max() + 1
    assert box.top < found[:, 1].min()
    assert box.bottom > found[:, 1].max() + 1
    assert (box.bottom - box.top) * 2.0 == pytest.approx(box.right - box.left)
    assert box.size((1.0, 2.0), longest=100) == (100, 100)


def test_box_never_leaves_the_image() -> None:
    cine = cine_of(View.SAX, np.zeros((40, 30, 1, 1), np.float32), affine=np.diag([3.0, 3.0, 8.0, 1.0]))
    labels = np.zeros((40, 30, 1, 1), np.uint8)
    labels[:4, 10:28] = 3
    box = heart_box(cine, labels)
    assert (box.left, box.right) == (0, pytest.approx(18 + 2 * 16 / 3))
    assert 0 <= box.top < 10
    assert 28 < box.bottom <= 30


def test_without_labels_the_box_lies_around_the_given_centre_or_is_the_image() -> None:
    affine = np.array([[2.0, 0, 0, -100], [0, 2.0, 0, -50], [0, 0, 8, 5], [0, 0, 0, 1]])
    cine = cine_of(View.LAX_4C, np.zeros((300, 280, 1, 1), np.float32), affine=affine)
    box = heart_box(cine, None, centre_mm=np.array([100.0, 250.0, 60.0]))
    assert ((box.left + box.right) / 2, (box.top + box.bottom) / 2) == pytest.approx((100.5, 150.5))
    assert heart_box(cine, None) == Box(left=0, top=0, right=300, bottom=280)
    blind = replace(cine, orientation_known=False)
    assert heart_box(blind, None, centre_mm=np.zeros(3)) == heart_box(cine, None)


def test_centre_is_that_of_the_labels_in_patient_space(study: Study, predictions: dict[View, Prediction]) -> None:
    centre = heart_centre_mm(study.cine(View.SAX), predictions[View.SAX])
    assert centre is not None
    assert centre[1] == pytest.approx(40 * 1.5, abs=0.1)
    assert 18 * 1.5 < centre[0] < 30 * 1.5
    assert heart_centre_mm(study.cine(View.SAX), None) is None


def test_centre_of_uneven_slices_is_where_they_lie(study: Study, predictions: dict[View, Prediction]) -> None:
    prediction, cine = predictions[View.SAX], study[View.SAX]
    array = np.zeros_like(prediction.labels.array)
    array[10, 12, 2] = 1
    one_slice = replace(prediction, labels=replace(prediction.labels, array=array))
    kept = [0, 2, *range(5, cine.n_slices)]
    gapped = replace(prediction, labels=replace(prediction.labels, array=array[:, :, kept]))
    expected = heart_centre_mm(cine, one_slice)
    assert expected is not None
    assert heart_centre_mm(cine.select(slices=kept), gapped) == pytest.approx(expected)


def test_window_is_of_what_is_inside_the_box_and_never_empty() -> None:
    array = np.zeros((20, 20, 1, 2), np.float32)
    array[:10] = 1000
    array[10:] = np.linspace(0, 100, 400).reshape(10, 20, 1, 2)
    cine = cine_of(View.SAX, array, affine=np.diag([1.0, 1, 1, 1]))
    low, high = window(cine, Box(left=10, top=0, right=20, bottom=20))
    assert (low, high) == (pytest.approx(1, abs=0.1), pytest.approx(99.5, abs=0.1))
    flat = cine.with_array(np.full_like(array, 7))
    low, high = window(flat, Box(left=0, top=0, right=20, bottom=20))
    assert high > low
