"""Strain of hearts whose contours are known."""

from __future__ import annotations

import numpy as np
import pytest
from chambers import chambers
from hearts import LV, MYO, RADIUS_MM, cine_of, heart, heart_slice, measured, study_of

from cinema_cmr.core.annotation import LabelMap
from cinema_cmr.core.vocabulary import View
from cinema_cmr.measure.phases import Phases
from cinema_cmr.measure.strain import (
    circumferential_curves,
    circumferential_values,
    longitudinal_curve_lengths_mm,
    longitudinal_values,
    strain_slices,
)
from cinema_cmr.phantom.anatomy.left_ventricle import build_left_ventricle
from cinema_cmr.phantom.subject import draw_subject

ED_ES = Phases(ed=0, es=1, rule="")


@pytest.mark.parametrize("scale", [0.6, 0.8, 1.0])
@pytest.mark.parametrize("pixel_mm", [(1.0, 1.0), (1.8, 1.8), (1.2, 1.7)])
def test_circumferential_strain_is_the_change_of_the_radius(scale: float, pixel_mm: tuple[float, float]) -> None:
    cine, labels = heart((1.0, scale), spacing_mm=(*pixel_mm, 8.0), shape=(120, 100))
    endo, _ = circumferential_values(circumferential_curves(cine, labels), ED_ES)
    assert endo.value == pytest.approx(100 * (scale - 1), abs=1.5)


def test_epicardium_shortens_less_than_endocardium() -> None:
    found = measured(*heart((1.0, 0.7)))
    endo, epi = (found[f"lv_gcs_{border}_percent"].value or 0.0 for border in ("endo", "epi"))
    assert endo < epi < 0


def test_strain_of_the_phantom_is_that_of_its_anatomy() -> None:
    ventricle = build_left_ventricle(draw_subject(3, group="NOR"))
    theta = np.linspace(0, 2 * np.pi, 3601)
    level, pixel_mm, half = 0.4, 1.5, 48
    lengths, planes = [], []
    for state in (ventricle.state(1.0), ventricle.state(0.0)):
        radius = np.sqrt(ventricle.endo_sq(theta, np.array(level), state))
        points = radius[:, None] * np.stack([np.cos(theta), np.sin(theta)], axis=1)
        lengths.append(np.linalg.norm(np.diff(points, axis=0), axis=1).sum())
        x, y = np.meshgrid(*2 * [(np.arange(2 * half) - half) * pixel_mm], indexing="ij")
        inner, outer = ventricle.squares(np.arctan2(y, x) % (2 * np.pi), np.full(x.shape, level), state)
        planes.append(np.where(x**2 + y**2 < inner, LV, np.where(x**2 + y**2 < outer, MYO, 0)).astype(np.uint8))
    labels = LabelMap(array=np.repeat(np.stack(planes, axis=-1)[:, :, None], 3, axis=2))
    cine = cine_of(labels.array.shape, (pixel_mm, pixel_mm, 8.0))
    endo, _ = circumferential_values(circumferential_curves(cine, labels), ED_ES)
    assert endo.value == pytest.approx(100 * (lengths[1] / lengths[0] - 1), abs=1.0)


def test_slices_that_the_valve_enters_are_not_compared() -> None:
    cine, labels = heart((1.0, 0.7), descent_mm=12.0)
    kept = strain_slices(cine, labels)
    assert 0 not in kept and 1 not in kept and len(kept) >= 5


def test_too_few_closed_slices_give_a_reason() -> None:
    cine, labels = heart((1.0, 0.7))
    open_wall = labels.array.copy()
    open_wall[:50][open_wall[:50] == MYO] = 0
    values = circumferential_values(circumferential_curves(cine, LabelMap(array=open_wall)), ED_ES)
    assert all(value.value is None and "slices" in (value.reason or "") for value in values)


def long_axis_plane(length_mm: float, radius_mm: float, pixel_mm: float) -> np.ndarray:
    """A half-ellipse of blood, open at y = 0, in a wall of 9 mm."""
    x, y = np.meshgrid((np.arange(100) - 50) * pixel_mm, (np.arange(120) - 15) * pixel_mm, indexing="ij")
    inside = lambda extra: (x / (radius_mm + extra)) ** 2 + (y / (length_mm + extra)) ** 2 < 1  # noqa: E731
    plane = np.where(inside(9.0) & (y >= 0), MYO, 0)
    return np.where(inside(0.0) & (y >= 0), LV, plane).astype(np.uint8)


