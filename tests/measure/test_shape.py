"""Thickness of walls whose thickness is known, and the segments it is filed under."""

from __future__ import annotations

import numpy as np
import pytest
from hearts import LV, MYO, RV, STANDARD_AXES, cine_of, heart, heart_slice
from numpy.typing import NDArray

from cinema_cmr.core.annotation import LabelMap
from cinema_cmr.core.volume import Cine
from cinema_cmr.measure.shape import (
    AHA_SEGMENTS,
    SegmentThickness,
    segment_thickness,
    wall_thickness_mm,
    wall_values,
)
from cinema_cmr.measure.volumes import measure_volumes


@pytest.mark.parametrize("spacing", [(0.7, 0.7), (1.4, 1.4), (2.0, 2.0), (1.0, 1.8)])
@pytest.mark.parametrize(("radius", "wall"), [(25.0, 6.0), (20.0, 12.0), (12.0, 8.0)])
def test_thickness_of_a_ring(spacing: tuple[float, float], radius: float, wall: float) -> None:
    shape = (int(90 / spacing[0]), int(90 / spacing[1]))
    labels = LabelMap(array=heart_slice(radius, wall, 0, spacing, shape)[..., None, None])
    thickness = wall_thickness_mm(cine_of(labels.array.shape, (*spacing, 8)), labels, 0, 0)
    assert thickness.mean() == pytest.approx(wall, abs=0.25)
    assert np.abs(thickness - wall).max() < 0.8 * max(spacing)


def test_an_oblique_ray_does_not_thicken_the_wall() -> None:
    """An ellipse of blood with a wall of 8 mm along its normal; rays cut it aslant by up to 30 degrees."""
    x, y = np.meshgrid(np.arange(-60, 60, 0.8), np.arange(-60, 60, 0.8), indexing="ij")
    blood = (x / 40) ** 2 + (y / 20) ** 2 < 1
    from scipy import ndimage

    wall = (ndimage.distance_transform_edt(~blood, sampling=0.8) < 8.4) & ~blood
    plane = (LV * blood + MYO * wall).astype(np.uint8)
    cine = cine_of((*plane.shape, 1, 1), (0.8, 0.8, 8))
    thickness = wall_thickness_mm(cine, LabelMap(array=plane[..., None, None]), 0, 0)
    assert np.abs(thickness - 8).max() < 0.8


def test_a_stray_piece_of_wall_far_away_is_not_the_epicardium() -> None:
    plane = heart_slice(20, 8, 0, (1, 1), (120, 120))
    plane[110:115, 58:63] = MYO
    thickness = wall_thickness_mm(cine_of((120, 120, 1, 1), (1, 1, 8)), LabelMap(array=plane[..., None, None]), 0, 0)
    assert thickness.max() < 9


def bulging(axes: NDArray[np.float64] = STANDARD_AXES, *, oriented: bool) -> tuple[Cine, LabelMap]:
    """A column heart, wall 8 mm, 13 mm on the side of smaller y (up in a display), the RV towards smaller
    x."""
    x, y = np.meshgrid(np.arange(-50, 51), np.arange(-50, 51), indexing="ij")
    up = np.abs(np.angle(np.exp(1j * (np.arctan2(y, x) + np.pi / 2)))) < np.radians(30)
    plane = heart_slice(20, 8, 24, (1, 1), x.shape)
    plane[up & (np.hypot(x, y) < 33) & (np.hypot(x, y) >= 20)] = MYO
    array = np.repeat(plane[..., None, None], 9, axis=2)
    array[:, :, 6:][array[:, :, 6:] == LV] = MYO
    # An apex, which shows where the base is: smaller in blood and wall.
    array[np.hypot(x, y) < 14, 6:] = LV
    outside = (plane == MYO) & (np.hypot(x, y) >= np.where(up, 29, 24))
    array[outside | ((plane == RV) & (np.hypot(x, y) >= 36)), 6:] = 0
    return cine_of(array.shape, (1, 1, 8), axes=axes, oriented=oriented), LabelMap(array=array)


