"""A long-axis plane lies one way, however it was stored, and its points stay where they are."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from cinema_cmr.core.geometry import apply_affine
from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine
from cinema_cmr.image.orient import mirror, reorient_to_standard

AFFINES = {
    View.LAX_4C: np.array([[-1.4, 0.1, 0, 80], [0.2, -0.9, 5, 60], [0.1, 0.85, 5, -70], [0, 0, 0, 1.0]]),
    View.LAX_2C: np.array([[0.87, -0.06, 4, -9], [-1.1, -0.04, 4, 50], [-0.01, -1.4, 0, 60], [0, 0, 0, 1.0]]),
}


def plane(view: View) -> Cine:
    array = np.random.default_rng(0).random((5, 7, 1, 2)).astype(np.float32)
    return Cine(array=array, affine=AFFINES[view], view=view, slice_positions_mm=np.zeros(1))


def stored(cine: Cine, swap: bool, flip_i: bool, flip_j: bool) -> Cine:
    """The same plane written another way, from the definition: which voxel lies where."""
    shape = [cine.array.shape[1], cine.array.shape[0]] if swap else list(cine.array.shape[:2])
    source = np.eye(4)[:, [1, 0, 2, 3]] if swap else np.eye(4)
    there = np.diag([-1.0 if flip_i else 1.0, -1.0 if flip_j else 1.0, 1.0, 1.0])
    there[:2, 3] = (shape[0] - 1) * flip_i, (shape[1] - 1) * flip_j
    index = source @ there
    array = np.empty((*shape, *cine.array.shape[2:]), np.float32)
    for i, j in product(*(range(n) for n in shape)):
        x, y = (index @ [i, j, 0, 1])[:2].astype(int)
        array[i, j] = cine.array[x, y]
    return replace(cine, array=array, affine=cine.affine @ index)


@pytest.mark.parametrize("view", list(AFFINES))
@pytest.mark.parametrize("way", list(product((False, True), repeat=3)))
def test_however_it_is_stored_it_comes_out_the_same(view: View, way: tuple[bool, bool, bool]) -> None:
    cine = plane(view)
    found = reorient_to_standard(stored(cine, *way))
    assert np.array_equal(found.array, cine.array) and np.allclose(found.affine, cine.affine)


def test_every_voxel_keeps_its_place() -> None:
    cine = stored(plane(View.LAX_4C), True, False, True)
    found = reorient_to_standard(cine)
    value = found.array[3, 2, 0, 0]
    (at,) = np.argwhere(cine.array[..., 0, 0] == value)
    assert np.allclose(apply_affine(found.affine, np.array([3, 2, 0])), apply_affine(cine.affine, np.array([*at, 0])))


def test_a_short_axis_and_an_unknown_place_stay_as_they_are() -> None:
    cine = stored(plane(View.LAX_4C), True, True, False)
    for other in (replace(cine, view=View.SAX), replace(cine, orientation_known=False)):
        assert reorient_to_standard(other) is other


def test_a_mirrored_plane_keeps_the_place_of_every_voxel() -> None:
    cine = plane(View.LAX_4C)
    flipped = mirror(cine)
    assert np.array_equal(flipped.array[0], cine.array[-1])
    assert np.allclose(apply_affine(flipped.affine, [0, 3, 0]), apply_affine(cine.affine, [4, 3, 0]))