def half_ellipse_mm(length_mm: float, radius_mm: float) -> float:
    angle = np.linspace(0, np.pi, 20001)
    points = np.stack([radius_mm * np.cos(angle), length_mm * np.sin(angle)], axis=1)
    return float(np.linalg.norm(np.diff(points, axis=0), axis=1).sum())


def test_longitudinal_strain_is_that_of_the_open_contour() -> None:
    shapes = ((80.0, RADIUS_MM), (66.0, 15.0))
    array = np.stack([long_axis_plane(*shape, 1.3) for shape in shapes], axis=-1)[:, :, None]
    cine = cine_of(array.shape, (1.3, 1.3, 8.0))
    lengths = longitudinal_curve_lengths_mm(cine, LabelMap(array=array))
    truth = [half_ellipse_mm(*shape) for shape in shapes]
    assert lengths == pytest.approx(truth, rel=0.05)
    long_axis = cine_of(array.shape, (1.3, 1.3, 8.0), view=View.LAX_4C)
    values = {v.name: v for v in longitudinal_values(study_of(long_axis), {View.LAX_4C: LabelMap(array=array)})}
    assert values["lv_ls_4c_percent"].value == pytest.approx(100 * (truth[1] / truth[0] - 1), abs=1.0)
    assert values["lv_gls_percent"].value == values["lv_ls_4c_percent"].value


def test_without_long_axis_masks_there_is_no_longitudinal_strain() -> None:
    cine, labels = heart()
    assert longitudinal_values(study_of(cine), {View.SAX: labels}) == ()


def test_a_long_axis_mask_without_blood_has_a_reason() -> None:
    array = np.zeros((20, 20, 1, 3), np.uint8)
    cine = cine_of(array.shape, view=View.LAX_2C)
    values = longitudinal_values(study_of(cine), {View.LAX_2C: LabelMap(array=array)})
    assert [value.value for value in values] == [None, None] and all(value.reason for value in values)


def test_a_slice_without_movement_has_no_strain() -> None:
    plane = heart_slice(20.0, 9.0, 25.0, (1.5, 1.5), (90, 90))
    labels = LabelMap(array=np.repeat(np.repeat(plane[:, :, None, None], 4, axis=2), 2, axis=3))
    endo, epi = circumferential_values(circumferential_curves(cine_of(labels.array.shape), labels), ED_ES)
    assert endo.value == 0 and epi.value == 0


def test_blood_far_from_any_wall_has_no_length_and_the_strain_a_reason() -> None:
    array = np.stack([long_axis_plane(80.0, RADIUS_MM, 1.3), np.zeros((100, 120), np.uint8)], axis=-1)[:, :, None]
    array[40:50, 40:50, 0, 1] = LV
    array[95:98, 115:118, 0, 1] = MYO
    cine = cine_of(array.shape, (1.3, 1.3, 8.0), view=View.LAX_4C)
    labels = LabelMap(array=array)
    lengths = longitudinal_curve_lengths_mm(cine, labels)
    assert np.isfinite(lengths[0]) and np.isnan(lengths[1])
    values = longitudinal_values(study_of(cine), {View.LAX_4C: labels})
    assert all(value.value is None and "at ES" in (value.reason or "") for value in values)


def test_a_drawn_atrium_changes_no_longitudinal_strain() -> None:
    study, masks = chambers((View.LAX_4C, View.LAX_2C, View.LAX_3C))
    as_cine = {view: mask.in_scheme("cine") for view, mask in masks.items()}
    values = longitudinal_values(study, masks)
    assert values == longitudinal_values(study, as_cine) and all(value.value is not None for value in values)
    only_atria = {
        view: LabelMap(array=np.where(mask.array > LV, mask.array, 0), scheme="chambers", drawn=("la", "ra"))
        for view, mask in masks.items()
    }
    assert all(value.value is None and value.reason for value in longitudinal_values(study, only_atria))