@pytest.mark.parametrize("oriented", [True, False])
def test_segments_follow_the_septum(oriented: bool) -> None:
    cine, labels = bulging(oriented=oriented)
    found = segment_thickness(cine, labels, 0, measure_volumes(cine, labels))
    assert found.sense_known == oriented
    assert set(found.mm) == set(AHA_SEGMENTS)
    assert max(range(1, 7), key=lambda segment: found.mm[segment]) == 1
    assert max(range(7, 13), key=lambda segment: found.mm[segment]) == 7
    assert found.mm[1] == pytest.approx(13, abs=1)
    for segment in (2, 3, 4, 5, 6, 8, 9, 10, 11, 12):
        assert found.mm[segment] == pytest.approx(8, abs=0.8)


def test_in_a_mirrored_file_the_same_side_is_inferior() -> None:
    cine, labels = bulging(STANDARD_AXES * np.array([[1.0], [-1.0], [1.0]]), oriented=True)
    found = segment_thickness(cine, labels, 0, measure_volumes(cine, labels))
    assert max(range(1, 7), key=lambda segment: found.mm[segment]) == 4
    assert max(range(13, 17), key=lambda segment: found.mm[segment]) == 15


def test_levels_are_thirds_of_the_length_from_base_to_apex() -> None:
    cine, labels = bulging(oriented=True)
    turned = LabelMap(array=labels.array[:, :, ::-1])
    here = segment_thickness(cine, labels, 0, measure_volumes(cine, labels))
    there = segment_thickness(cine, turned, 0, measure_volumes(cine, turned))
    assert [here.slices[segment] for segment in (1, 7, 13)] == [(0, 1, 2), (3, 4, 5), (6, 7, 8)]
    assert [there.slices[segment] for segment in (1, 7, 13)] == [(6, 7, 8), (3, 4, 5), (0, 1, 2)]
    assert there.mm == pytest.approx(here.mm)


def test_uneven_slices_are_shared_out_by_length() -> None:
    _, labels = bulging(oriented=True)
    positions = np.array([0.0, 4, 8, 12, 16, 20, 40, 60, 80])
    uneven = cine_of(labels.array.shape, (1, 1, 8), positions_mm=positions, oriented=True)
    found = segment_thickness(uneven, labels, 0, measure_volumes(uneven, labels))
    assert [found.slices[segment] for segment in (1, 7, 13)] == [(0, 1, 2, 3, 4, 5), (6,), (7, 8)]


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        ((LV, 0), "0 slices have a closed wall"),
        ((MYO, 0), "0 slices have a closed wall"),
        ((RV, 0), "no right ventricle"),
    ],
)
def test_what_is_missing_is_said(spoil: tuple[int, int], reason: str) -> None:
    cine, labels = heart((1.0,))
    labels.array[labels.array == spoil[0]] = spoil[1]
    found = segment_thickness(cine, labels, 0, measure_volumes(cine, labels))
    assert not found.mm and reason in (found.reason or "")


def test_thickening_in_mm_and_percent() -> None:
    cine, labels = heart((1.0, 0.7))
    volumes = measure_volumes(cine, labels)
    at_ed, at_es = (segment_thickness(cine, labels, frame, volumes) for frame in (0, 1))
    values = {value.name: value for value in wall_values(at_ed, at_es)}
    ed, es = values["wall_thickness_ed_mm_aha04"].value, values["wall_thickness_es_mm_aha04"].value
    assert ed is not None and es is not None and es > ed
    assert values["wall_thickening_mm_aha04"].value == pytest.approx(es - ed)
    assert values["wall_thickening_percent_aha04"].value == pytest.approx(100 * (es - ed) / ed)
    assert values["wall_thickening_mm_aha04"].frames == (0, 1)
    assert values["wall_thickness_ed_max_mm"].value == max(at_ed.mm.values())
    assert "clockwise" in values["wall_thickness_ed_mm_aha04"].rule


def test_without_walls_every_segment_is_absent_with_the_reason() -> None:
    values = wall_values(SegmentThickness.absent("one"), SegmentThickness.absent("two"))
    assert len(values) == 4 * 16 + 1
    assert {value.value for value in values} == {None}
    assert {value.reason for value in values} == {"one", "two"}
