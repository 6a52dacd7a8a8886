"""A stack whose basal slice is atrium at end-systole: the plane through the hinge points leaves it out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from test_valve_plane import both, stack

from cinema_cmr.core.annotation import LabelMap
from cinema_cmr.core.errors import UsageError
from cinema_cmr.core.results import Measurements
from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine
from cinema_cmr.measure.measure import MeasureOptions, measure_masks
from cinema_cmr.measure.valve_plane import find_valve_planes
from cinema_cmr.measure.valve_plane_values import describe_valve_planes
from cinema_cmr.measure.volumes import CODES, measure_volumes

DEPTHS = [0.0, 5.0, 15.0, 10.0]


def heart() -> tuple[Cine, LabelMap]:
    """A ring of wall around blood in each slice of each frame, smaller in frame 2; every slice is labelled."""
    cine = stack(4)
    labels = np.zeros(cine.shape, np.uint8)
    for frame, half in enumerate((6, 5, 3, 5)):
        labels[9 - half : 11 + half, 9 - half : 11 + half, :, frame] = CODES["myo"]
        inner = half - 2
        labels[9 - inner : 11 + inner, 9 - inner : 11 + inner, :, frame] = CODES["lv"]
    return cine, LabelMap(array=labels)


def measured(rule: str = "scmr", *, with_landmarks: bool = True) -> Measurements:
    cine, labels = heart()
    options = MeasureOptions(basal_rule=rule)  # type: ignore[arg-type]
    return measure_masks(
        Study(name="", cines=(cine,)), labels, options=options, landmarks=both(DEPTHS) if with_landmarks else None
    )


def test_volumes_up_to_the_plane_are_area_times_length() -> None:
    values = measured()
    slice_ml = {0: 4 * 10**2 * 10 / 1000, 2: 4 * 4**2 * 10 / 1000}
    edv, esv = 7.5 * slice_ml[0], 6 * slice_ml[2]
    assert values.value("lv_edv_valve_plane_ml") == pytest.approx(edv)
    assert values.value("lv_esv_valve_plane_ml") == pytest.approx(esv)
    assert values.value("lv_ef_valve_plane_percent") == pytest.approx(100 * (1 - esv / edv))
    assert values.value("lv_esv_ml") == pytest.approx(8 * slice_ml[2])
    assert "moves by 15 mm" in values["lv_ef_valve_plane_percent"].rule


def test_the_rule_names_the_views() -> None:
    found = find_valve_planes(stack(4), both(DEPTHS))
    assert found is not None
    every = (View.LAX_4C, View.LAX_2C, View.LAX_3C)
    rules = [describe_valve_planes(replace(found, views=every[:n])) for n in (1, 2, 3)]
    assert "(4-chamber landmarks;" in rules[0] and "(4-chamber and 2-chamber landmarks;" in rules[1]
    assert "(4-chamber, 2-chamber and 3-chamber landmarks;" in rules[2]


def test_the_rule_valve_plane_makes_them_the_main_values() -> None:
    values = measured("valve-plane")
    for name in ("edv", "esv"):
        assert values.value(f"lv_{name}_ml") == values.value(f"lv_{name}_valve_plane_ml")
    assert "mitral hinge points" in values["lv_esv_ml"].rule
    assert values["lv_esv_ml"].slices == (2, 3, 4, 5, 6, 7)
    assert not [flag for flag in values.flags if flag.code.startswith("valve-plane")]


def test_the_rule_without_landmarks_is_scmr_and_flagged() -> None:
    values = measured("valve-plane", with_landmarks=False)
    assert values.value("lv_esv_ml") == measured().value("lv_esv_ml")
    assert "valve-plane-missing" in {flag.code for flag in values.flags}
    assert "lv_ef_valve_plane_percent" not in values


def test_a_plane_that_changes_the_ejection_fraction_is_flagged_with_both_numbers() -> None:
    assert "valve-plane-effect" not in {flag.code for flag in measured().flags}  # 3 points
    cine, labels = heart()
    values = measure_masks(
        Study(name="", cines=(cine,)), labels, landmarks=both([0.0, 5.0, 30.0, 10.0]), options=MeasureOptions()
    )
    flag = next(flag for flag in values.flags if flag.code == "valve-plane-effect")
    assert flag.evidence["lv_ef_percent"] == pytest.approx(84, abs=0.1)
    assert flag.evidence["lv_ef_valve_plane_percent"] == pytest.approx(100 * (1 - 4.5 * 0.16 / 7.5), abs=0.1)


def test_measuring_by_the_rule_without_planes_is_an_error() -> None:
    cine, labels = heart()
    with pytest.raises(UsageError, match="find_valve_planes"):
        measure_volumes(cine, labels, basal_rule="valve-plane")
