"""What clean-up takes away is told to the millilitre, and what it keeps is untouched."""

from __future__ import annotations

import numpy as np
import pytest

from cinema_cmr.inference.postprocess import keep_largest_components

VOXEL_ML = np.array([0.1, 0.1, 0.2])
PIXEL_MM = (2.0, 1.5)


def heart() -> np.ndarray:  # type: ignore[type-arg]
    labels = np.zeros((20, 20, 3), np.uint8)
    labels[2:9, 2:9] = 2
    labels[4:7, 4:7] = 3
    labels[12:16, 2:9] = 1
    return labels


def test_one_piece_each_stays_as_it_is() -> None:
    kept, removed = keep_largest_components(heart(), scheme="cine", voxel_ml=VOXEL_ML, pixel_mm=PIXEL_MM)
    assert np.array_equal(kept, heart()) and removed == {}


def test_pieces_apart_go_with_their_volume() -> None:
    labels = heart()
    labels[18, 18, 2] = 1
    labels[18, 12:14, 0] = 3
    kept, removed = keep_largest_components(labels, scheme="cine", voxel_ml=VOXEL_ML, pixel_mm=PIXEL_MM)
    assert np.array_equal(kept, heart())
    assert removed == pytest.approx({"rv": 0.2, "lv": 0.2})


def test_blood_in_a_wall_apart_is_one_piece_with_it() -> None:
    """A thin wall may part the cavity: wall and blood together are what must hang together."""
    labels = heart()
    labels[4:7, 5, :] = 2
    kept, removed = keep_largest_components(labels, scheme="cine", voxel_ml=VOXEL_ML, pixel_mm=PIXEL_MM)
    assert np.array_equal(kept, labels) and removed == {}


def test_the_larger_is_by_volume_not_by_voxels() -> None:
    labels = np.zeros((20, 20, 3), np.uint8)
    labels[0:3, 0, 0] = 1
    labels[10:12, 0, 2] = 1
    kept, removed = keep_largest_components(labels, scheme="cine", voxel_ml=VOXEL_ML, pixel_mm=PIXEL_MM)
    assert kept[10, 0, 2] == 1 and removed == pytest.approx({"rv": 0.3})


def test_corners_do_not_connect_and_nothing_is_nothing() -> None:
    labels = np.zeros((4, 4, 1), np.uint8)
    assert keep_largest_components(labels, scheme="cine", voxel_ml=np.ones(1), pixel_mm=PIXEL_MM)[1] == {}
    labels[0, 0], labels[1, 1:3] = 1, 1
    assert keep_largest_components(labels, scheme="cine", voxel_ml=np.ones(1), pixel_mm=PIXEL_MM)[1] == {"rv": 1.0}


def two_cavities(gap: int) -> np.ndarray:  # type: ignore[type-arg]
    """In the last slice a second cavity below the first, in the same wall, `gap` pixels of 1.5 mm away."""
    labels = heart()
    labels[2:9, 2:20, 2] = 2
    labels[4:7, 4:7, 2] = 3
    labels[4:6, 7 + gap : 9 + gap, 2] = 3
    return labels


def test_a_second_left_ventricle_in_a_slice_goes_with_its_wall() -> None:
    kept, removed = keep_largest_components(two_cavities(8), scheme="cine", voxel_ml=VOXEL_ML, pixel_mm=PIXEL_MM)
    assert removed["lv"] == pytest.approx(4 * 0.2) and removed["myo"] > 5
    assert (kept[..., 2] == 3).sum() == 9 and not (kept[:, 14:, 2] > 0).any()
    assert np.array_equal(kept[..., :2], heart()[..., :2])


def test_blood_that_a_papillary_muscle_parts_stays() -> None:
    labels = two_cavities(2)
    kept, removed = keep_largest_components(labels, scheme="cine", voxel_ml=VOXEL_ML, pixel_mm=PIXEL_MM)
    assert np.array_equal(kept, labels) and removed == {}
