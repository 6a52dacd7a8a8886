"""Atria whose size is known, and masks in which one is missing, wrong in a frame, or alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from chambers import (
    ES,
    LA,
    LA_MM,
    LA_WIDTH_MM,
    N_FRAMES,
    RA,
    RA_MM,
    RA_WIDTH_MM,
    chambers,
    emptied,
    la_volume_ml,
    widths,
)
from hearts import LV, MYO, cine_of, study_of

from cinema_cmr.core.annotation import LabelMap
from cinema_cmr.core.results import Measurement
from cinema_cmr.core.study import Study, Subject
from cinema_cmr.core.vocabulary import View
from cinema_cmr.measure.body import body_surface_area
from cinema_cmr.measure.long_axis.atria import Atria, atrial_curves, atrial_values, measure_atria

NAMES = {
    *("la_volume_max_ml", "la_volume_min_ml", "la_ef_percent", "la_volume_max_index_ml_m2", "la_area_max_4c_cm2"),
    *("ra_area_max_4c_cm2", "ra_area_min_4c_cm2"),
}
TALL = Subject(height_cm=180.0, weight_kg=80.0)
Masks = Mapping[View, LabelMap]


def values_of(study: Study, masks: Masks) -> dict[str, Measurement]:
    atria = measure_atria(study, masks)
    return {one.name: one for one in atrial_values(atria, body_surface_area(study.subject))}


def atria_of(study: Study, masks: Masks) -> Atria:
    atria = measure_atria(study, masks)
    assert atria is not None
    return atria


def without(masks: Masks, view: View, code: int, frames: slice) -> dict[View, LabelMap]:
    """The masks with a structure rubbed out in some frames of one view."""
    array = masks[view].array.copy()
    array[..., frames][array[..., frames] == code] = 0
    return {**masks, view: replace(masks[view], array=array)}


def test_volume_of_a_half_ellipsoid_in_every_frame() -> None:
    study, masks = chambers()
    curve = atria_of(study, masks).la_volume_ml.values
    assert curve == pytest.approx([la_volume_ml(full) for full in emptied()], rel=0.02)


@pytest.mark.parametrize("pixel_mm", [(1.0, 1.0), (1.5, 1.5), (1.2, 1.7)])
@pytest.mark.parametrize("tilt", [0.0, 0.3])
def test_volume_of_an_ellipsoid_on_the_valve(pixel_mm: tuple[float, float], tilt: float) -> None:
    """Area-length is exact for an ellipsoid; the valve cuts a flat seat off it, the heart lies obliquely."""
    seat, half = 0.92, 26.0
    i, j = np.meshgrid(*((np.arange(110) - 55) * mm for mm in pixel_mm), indexing="ij")
    x, y = i * np.cos(tilt) + j * np.sin(tilt), j * np.cos(tilt) - i * np.sin(tilt)
    masks, cines, areas = {}, [], []
    for view, width in ((View.LAX_4C, 22.0), (View.LAX_2C, 24.0)):
        plane = np.where((y > 0) & (np.abs(x) < 14) & (y < 50), LV, np.where((y > 0) & (np.abs(x) < 22), MYO, 0))
        plane[((x / width) ** 2 + ((y + seat * half) / half) ** 2 < 1) & (y <= 0)] = LA
        array = np.repeat(plane.astype(np.uint8)[:, :, None, None], 2, axis=3)
        masks[view] = LabelMap(array=array, scheme="chambers")
        cines.append(cine_of(array.shape, (*pixel_mm, 8.0), view=view))
        angle = np.arccos(seat)
        areas.append(width * half * (np.pi - angle + np.sin(angle) * np.cos(angle)))
    exact = 8 * areas[0] * areas[1] / (3 * np.pi * (1 + seat) * half) / 1000
    assert exact == pytest.approx(4 / 3 * np.pi * 22 * 24 * half / 1000, rel=0.04)
    assert atria_of(study_of(*cines), masks).la_volume_ml.values == pytest.approx([exact, exact], rel=0.02)


def test_values_and_their_frames() -> None:
    study, masks = chambers(subject=TALL)
    found = values_of(study, masks)
    assert set(found) == NAMES
    assert found["la_volume_max_ml"].value == pytest.approx(la_volume_ml(1), rel=0.03)
    assert found["la_volume_min_ml"].value == pytest.approx(la_volume_ml(0), rel=0.03)
    assert found["la_ef_percent"].value == pytest.approx(100 * (1 - 0.65**2), abs=2.5)
    assert found["la_volume_max_index_ml_m2"].value == pytest.approx((found["la_volume_max_ml"].value or 0) / 2)
    assert found["la_area_max_4c_cm2"].value == pytest.approx(np.pi / 2 * LA_WIDTH_MM[View.LAX_4C] * LA_MM / 100, 0.03)
    assert found["ra_area_max_4c_cm2"].value == pytest.approx(np.pi / 2 * RA_WIDTH_MM * RA_MM / 100, rel=0.03)
    least = widths(0, filling=True) * (found["ra_area_max_4c_cm2"].value or 0)
    assert found["ra_area_min_4c_cm2"].value == pytest.approx(least, rel=0.03)
    assert abs(found["la_volume_max_ml"].frames[0] - ES) <= 1
    assert found["la_volume_min_ml"].frames[0] in (N_FRAMES - 1, 0, 1)
    assert found["la_ef_percent"].frames == found["la_volume_max_ml"].frames + found["la_volume_min_ml"].frames


def test_the_value_is_that_of_its_frame() -> None:
    study, masks = chambers()
    curve = atria_of(study, masks).la_volume_ml
    for which in ("largest", "smallest"):
        found = curve.extreme(which)  # type: ignore[arg-type]
        assert found is not None and curve.values[found.frame] == found.value


def test_index_needs_the_body_surface() -> None:
    study, masks = chambers()
    index = values_of(study, masks)["la_volume_max_index_ml_m2"]
    assert index.value is None and "height" in (index.reason or "")


@pytest.mark.parametrize("frame", [0, 3, ES, 15, N_FRAMES - 1])
@pytest.mark.parametrize("grown", [True, False])
def test_one_bad_frame_decides_no_extreme(frame: int, grown: bool) -> None:
    study, masks = chambers()
    right = values_of(study, masks)
    noisy = {view: replace(mask, array=mask.array.copy()) for view, mask in masks.items()}
    for mask in noisy.values():
        plane = mask.array[:, :, 0, frame]
        if grown:
            plane[30:120, :45][plane[30:120, :45] == 0] = LA
        else:
            plane[:, :35][plane[:, :35] == LA] = 0
    found = values_of(study, noisy)
    for name in ("la_volume_max_ml", "la_volume_min_ml", "la_area_max_4c_cm2"):
        assert found[name].value == pytest.approx(right[name].value, rel=0.06), name
    curves = [atria_of(study, one).la_volume_ml.values for one in (masks, noisy)]
    assert abs(curves[1][frame] / curves[0][frame] - 1) > 0.2


def test_pieces_beside_the_atrium_do_not_count() -> None:
    study, masks = chambers()
    right = values_of(study, masks)
    for mask in masks.values():
        mask.array[5:20, 5:20] = LA
        mask.array[5:20, 120:140] = RA
        mask.array[130:135, 5:12] = LV
    assert values_of(study, masks) == right


def test_a_missing_frame_is_unknown_and_many_give_no_value() -> None:
    study, masks = chambers()
    right = values_of(study, masks)
    one = without(masks, View.LAX_2C, LA, slice(3, 4))
    assert np.flatnonzero(np.isnan(atria_of(study, one).la_volume_ml.values)).tolist() == [3]
    assert values_of(study, one)["la_volume_max_ml"] == right["la_volume_max_ml"]
    many = values_of(study, without(masks, View.LAX_2C, LA, slice(3, 8)))
    for name in ("la_volume_max_ml", "la_volume_min_ml", "la_ef_percent", "la_volume_max_index_ml_m2"):
        assert many[name].value is None
        assert many[name].reason == "the left atrium is missing in 5 of 20 frames of the 2-chamber mask"
    assert many["la_area_max_4c_cm2"] == right["la_area_max_4c_cm2"]
    both = without(without(masks, View.LAX_2C, LA, slice(3, 5)), View.LAX_4C, LA, slice(9, 11))
    assert "4 of 20 frames of either view" in (values_of(study, both)["la_volume_max_ml"].reason or "")


def test_a_frame_without_ventricle_takes_that_of_the_next() -> None:
    study, masks = chambers()
    curve = atria_of(study, without(masks, View.LAX_4C, LV, slice(0, 1))).la_volume_ml.values
    assert curve == pytest.approx(atria_of(study, masks).la_volume_ml.values, rel=0.01)
    none = values_of(study, without(masks, View.LAX_4C, LV, slice(None)))
    assert none["la_volume_max_ml"].value is None
    assert "lacks the left ventricle" in (none["la_volume_max_ml"].reason or "")
    assert none["la_area_max_4c_cm2"].value is not None


def test_one_plane_has_no_volume_but_the_areas() -> None:
    study, masks = chambers()
    four = values_of(study, {View.LAX_4C: masks[View.LAX_4C]})
    assert set(four) == NAMES
    assert four["la_volume_max_ml"].reason == "no 2-chamber mask shows the left atrium"
    assert four["la_volume_max_index_ml_m2"].reason == four["la_ef_percent"].reason == four["la_volume_max_ml"].reason
    assert four["la_area_max_4c_cm2"].value is not None and four["ra_area_min_4c_cm2"].value is not None
    old = {**masks, View.LAX_2C: masks[View.LAX_2C].in_scheme("cine")}
    assert values_of(study, old)["la_volume_max_ml"].reason == four["la_volume_max_ml"].reason
    two = values_of(study, {View.LAX_2C: masks[View.LAX_2C]})
    assert {one.value for one in two.values()} == {None}
    assert two["ra_area_max_4c_cm2"].reason == "no 4-chamber mask shows the right atrium"


def test_an_atrium_that_was_not_drawn_is_not_small() -> None:
    study, masks = chambers()
    drawn = {view: replace(mask, drawn=("rv", "myo", "lv", "la")) for view, mask in masks.items()}
    found = values_of(study, without(drawn, View.LAX_4C, RA, slice(None)))
    assert found["ra_area_max_4c_cm2"].reason == "no 4-chamber mask shows the right atrium"
    assert found["la_volume_max_ml"].value is not None


def test_without_atria_there_are_no_values_at_all() -> None:
    study, masks = chambers()
    as_cine = {view: mask.in_scheme("cine") for view, mask in masks.items()}
    empty = {view: mask.in_scheme("chambers") for view, mask in as_cine.items()}
    complete = {view: replace(mask, drawn=()) for view, mask in empty.items()}
    for labels in ({}, as_cine, empty, complete):
        assert measure_atria(study, labels) is None
    assert atrial_values(None, body_surface_area(study.subject)) == ()
    assert atrial_curves(None, n_frames=N_FRAMES) == {}


def test_planes_of_unequal_frames_have_no_volume() -> None:
    study, masks = chambers()
    cine = study.cine(View.LAX_2C)
    shorter = study_of(study.cine(View.LAX_4C), replace(cine, array=cine.array[..., :19]))
    found = values_of(shorter, {**masks, View.LAX_2C: masks[View.LAX_2C].select(range(19))})
    assert found["la_volume_max_ml"].reason == "the two views have different numbers of frames"
    assert found["la_area_max_4c_cm2"].value is not None


def test_two_frames_have_their_extremes_and_one_has_none() -> None:
    found = values_of(*chambers(n_frames=2))
    assert found["la_volume_max_ml"].frames == (1,) and found["la_volume_min_ml"].frames == (0,)
    assert found["la_ef_percent"].value == pytest.approx(100 * (1 - 0.65**2), abs=1)
    assert "fewer than 8" in found["la_volume_max_ml"].rule
    study, masks = chambers(n_frames=2)
    still = study_of(*(replace(cine, array=cine.array[..., :1]) for cine in study.cines))
    one = values_of(still, {view: mask.select([0]) for view, mask in masks.items()})
    assert all(value.value is None and "one frame" in (value.reason or "") for value in one.values())


def test_curves_of_the_stack_s_frames() -> None:
    atria = atria_of(*chambers())
    curves = atrial_curves(atria, n_frames=N_FRAMES)
    assert set(curves) == {"la_volume_ml", "ra_area_4c_cm2"}
    assert {len(curve) for curve in curves.values()} == {N_FRAMES}
    assert atrial_curves(atria, n_frames=N_FRAMES + 1) == {}
    study, masks = chambers((View.LAX_4C,))
    assert set(atrial_curves(measure_atria(study, masks), n_frames=N_FRAMES)) == {"ra_area_4c_cm2"}


def test_flipped_planes_measure_the_same() -> None:
    study, masks = chambers()
    right = values_of(study, masks)
    flipped = {view: replace(mask, array=mask.array[::-1, ::-1]) for view, mask in masks.items()}
    found = values_of(study, flipped)
    assert all(
        found[name].value == pytest.approx(value.value, rel=1e-9) for name, value in right.items() if value.value
    )
