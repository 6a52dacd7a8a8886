"""Every measurement that is computed has a code or is listed as one without; codes mean what the measurement is."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from interop_hearts import AXIS, CENTRE, RIGHT, labels_of, long_axis_cine, stack_cine
from pydicom.sr._concepts_dict import concepts

from cinema_cmr.core.annotation import LabelMap, Landmarks
from cinema_cmr.core.results import Measurement
from cinema_cmr.core.study import Study, Subject
from cinema_cmr.core.vocabulary import LANDMARKS, View
from cinema_cmr.interop.measurement_codes import (
    MEASUREMENT_CODES,
    coded_measurements,
    is_without_code,
    uncoded_measurements,
)
from cinema_cmr.measure.measure import MeasureOptions, measure_masks
from cinema_cmr.measure.papillary import PapillaryRule

SUBJECT = Subject(sex="F", age_years=50, height_cm=165, weight_kg=60, heart_rate_bpm=75)


def hinges() -> tuple[np.ndarray, ...]:
    """Two hinge points at the base and the apex, (8, 3) each."""
    points = (CENTRE + AXIS * 20 + RIGHT * 15, CENTRE + AXIS * 20 - RIGHT * 15, CENTRE - AXIS * 38)
    return tuple(np.tile(point, (8, 1)) for point in points)


def with_atria(labels: LabelMap) -> LabelMap:
    """The mask of a long-axis plane with two atria in what was background."""
    array = labels.array.copy()
    array[:6, :6], array[-6:, :6] = 4, 5
    return LabelMap(array=array, scheme="chambers")


def computed() -> list[tuple[Measurement, ...]]:
    """All measurements: of a stack with long axes and landmarks, of one frame, and of late enhancement."""
    stack, long_axis = stack_cine(), long_axis_cine()
    planes = {view: replace(long_axis, view=view) for view in LANDMARKS}
    study = Study(name="", cines=(stack, *planes.values()), subject=SUBJECT)
    landmarks = {
        view: Landmarks(view=view, points=dict(zip(LANDMARKS[view], hinges(), strict=True))) for view in planes
    }
    labels = {View.SAX: labels_of(stack), **{view: with_atria(labels_of(cine)) for view, cine in planes.items()}}
    whole = measure_masks(study, labels, landmarks=landmarks)
    still = stack.select(frames=0)
    frame = measure_masks(still, labels_of(still))
    scar = labels_of(still).array.copy()
    scar[scar == 1] = 0
    scar[scar == 3] = 1
    scar[..., :3, :][scar[..., :3, :] == 2] = 3
    late = measure_masks(still, LabelMap(array=scar, scheme="scar"))
    return [whole.measured, frame.measured, late.measured]


def computed_names() -> set[str]:
    return {one.name for measured in computed() for one in measured}


@pytest.mark.medium
def test_each_measurement_has_a_code_or_is_listed_without() -> None:
    names = computed_names()
    assert len(names) > 150
    frames = {f"{chamber}_{phase}_frame" for chamber in ("lv", "rv") for phase in ("ed", "es")}
    frames |= {f"lv_{phase}_frame" for phase in ("mid_systole", "peak_filling", "mid_diastole")}
    unlisted = {name for name in names - frames if (name in MEASUREMENT_CODES) == is_without_code(name)}
    assert unlisted == set(), "give them a code in MEASUREMENT_CODES, or list them in _WITHOUT_CODE"
    assert set(MEASUREMENT_CODES) - names == set(), "codes of measurements that do not exist"


@pytest.mark.medium
def test_no_two_values_have_the_same_code_modifiers_and_method() -> None:
    """A system that reads codes alone would take the one for the other: two LVEF in one report, say."""
    for measured in computed():
        kinds = Counter(
            (one.code.concept, one.code.site, one.code.phase, one.code.derivation, one.unit.value, one.method)
            for one in coded_measurements(measured)
        )
        assert [kind for kind, number in kinds.items() if number > 1] == []
    assert "lv_ef_valve_plane_percent" in {one.name for one in uncoded_measurements(computed()[0])}


@pytest.mark.parametrize(
    ("name", "meaning"),
    [
        ("lv_edv_ml", "left ventricular ed volume"),
        ("lv_esv_ml", "left ventricular es volume"),
        ("rv_edv_ml", "right ventricular ed volume"),
        ("rv_esv_ml", "right ventricular es volume"),
        ("lv_ef_percent", "left ventricular ejection fraction by mr"),
        ("rv_ef_percent", "right ventricular ejection fraction by mr"),
        ("rv_sv_ml", "stroke volume"),
        ("lv_mass_g", "left ventricle mass"),
        ("cardiac_output_l_min", "cardiac output"),
        ("cardiac_index_l_min_m2", "cardiac index"),
        ("heart_rate_bpm", "heart rate"),
        ("wall_thickness_ed_mm_aha07", "wall thickness"),
        ("wall_thickening_percent_aha07", "% thickening"),
        ("lv_peak_filling_rate_ml_s", "peak filling rate"),
        ("lv_time_to_peak_ejection_ms", "peak ejection time"),
        ("mapse_septal_mm", "excursion distance"),
    ],
)
def test_codes_mean_the_measurement(name: str, meaning: str) -> None:
    code = MEASUREMENT_CODES[name].concept
    found = {entry[code.value][0].lower() for entry in concepts[code.scheme].values() if code.value in entry}
    assert meaning in found
    assert code.meaning.lower() == meaning


def test_values_are_rounded_and_absent_ones_left_out() -> None:
    def measurement(name: str, value: float | None, unit: str = "ml") -> Measurement:
        return Measurement(name=name, title=name, value=value, unit=unit, method="sum of slices, short axis", rule="r")

    measured = (
        measurement("lv_edv_ml", 151.23456789),
        measurement("lv_esv_ml", None),
        measurement("mapse_anterior_mm", 11.0, "mm"),
        measurement("mapse_inferolateral_mm", 12.0, "mm"),
        measurement("lv_ed_frame", 3.0, "frame"),
    )
    (coded,) = coded_measurements(measured)
    assert (coded.value, coded.unit.value) == (151.235, "mL")
    assert coded.method is not None and coded.method.value == "122503"
    assert [one.name for one in uncoded_measurements(measured)] == ["mapse_anterior_mm", "mapse_inferolateral_mm"]


@pytest.mark.parametrize("rule, volume, mass", [("blood", "122621", "122620"), ("mass", "122620", "122621")])
def test_where_papillary_muscles_count_is_coded(rule: PapillaryRule, volume: str, mass: str) -> None:
    stack = stack_cine()
    found = measure_masks(stack, labels_of(stack), options=MeasureOptions(papillary_rule=rule))
    coded = {one.measurement.name: one.code for one in coded_measurements(tuple(found.values()))}
    codes = {name: code.papillary for name, code in coded.items()}
    assert codes["lv_edv_ml"] is not None and codes["lv_edv_ml"].value == volume
    assert codes["lv_mass_g"] is not None and codes["lv_mass_g"].value == mass
    assert codes["rv_edv_ml"] is None
    assert coded["lv_edv_ml"].structure == ("lv" if rule == "blood" else None)  # muscle is blood in the mask
    assert coded["rv_edv_ml"].structure == "rv"
