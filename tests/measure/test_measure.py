"""The whole room: known hearts, any number of frames, geometry that must not matter, and what cannot be
measured."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hearts import LV, MYO, RV, STANDARD_AXES, acdc_patient, cine_of, heart, measured, prediction_of, study_of
from numpy.typing import NDArray

from cinema_cmr.core.annotation import LabelMap, Landmarks
from cinema_cmr.core.errors import GeometryError, NoCineError, UsageError
from cinema_cmr.core.results import Measurements
from cinema_cmr.core.study import Subject
from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine
from cinema_cmr.measure.measure import MeasureOptions, measure_masks, measure_study

SUMMARY = (
    *("lv_edv_ml", "lv_esv_ml", "lv_sv_ml", "lv_ef_percent", "lv_mass_g"),
    *("rv_edv_ml", "rv_esv_ml", "rv_sv_ml", "rv_ef_percent"),
    *("lv_ed_frame", "lv_es_frame", "rv_ed_frame", "rv_es_frame"),
    *("heart_rate_bpm", "cardiac_output_l_min", "bsa_m2", "cardiac_index_l_min_m2"),
    *("lv_edvi_ml_m2", "lv_esvi_ml_m2", "lv_svi_ml_m2", "lv_mass_index_g_m2"),
    *("rv_edvi_ml_m2", "rv_esvi_ml_m2", "rv_svi_ml_m2"),
    *("lv_peak_ejection_rate_ml_s", "lv_peak_filling_rate_ml_s", "lv_time_to_peak_ejection_ms"),
    *("wall_thickness_ed_mm_aha01", "wall_thickness_es_mm_aha16", "wall_thickening_percent_aha07"),
)
SUBJECT = Subject(height_cm=170, weight_kg=70, heart_rate_bpm=60)
BEAT = tuple(1 - 0.3 * np.sin(np.pi * np.arange(20) / 20) ** 2)


def known(found: Measurements) -> dict[str, float | None]:
    return found.to_dict()


@pytest.fixture(scope="module")
def beating() -> Measurements:
    cine, labels = heart(BEAT, times_ms=np.arange(20) * 50.0, rr_ms=1000.0)
    return measured(cine, labels, SUBJECT)


def test_a_full_cycle_has_every_value(beating: Measurements) -> None:
    assert [name for name in SUMMARY if beating.value(name) is None] == []
    assert len(beating) == len(beating.measured)


def test_a_beating_heart_has_its_known_function(beating: Measurements) -> None:
    assert (beating.value("lv_ed_frame"), beating.value("lv_es_frame")) == (0, 10)
    assert beating.value("lv_ef_percent") == pytest.approx(100 * (1 - 0.7**2), abs=1)
    stroke = beating.value("lv_sv_ml") or 0
    assert beating.value("cardiac_output_l_min") == pytest.approx(0.06 * stroke)
    wall = beating.curves["myo_volume_ml"][0]
    assert beating.value("lv_mass_g") == pytest.approx(1.05 * wall)
    assert beating.value("lv_edvi_ml_m2") == pytest.approx((beating.value("lv_edv_ml") or 0) / np.sqrt(170 * 70 / 3600))


def test_every_value_says_how_it_was_made(beating: Measurements) -> None:
    for value in beating.values():
        assert value.method and value.rule and value.title and value.unit, value.name
    assert beating["lv_edv_ml"].frames == (0,)
    assert beating["lv_edv_ml"].slices == tuple(range(10))
    assert "at least 40 % of the rim" in beating["lv_edv_ml"].rule
    assert "min_myocardial_rim=0.4" in beating["lv_edv_ml"].rule
    assert {name: curve.shape for name, curve in beating.curves.items()} == dict.fromkeys(
        ("lv_volume_ml", "rv_volume_ml", "myo_volume_ml", "lv_endo_contour_length_mm", "lv_epi_contour_length_mm"),
        (20,),
    )
    assert beating.times_ms is not None
    assert [flag.code for flag in beating.flags] == ["base-not-covered"]  # the valve of this heart does not descend


def turned(cine: Cine, labels: LabelMap, axes: tuple[int, int, int], flips: tuple[int, ...]) -> tuple[Cine, LabelMap]:
    """The same heart in patient space, stored with its array axes exchanged and turned around."""
    order = (*axes, 3)
    directions = np.array([STANDARD_AXES[axis] for axis in axes])
    for axis in flips:
        directions[axis] *= -1
    array = np.flip(labels.array.transpose(order), flips)
    spacing = [cine.spacing_mm[axis] for axis in axes]
    positions = cine.slice_positions_mm
    if 2 in flips:
        positions = (positions[-1] - positions)[::-1]
    moved = cine_of(
        array.shape,
        spacing,
        positions_mm=positions,
        axes=directions,
        oriented=cine.orientation_known,
        times_ms=cine.frame_times_ms,
        rr_ms=cine.rr_interval_ms,
    )
    return moved, LabelMap(array=np.ascontiguousarray(array))


def lopsided(oriented: bool) -> tuple[Cine, LabelMap]:
    """A heart without symmetry, of oblong pixels and uneven slices: RV off the middle, wall thicker on one
    side."""
    positions = np.array([0.0, 7, 14, 24, 31, 40, 47, 55, 63, 70])
    cine, labels = heart((1.0, 0.7), spacing_mm=(1.4, 1.7, 8.0), positions_mm=positions, oriented=oriented)
    wall = labels.array == MYO
    thicker = np.roll(wall, (2, 1), axis=(0, 1)) & (labels.array == 0)
    labels.array[thicker] = MYO
    return cine, labels


@pytest.fixture(scope="module")
def here() -> dict[str, float | None]:
    """Measures of the lopsided heart as it is stored."""
    return known(measured(*lopsided(oriented=True)))


@pytest.mark.parametrize("axes", [(0, 1, 2), (1, 0, 2)])
@pytest.mark.parametrize("flips", [(), (0,), (1,), (2,), (0, 1), (0, 1, 2)])
def test_how_a_heart_is_stored_does_not_change_its_measures(
    here: dict[str, float | None], axes: tuple[int, int, int], flips: tuple[int, ...]
) -> None:
    there = known(measured(*turned(*lopsided(oriented=True), axes, flips)))
    assert here.keys() == there.keys()
    for name, value in here.items():
        assert there[name] == (None if value is None else pytest.approx(value, abs=slack(name), rel=1e-7)), name


def slack(name: str) -> float:
    """Thickness is sampled on rays of whole degrees: one at the border of two segments may change sides."""
    return 0.0 if "thick" not in name else 2.0 if "percent" in name else 0.15


def test_quarter_turns_do_not_matter_without_orientation_either() -> None:
    cine, labels = lopsided(oriented=False)
    here, there = known(measured(cine, labels)), known(measured(*turned(cine, labels, (1, 0, 2), (0,))))
    for name, value in here.items():
        assert there[name] == (None if value is None else pytest.approx(value, abs=slack(name), rel=1e-7)), name


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_two_frames_are_ed_and_es_by_volume(order: tuple[int, int]) -> None:
    scales = (1.0, 0.7)
    found = measured(*heart([scales[frame] for frame in order]))
    assert (found.value("lv_ed_frame"), found.value("rv_ed_frame")) == (order.index(0),) * 2
    assert found.value("lv_ef_percent") == pytest.approx(51, abs=1)
    assert found.value("lv_peak_ejection_rate_ml_s") is None


def test_of_two_frames_a_failed_rv_shows_as_a_negative_fraction() -> None:
    cine, labels = heart((1.0, 0.7))
    first = labels.array[..., 0]
    first[:, :40][first[:, :40] == RV] = 0
    first[:, :, 2:][first[:, :, 2:] == RV] = 0
    found = measured(cine, labels)
    assert (found.value("rv_ef_percent") or 0) < 0
    assert "implausible-ef" in {flag.code for flag in found.flags}


def test_one_frame_is_measured_there_only() -> None:
    found = measured(*heart((1.0,)), SUBJECT)
    assert found.value("lv_volume_ml") and found.value("rv_volume_ml") and found.value("lv_mass_g")
    for name in ("lv_edv_ml", "lv_ef_percent", "rv_ef_percent", "cardiac_output_l_min", "lv_ed_frame"):
        assert found.value(name) is None and "one frame" in (found[name].reason or ""), name


def test_a_single_frame_that_the_user_calls_end_diastole() -> None:
    found = measured(*heart((1.0,)), ed_frame=0)
    assert found.value("lv_edv_ml") == found.value("lv_volume_ml")
    assert found.value("wall_thickness_ed_mm_aha01") and found.value("lv_ef_percent") is None


def test_an_empty_mask_gives_no_value_neither_zero_nor_nan() -> None:
    cine, labels = heart(BEAT)
    found = measured(cine, LabelMap(array=np.zeros_like(labels.array)), SUBJECT)
    assert {name: value for name, value in known(found).items() if value is not None} == {
        "heart_rate_bpm": 60,
        "bsa_m2": pytest.approx(1.818, abs=1e-3),
    }
    assert all(value.reason for value in found.values() if value.value is None)
    assert "structure-missing" in {flag.code for flag in found.flags}


@pytest.mark.parametrize("code", [LV, RV, MYO])
def test_a_structure_that_is_missing_takes_only_its_own_values_along(code: int) -> None:
    cine, labels = heart((1.0, 0.7))
    labels.array[labels.array == code] = 0
    found = measured(cine, labels, SUBJECT)
    absent = {name for name, value in known(found).items() if value is None}
    assert ("lv_ef_percent" in absent, "rv_ef_percent" in absent, "lv_mass_g" in absent) == (
        code == LV,
        code == RV,
        code in (LV, MYO),
    )


def test_a_noisy_last_frame_is_not_end_systole() -> None:
    cine, labels = heart(BEAT)
    labels.array[:, :, 2:, -1] = 0
    found = measured(cine, labels)
    assert found.value("lv_es_frame") == 10
    assert "irregular-curve" in {flag.code for flag in found.flags}


def test_ed_need_not_be_the_first_frame() -> None:
    found = measured(*heart(np.roll(BEAT, 3)))
    assert (found.value("lv_ed_frame"), found.value("lv_es_frame")) == (3, 13)


@pytest.mark.medium
def test_options_change_the_rules_and_are_said() -> None:
    cine, labels = heart(BEAT)
    labels.array[..., 12][labels.array[..., 12] == RV] = 0
    given = measured(cine, labels, ed_frame=1, es_frame=9)
    assert (given["lv_ef_percent"].frames, given["rv_ef_percent"].frames) == ((1, 9), (1, 9))
    assert "given by the user" in given["lv_edv_ml"].rule
    late = np.array(BEAT)
    lv_frames = measured(*heart(late), phase_rule="lv")
    assert lv_frames.value("rv_es_frame") == lv_frames.value("lv_es_frame")
    assert "the LV's frames" in lv_frames["rv_edv_ml"].rule
    every = measured(cine, labels, basal_rule="all-slices")
    assert "every labelled slice" in every["lv_edv_ml"].rule
    assert measured(cine, labels, SUBJECT, bsa_formula="du-bois").value("bsa_m2") == pytest.approx(1.809, abs=1e-3)


def test_options_that_cannot_be_are_refused() -> None:
    for name in ("basal_rule", "phase_rule", "bsa_formula"):
        with pytest.raises(UsageError, match="known:"):
            MeasureOptions(**{name: "magic"})
    with pytest.raises(UsageError, match="min_myocardial_rim is 40; expected a fraction"):
        MeasureOptions(min_myocardial_rim=40)
    with pytest.raises(UsageError, match="given as ED and as ES"):
        MeasureOptions(ed_frame=3, es_frame=3)
    with pytest.raises(UsageError, match="frame 99 was given"):
        measured(*heart((1.0, 0.7)), es_frame=99)


def test_former_name_of_the_basal_rule_is_accepted() -> None:
    assert MeasureOptions(basal_rule="half-rim") == MeasureOptions()  # type: ignore[arg-type]


@pytest.mark.medium
def test_masks_measure_as_a_prediction_of_the_same_labels(beating: Measurements) -> None:
    cine, labels = heart(BEAT, times_ms=np.arange(20) * 50.0, rr_ms=1000.0)
    study = study_of(cine, subject=SUBJECT)
    codes = labels.array.astype(float)
    for found in (measure_masks(study, one) for one in (labels, codes, {View.SAX: labels})):
        assert found.measured == beating.measured and found.flags == beating.flags
    alone = measure_masks(cine, labels, options=MeasureOptions(ed_frame=1))
    assert alone.value("lv_ed_frame") == 1 and alone.value("bsa_m2") is None


def test_without_a_short_axis_mask_the_same_names_are_there_without_values(beating: Measurements) -> None:
    points: dict[str, NDArray[np.float64]] = {
        "mitral_septal": np.array([[0.0, 0, 0], [0, 0, -10]]),
        "mitral_lateral": np.array([[30.0, 0, 0], [30, 0, -14]]),
        "apex": np.array([[15.0, 0, -90], [15, 0, -90]]),
    }
    marks = {View.LAX_4C: Landmarks(view=View.LAX_4C, points=points)}
    found = measure_study(study_of(subject=SUBJECT), {}, landmarks=marks)
    assert set(beating) <= set(found)
    assert found["lv_ef_percent"].reason == "LV: the study has no short-axis mask"
    assert found.value("mapse_mean_mm") == pytest.approx(12)
    assert found.value("bsa_m2") is not None and not found.curves


def test_a_mask_without_its_cine_is_refused() -> None:
    _, labels = heart()
    with pytest.raises(NoCineError, match="short axis"):
        measure_study(study_of(), {View.SAX: prediction_of(labels)})


@pytest.mark.realdata
@pytest.mark.parametrize("number", [1, 25, 41, 70, 90])
def test_expert_labels_give_plausible_function(real_data: Path, number: int) -> None:
    cine, labels, info = acdc_patient(real_data, number)
    subject = Subject(height_cm=float(info["Height"]), weight_kg=float(info["Weight"]))
    found = measured(cine, labels, subject)
    assert (found.value("lv_ed_frame"), found.value("lv_es_frame")) == (0, 1)
    assert 60 < (found.value("lv_edv_ml") or 0) < 400
    assert 8 < (found.value("lv_ef_percent") or 0) < 85
    assert 30 < (found.value("lv_mass_g") or 0) < 280
    assert 40 < (found.value("lv_edvi_ml_m2") or 0) < 220
    assert 3 < (found.value("wall_thickness_ed_mm_aha10") or 0) < 20


@pytest.mark.realdata
def test_patient090_by_volume_agrees_with_its_labels(real_data: Path) -> None:
    """ED is the fourth frame of this patient; stored in reverse order the same frame must be found."""
    cine, labels, info = acdc_patient(real_data, 90)
    assert (info["ED"], info["ES"]) == ("4", "11")
    reverse = measured(cine, LabelMap(array=labels.array[..., ::-1].copy()))
    assert (reverse.value("lv_ed_frame"), reverse.value("lv_es_frame")) == (1, 0)
    assert reverse.value("lv_ef_percent") == pytest.approx(measured(cine, labels).value("lv_ef_percent"))


@pytest.mark.slow
@pytest.mark.realdata
def test_groups_of_acdc_differ_as_their_diseases_do(real_data: Path) -> None:
    values: dict[str, list[tuple[float, float, float]]] = {}
    codes: list[str] = []
    base: list[str] = []
    for number in range(1, 101):
        cine, labels, info = acdc_patient(real_data, number)
        found = measured(cine, labels)
        row = tuple(found.value(name) or 0.0 for name in ("lv_ef_percent", "rv_ef_percent", "lv_mass_g"))
        values.setdefault(info["Group"].strip(), []).append(row)  # type: ignore[arg-type]
        codes += [flag.code for flag in found.flags]
        base += [str(flag.severity) for flag in found.flags if flag.code == "base-not-covered"]
    lv_ef, rv_ef, mass = ({group: np.mean(rows, axis=0)[k] for group, rows in values.items()} for k in range(3))
    assert lv_ef["DCM"] < lv_ef["MINF"] < 40 and 55 < lv_ef["NOR"] < lv_ef["HCM"]
    assert rv_ef["RV"] < 40 and rv_ef["NOR"] > 50
    assert mass["HCM"] > 1.5 * mass["NOR"]
    assert codes.count("sv-mismatch") == 6
    # Many of these stacks begin at the valve; a warning needs a short ventricle or unequal strokes as well.
    assert (base.count("info"), base.count("warning")) == (31, 29)
    assert max(codes.count(code) for code in set(codes) - {"sv-mismatch", "few-frames", "base-not-covered"}) <= 10


def test_a_mask_of_another_grid_is_refused_for_every_view() -> None:
    planes = {
        view: Cine(
            array=np.zeros((20, 20, 1, 2), np.float32),
            affine=np.eye(4),
            view=view,
            slice_positions_mm=np.zeros(1),
        )
        for view in (View.LAX_2C, View.LAX_4C)
    }
    larger = dict.fromkeys(planes, LabelMap(array=np.full((40, 40, 1, 2), LV, np.uint8)))
    with pytest.raises(GeometryError, match="a mask must be on its image's grid"):
        measure_masks(study_of(*planes.values()), larger)
