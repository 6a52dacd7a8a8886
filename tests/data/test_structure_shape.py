"""Shapes that no structure of the heart has are named; hearts as they are have none."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from cinema_cmr.core.annotation import LabelMap
from cinema_cmr.data.structure_shape import ellipse_fill, shape_remarks

SPACING = (1.5, 1.5, 8.0)


def heart() -> NDArray[np.uint8]:
    """A crescent RV around a round LV (x, y, z, t)."""
    x, y = np.meshgrid(np.arange(80), np.arange(80), indexing="ij")
    codes = np.zeros((80, 80, 4, 1), np.uint8)
    from_lv = np.hypot(x - 48, y - 40)
    codes[(np.hypot(x - 38, y - 40) < 24), :, :] = 1
    codes[from_lv < 18] = 2
    codes[from_lv < 12] = 3
    return codes


def coded(*table: int) -> NDArray[np.uint8]:
    return np.array(table, np.uint8)[heart()]


def remarks(codes: NDArray[np.uint8], **stated: tuple[str, ...]) -> str:
    return " | ".join(shape_remarks(LabelMap(array=codes, **stated), SPACING))


def test_an_ellipse_is_filled_and_a_crescent_is_not() -> None:
    x, y = np.meshgrid(np.arange(80), np.arange(80), indexing="ij")
    ellipse = np.hypot((x - 40) / 25, (y - 40) / 12) < 1
    fill = ellipse_fill(ellipse[..., None])
    assert fill == pytest.approx(1, abs=0.01)
    crescent = ellipse_fill(heart()[..., 0] == 1)
    assert crescent is not None and crescent < 0.9
    assert ellipse_fill(np.zeros((9, 9, 2), bool)) is None


@pytest.mark.parametrize("table", [(0, 1, 2, 3), (0, 0, 0, 3), (0, 0, 2, 0), (0, 1, 0, 0), (0, 1, 0, 3), (0, 1, 2, 0)])
def test_structures_as_they_are_have_no_remark(table: tuple[int, ...]) -> None:
    assert remarks(coded(*table)) == ""


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ((0, 3, 0, 0), "the lv is no ellipse"),
        ((0, 0, 3, 0), "the lv is no ellipse"),
        ((0, 0, 0, 1), "the rv is an ellipse"),
        ((0, 3, 0, 1), "the rv is an ellipse"),
        ((0, 0, 2, 2), "encloses no cavity"),
        ((0, 0, 0, 2), "encloses no cavity"),
        ((0, 2, 0, 0), "encloses no cavity"),
    ],
)
def test_a_structure_under_another_s_code_is_remarked(table: tuple[int, ...], expected: str) -> None:
    assert expected in remarks(coded(*table))


def test_stray_voxels_and_a_structure_of_a_few_are_remarked() -> None:
    codes = np.zeros((200, 200, 4, 1), np.uint8)
    codes[100:180, 100:180] = coded(0, 0, 2, 3)
    assert remarks(codes) == ""
    codes[2, 2, 1] = 1
    text = remarks(codes)
    assert "only 1 voxel of rv" in text and "further than a heart reaches" in text
    assert "of rv" not in remarks(codes, drawn=("lv", "myo"))


def test_other_schemes_and_long_axis_planes_have_other_shapes() -> None:
    assert not shape_remarks(LabelMap(array=coded(0, 0, 0, 1), scheme="scar"), SPACING)
    assert not shape_remarks(LabelMap(array=coded(0, 0, 0, 1)[:, :, :1]), SPACING)
