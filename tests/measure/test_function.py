"""Function of curves whose numbers are known by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hearts import chamber_of

from cinema_cmr.core.results import Measurement
from cinema_cmr.core.study import Subject
from cinema_cmr.measure.body import body_surface_area, heart_rate
from cinema_cmr.measure.function import INDEXED, cardiac_output, indexed_values, mass_values, ventricle_values
from cinema_cmr.measure.phases import Phases

FOUND = Phases(ed=0, es=2, rule="own")
NONE = Phases(ed=None, es=None, rule="own", reason="it is labelled in no frame")


def by_name(values: tuple[Measurement, ...]) -> dict[str, Measurement]:
    return {value.name: value for value in values}


def test_volumes_fraction_and_frames() -> None:
    found = by_name(ventricle_values(chamber_of([150, 90, 60, 110], FOUND)))
    assert {name: value.value for name, value in found.items()} == {
        "lv_edv_ml": 150,
        "lv_esv_ml": 60,
        "lv_sv_ml": 90,
        "lv_ef_percent": pytest.approx(60),
        "lv_ed_frame": 0,
        "lv_es_frame": 2,
    }
    assert (found["lv_edv_ml"].frames, found["lv_ef_percent"].frames) == ((0,), (0, 2))
    assert found["lv_edv_ml"].slices == (0, 1)


def test_a_negative_fraction_is_not_clipped() -> None:
    exchanged = Phases(ed=2, es=0, rule="frames given by the user")
    found = by_name(ventricle_values(chamber_of([150, 90, 60], exchanged)))
    assert found["lv_ef_percent"].value == pytest.approx(-150)


def test_without_phases_everything_is_absent_with_the_reason() -> None:
    found = ventricle_values(chamber_of([np.nan, np.nan, np.nan], NONE, "rv"))
    assert {value.value for value in found} == {None}
    assert {value.reason for value in found} == {"RV: it is labelled in no frame"}


def test_one_frame_has_a_volume_and_no_fraction() -> None:
    alone = Phases(ed=None, es=None, rule="own", reason="the study has one frame")
    found = by_name(ventricle_values(chamber_of([120], alone)))
    assert found["lv_volume_ml"].value == 120
    assert found["lv_ef_percent"].value is None and "one frame" in (found["lv_ef_percent"].reason or "")


def test_a_given_frame_without_the_ventricle_is_absent() -> None:
    found = by_name(ventricle_values(chamber_of([np.nan, 90, 60], FOUND)))
    assert found["lv_edv_ml"].reason == "the LV is not labelled in frame 0"
    assert found["lv_ef_percent"].value is None


def test_mass_at_ed_with_es_as_a_check() -> None:
    ed, es = mass_values(chamber_of([150, 90, 60], FOUND), chamber_of([100, 101, 110], FOUND, "myo"))
    assert (ed.value, es.value) == (pytest.approx(105), pytest.approx(115.5))
    assert (ed.frames, es.frames) == ((0,), (2,))


def test_mass_of_a_single_frame_is_that_frames() -> None:
    ed, es = mass_values(chamber_of([150], NONE), chamber_of([100], NONE, "myo"))
    assert ed.value == pytest.approx(105) and es.value is None


def test_mass_without_wall_is_absent() -> None:
    ed, _ = mass_values(chamber_of([150, 90, 60], FOUND), chamber_of([np.nan, 100, 100], FOUND, "myo"))
    assert ed.value is None and "frame 0" in (ed.reason or "")


def full_values(subject: Subject) -> dict[str, Measurement]:
    lv, rv = chamber_of([150, 90, 60], FOUND), chamber_of([160, 100, 70], FOUND, "rv")
    named = by_name(
        (*ventricle_values(lv), *ventricle_values(rv), *mass_values(lv, chamber_of([100] * 3, FOUND, "myo")))
    )
    output = cardiac_output(named["lv_sv_ml"], heart_rate(subject, None))
    named[output.name] = output
    return named | by_name(indexed_values(named, body_surface_area(subject)))


def test_output_and_indexed_values() -> None:
    values = full_values(Subject(height_cm=180, weight_kg=80, heart_rate_bpm=70))
    assert values["cardiac_output_l_min"].value == pytest.approx(6.3)
    assert values["cardiac_index_l_min_m2"].value == pytest.approx(3.15)
    assert values["lv_edvi_ml_m2"].value == pytest.approx(75)
    assert values["lv_mass_index_g_m2"].value == pytest.approx(52.5)
    assert (values["lv_mass_index_g_m2"].unit, values["cardiac_index_l_min_m2"].unit) == ("g/m2", "l/min/m2")


def test_nothing_is_guessed_about_an_unknown_subject() -> None:
    values = full_values(Subject())
    assert values["cardiac_output_l_min"].value is None
    assert all(values[name].value is None and values[name].reason for _, name in INDEXED)
