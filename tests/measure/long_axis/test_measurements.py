"""Long-axis motion of points that move by a known way, and biplane volume of an ellipsoid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from chambers import LV_MM, LV_WIDTH_MM, chambers
from hearts import LV, MYO, study_of
from numpy.typing import NDArray

from cinema_cmr.core.annotation import LabelMap, Landmarks
from cinema_cmr.core.results import Measurement
from cinema_cmr.core.vocabulary import LANDMARKS, View
from cinema_cmr.core.volume import Cine
from cinema_cmr.measure.long_axis.measurements import (
    axis_lengths_mm,
    biplane_mismatch,
    biplane_values,
    biplane_volumes_ml,
    long_axis_curves,
    long_axis_values,
)
from cinema_cmr.phantom.phantom import make_phantom

AXIS = np.array([0.6, 0.0, -0.8])
ACROSS = np.array([0.8, 0.0, 0.6])


def landmarks(ways_mm: Sequence[tuple[float, float]], view: View = View.LAX_4C) -> Landmarks:
    """Mitral points 30 mm apart and 90 mm from the apex, moved towards it frame by frame, and a little
    sideways."""
    first, second, apex = LANDMARKS[view]
    sideways = ACROSS * 3
    points: dict[str, NDArray[np.float64]] = {
        first: np.array([-15 * ACROSS + way * AXIS + sideways * (way > 0) for way, _ in ways_mm]),
        second: np.array([15 * ACROSS + way * AXIS + sideways * (way > 0) for _, way in ways_mm]),
        apex: np.array([90 * AXIS for _ in ways_mm]),
    }
    return Landmarks(view=view, points={name: path + np.array([10.0, -20, 30]) for name, path in points.items()})


def by_name(values: tuple[Measurement, ...]) -> dict[str, Measurement]:
    return {value.name: value for value in values}


def test_excursion_is_the_way_along_the_axis() -> None:
    found = by_name(long_axis_values({View.LAX_4C: landmarks([(0, 0), (4, 6), (10, 14), (5, 7)])}))
    assert found["mapse_septal_mm"].value == pytest.approx(10)
    assert found["mapse_lateral_mm"].value == pytest.approx(14)
    assert found["mapse_mean_mm"].value == pytest.approx(12)
    assert found["mapse_septal_mm"].frames == (0, 2)
    assert found["long_axis_shortening_4c_percent"].value == pytest.approx(100 * (1 - np.hypot(78, 3) / 90))


def test_ed_and_es_are_not_exchanged_whatever_the_order_of_frames() -> None:
    found = by_name(long_axis_values({View.LAX_2C: landmarks([(12, 12), (0, 0)], View.LAX_2C)}))
    assert (found["long_axis_shortening_2c_percent"].value or 0) > 0
    assert found["long_axis_shortening_2c_percent"].frames == (1, 0)
    assert found["mapse_anterior_mm"].value == pytest.approx(12)
    assert found["mapse_inferior_mm"].value == pytest.approx(12)


def test_given_frames_are_not_exchanged_either() -> None:
    found = by_name(long_axis_values({View.LAX_4C: landmarks([(0, 0), (10, 14)])}, ed=1, es=0))
    assert (found["long_axis_shortening_4c_percent"].value or 0) < 0
    assert (found["mapse_septal_mm"].value or 0) < 0


def test_frames_that_the_view_lacks_are_said() -> None:
    found = long_axis_values({View.LAX_4C: landmarks([(0, 0), (10, 14)])}, ed=0, es=7)
    assert all(value.value is None and "frame 7 was given" in (value.reason or "") for value in found)


def test_given_frames_of_a_stack_are_taken_at_the_same_part_of_the_cycle() -> None:
    fine = [(10 * part, 14 * part) for part in (1 - np.cos(2 * np.pi * np.arange(50) / 50)) / 2]
    both = [
        by_name(long_axis_values({View.LAX_4C: landmarks(ways)}, ed=1, es=10, n_stack=25)) for ways in (fine, fine[::2])
    ]
    assert both[0]["mapse_mean_mm"].value == both[1]["mapse_mean_mm"].value
    assert both[0]["mapse_mean_mm"].frames == (2, 20) and both[1]["mapse_mean_mm"].frames == (1, 10)
    assert "same phase of the cycle" in both[0]["mapse_mean_mm"].rule
    assert "same phase of the cycle" not in both[1]["mapse_mean_mm"].rule
    of_two = by_name(long_axis_values({View.LAX_4C: landmarks(fine)}, ed=0, es=1, n_stack=2))
    found = by_name(long_axis_values({View.LAX_4C: landmarks(fine)}))
    assert of_two["mapse_mean_mm"].frames == found["mapse_mean_mm"].frames
    assert "not used" in of_two["mapse_mean_mm"].rule
    one = by_name(long_axis_values({View.LAX_4C: landmarks(fine[::5])}, ed=0, es=1, n_stack=50))
    assert one["mapse_mean_mm"].value is None and "one frame of this view" in (one["mapse_mean_mm"].reason or "")


def test_missing_points_give_no_value() -> None:
    moving = landmarks([(0, 0), (4, 6), (10, 14)])
    moving.points["mitral_septal"][:] = np.nan
    found = by_name(long_axis_values({View.LAX_4C: moving}))
    assert {value.value for value in found.values()} == {None}
    assert all("4-chamber landmarks" in (value.reason or "") for value in found.values())


def test_a_point_missing_at_a_given_frame() -> None:
    moving = landmarks([(0, 0), (4, 6), (10, 14)])
    moving.points["mitral_lateral"][2] = np.nan
    found = by_name(long_axis_values({View.LAX_4C: moving}, ed=0, es=2))
    assert found["mapse_septal_mm"].value is not None
    assert found["mapse_lateral_mm"].value is None and found["mapse_mean_mm"].value is None
    assert found["long_axis_shortening_4c_percent"].value is None


def test_the_3_chamber_view_follows_the_others_and_is_absent_without_its_points() -> None:
    ways = [(0.0, 0.0), (10.0, 14.0)]
    both = {view: landmarks(ways, view) for view in (View.LAX_4C, View.LAX_2C)}
    former = long_axis_values(both)
    every = long_axis_values({View.LAX_3C: landmarks(ways, View.LAX_3C), **both})
    assert every[: len(former)] == former and not any("3-chamber" in one.method for one in former)
    added = by_name(every[len(former) :])
    assert list(added) == ["mapse_anteroseptal_mm", "mapse_inferolateral_mm", "long_axis_shortening_3c_percent"]
    assert [added[name].value for name in list(added)[:2]] == pytest.approx([10, 14])
    assert added["mapse_inferolateral_mm"].title == "MAPSE, inferolateral"
    shortening = added["long_axis_shortening_3c_percent"]
    assert shortening.value == pytest.approx(100 * (1 - np.hypot(78, 3) / 90))
    assert "middle of the mitral valve" in shortening.rule
    assert not any("middle of the mitral valve" in one.rule for one in former)
    assert by_name(every)["mapse_mean_mm"] == by_name(former)["mapse_mean_mm"]


def test_curves_have_the_views_with_as_many_frames() -> None:
    marks = {view: landmarks([(0, 0), (9, 9)], view) for view in (View.LAX_3C, View.LAX_4C)}
    marks[View.LAX_2C] = landmarks([(0, 0), (4, 4), (9, 9)], View.LAX_2C)
    curves = long_axis_curves(marks, n_frames=2)
    assert set(curves) == {"long_axis_length_3c_mm", "long_axis_length_4c_mm"}
    assert curves["long_axis_length_3c_mm"] == pytest.approx([90, np.hypot(81, 3)])


@pytest.mark.medium
@pytest.mark.parametrize(("group", "seed"), [("NOR", 7), ("DCM", 8), ("HCM", 9)])
def test_a_phantom_s_3_chamber_points_move_as_its_valve_does(group: str, seed: int) -> None:
    """The truth is along the axis of the ventricle; that of the view is tilted, for it begins beside the aorta."""
    phantom = make_phantom(seed, group=group, style="ideal", views=(View.LAX_3C,), n_frames=20)
    found, truth = by_name(long_axis_values(phantom.landmarks)), phantom.truth
    assert found["mapse_inferolateral_mm"].value == pytest.approx(truth["mapse_inferolateral_mm"], abs=0.5)
    assert found["mapse_anteroseptal_mm"].value == pytest.approx(truth["mapse_anteroseptal_mm"], abs=0.8)
    shortening = found["long_axis_shortening_3c_percent"].value
    assert shortening == pytest.approx(truth["long_axis_shortening_percent"], abs=0.5)


def test_lengths() -> None:
    assert axis_lengths_mm(landmarks([(0, 0), (9, 9)])) == pytest.approx([90, np.hypot(81, 3)])


def half_ellipse(width_mm: float, length_mm: float, view: View) -> tuple[Cine, LabelMap]:
    """A long-axis mask: half an ellipse of blood, open at its flat side, in a wall; two frames, the second
    narrower."""
    pixel = 1.2
    x = (np.arange(100) - 50)[:, None] * pixel
    y = (np.arange(100) - 5)[None, :] * pixel
    frames = []
    for scale in (1.0, 0.8):
        blood = (x / (width_mm * scale)) ** 2 + (y / length_mm) ** 2 < 1
        wall = ((x / (width_mm * scale + 9)) ** 2 + (y / (length_mm + 9)) ** 2 < 1) & ~blood
        frames.append(((LV * blood + MYO * wall) * (y >= 0)).astype(np.uint8))
    labels = np.stack(frames, axis=2)[:, :, None]
    cine = Cine(
        array=np.zeros(labels.shape, dtype=np.float32),
        affine=np.diag([pixel, pixel, 8.0, 1.0]),
        view=view,
        slice_positions_mm=np.zeros(1),
    )
    return cine, LabelMap(array=labels)


def test_biplane_volume_of_a_half_ellipsoid() -> None:
    """Area-length is exact for an ellipsoid, and half of one has half the areas and half the length."""
    planes = half_ellipse(22, 85, View.LAX_2C), half_ellipse(26, 85, View.LAX_4C)
    volumes = biplane_volumes_ml(*planes)
    exact = 2 / 3 * np.pi * 22 * 26 * 85 / 1000
    assert volumes == pytest.approx([exact, 0.64 * exact], rel=0.03)


def test_biplane_values() -> None:
    planes = {view: half_ellipse(24, 85, view) for view in (View.LAX_2C, View.LAX_4C)}
    study = study_of(*(cine for cine, _ in planes.values()))
    masks = {view: labels for view, (_, labels) in planes.items()}
    found = by_name(biplane_values(study, masks))
    assert found["lv_ef_biplane_percent"].value == pytest.approx(36, abs=1)
    assert found["lv_edv_biplane_ml"].frames == (0,)
    assert biplane_values(study, {View.LAX_4C: masks[View.LAX_4C]}) == ()


def test_gaps_in_the_drawn_wall_are_not_taken_for_the_valve() -> None:
    """The middle of valve and gaps together lies inside the ventricle: a short axis, and a volume 20 % too large."""
    planes = half_ellipse(22, 85, View.LAX_2C), half_ellipse(26, 85, View.LAX_4C)
    whole = biplane_volumes_ml(*planes)
    array = planes[0][1].array
    for first in (25, 45, 60):
        array[50:, first : first + 8][array[50:, first : first + 8] == MYO] = 0
    assert biplane_volumes_ml(*planes) == pytest.approx(whole, rel=1e-6)


def test_biplane_volumes_of_given_frames() -> None:
    """Frames given for a stack of twice as many frames are those at the same phase of the planes."""
    planes = {view: half_ellipse(24, 85, view) for view in (View.LAX_2C, View.LAX_4C)}
    cines = [replace(cine, array=np.repeat(cine.array, 5, axis=3)) for cine, _ in planes.values()]
    masks = {view: LabelMap(array=np.repeat(labels.array, 5, axis=3)) for view, (_, labels) in planes.items()}
    found = by_name(biplane_values(study_of(*cines), masks, ed=4, es=14, n_stack=20))
    assert found["lv_edv_biplane_ml"].frames == (2,) and found["lv_esv_biplane_ml"].frames == (7,)
    assert found["lv_ef_biplane_percent"].value == pytest.approx(36, abs=1)
    swapped = by_name(biplane_values(study_of(*cines), masks, ed=14, es=4, n_stack=20))
    assert swapped["lv_ef_biplane_percent"].value == pytest.approx(-56, abs=2)


def test_biplane_without_blood_or_with_unequal_frames() -> None:
    cine, labels = half_ellipse(24, 85, View.LAX_2C)
    other, filled = half_ellipse(24, 85, View.LAX_4C)
    study = study_of(cine, other)
    empty = LabelMap(array=np.zeros_like(labels.array))
    masks = {View.LAX_2C: empty, View.LAX_4C: filled}
    assert all(value.value is None and value.reason for value in biplane_values(study, masks))
    short = Cine(
        array=cine.array[..., :1],
        affine=cine.affine,
        view=cine.view,
        slice_positions_mm=cine.slice_positions_mm,
    )
    masks[View.LAX_2C] = LabelMap(array=labels.array[..., :1])
    values = biplane_values(study_of(short, other), masks)
    assert all("different numbers of frames" in (value.reason or "") for value in values)


@pytest.mark.parametrize(
    ("biplane", "flagged"), [(100.0, False), (128.0, False), (71.0, False), (60.0, True), (150.0, True)]
)
def test_a_biplane_volume_far_from_the_stack_s_is_flagged(biplane: float, flagged: bool) -> None:
    def value(name: str, ml: float | None) -> Measurement:
        return Measurement(name=name, title=name, value=ml, unit="ml", method="", rule="")

    values = {"lv_edv_ml": value("lv_edv_ml", 100.0), "lv_edv_biplane_ml": value("lv_edv_biplane_ml", biplane)}
    flag = biplane_mismatch(values)
    assert (flag is not None) == flagged
    if flag is not None:
        assert flag.code == "biplane-mismatch" and flag.evidence["lv_edv_biplane_ml"] == biplane
    assert biplane_mismatch({"lv_edv_ml": value("lv_edv_ml", 100.0)}) is None
    assert biplane_mismatch({**values, "lv_edv_biplane_ml": value("lv_edv_biplane_ml", None)}) is None


def test_a_drawn_atrium_changes_no_biplane_volume() -> None:
    """Beside the blood of the ventricle lies then the atrium, where the opening without wall was."""
    study, masks = chambers()
    as_cine = {view: mask.in_scheme("cine") for view, mask in masks.items()}
    planes = [[(study.cine(view), of[view]) for view in (View.LAX_2C, View.LAX_4C)] for of in (masks, as_cine)]
    drawn, without = (biplane_volumes_ml(*pair) for pair in planes)
    assert drawn.tolist() == without.tolist()
    exact = 2 / 3 * np.pi * LV_WIDTH_MM[View.LAX_2C] * LV_WIDTH_MM[View.LAX_4C] * LV_MM / 1000
    assert drawn[0] == pytest.approx(exact, rel=0.03)
    assert biplane_values(study, masks) == biplane_values(study, as_cine)
