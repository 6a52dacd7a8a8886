"""Infarcts whose size, share and place are known from their shape."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scars import INNER_MM, OUTER_MM, nominal, ring, stack

from cinema_cmr.core.annotation import LabelMap
from cinema_cmr.core.errors import InputError
from cinema_cmr.core.results import Measurements
from cinema_cmr.core.vocabulary import View
from cinema_cmr.measure.measure import measure_study
from cinema_cmr.measure.scar import SCAR_SUMMARY, measure_scar, scar_volumes_ml

RING_MM2 = np.pi * (OUTER_MM**2 - INNER_MM**2)
HALF_DEPTH_MM2 = np.pi * (((INNER_MM + OUTER_MM) / 2) ** 2 - INNER_MM**2)


def scar_of(*planes: NDArray[np.uint8], **geometry: object) -> Measurements:
    """Measure a stack of these slices."""
    study, prediction = stack(*planes, **geometry)  # type: ignore[arg-type]
    return measure_scar(study, prediction.labels)


def test_an_infarct_of_known_shape_has_its_share_its_volume_and_its_mass() -> None:
    study, prediction = stack(*[ring(depth=0.5, wedge_deg=90)] * 4)
    found = measure_scar(study, prediction.labels)
    assert found.value("infarct_percent") == pytest.approx(100 * HALF_DEPTH_MM2 / 4 / RING_MM2, rel=0.02)
    assert found.value("infarct_ml") == pytest.approx(HALF_DEPTH_MM2 / 4 * 32 / 1000, rel=0.02)
    assert found.value("infarct_g") == pytest.approx(1.05 * HALF_DEPTH_MM2 / 4 * 32 / 1000, rel=0.02)
    assert found.value("lge_myocardium_g") == pytest.approx(1.05 * RING_MM2 * 32 / 1000, rel=0.01)
    assert found.value("lge_cavity_ml") == pytest.approx(np.pi * INNER_MM**2 * 32 / 1000, rel=0.01)
    assert found.value("no_reflow_percent") == 0 and found.value("no_reflow_ml") == 0


def test_no_reflow_is_part_of_the_infarct() -> None:
    study, prediction = stack(ring(core=True), ring(), ring(), ring())
    found = measure_scar(study, prediction.labels)
    assert found.value("no_reflow_of_infarct_percent") == pytest.approx(25, abs=0.1)
    infarct, core = found.value("infarct_percent"), found.value("no_reflow_percent")
    assert infarct is not None and core == pytest.approx(infarct / 4, rel=0.01)


def test_a_slice_counts_by_the_length_it_stands_for() -> None:
    planes = [ring(), ring(depth=0), ring(depth=0), ring(depth=0)]
    even = scar_of(*planes).value("infarct_percent")
    uneven = scar_of(*planes, positions_mm=np.array([0.0, 16.0, 20.0, 24.0])).value("infarct_percent")
    assert even is not None and uneven == pytest.approx(even * 4 * 16 / (16 + 10 + 4 + 4), rel=0.01)


def test_where_the_spacing_is_nominal_shares_hold_and_sizes_are_absent_with_the_reason() -> None:
    study, prediction = stack(*[ring()] * 4)
    true, lost = measure_scar(study, prediction.labels), measure_scar(nominal(study), prediction.labels)
    assert lost.value("infarct_percent") == true.value("infarct_percent")
    for name in ("infarct_ml", "infarct_g", "no_reflow_g", "lge_myocardium_ml", "lge_cavity_ml"):
        assert lost.value(name) is None and "nominal" in str(lost[name].reason)
    assert "nominal-spacing" in {flag.code for flag in lost.flags}


def test_a_ventricle_without_infarct_has_none_and_says_what_cannot_be_told() -> None:
    found = scar_of(*[ring(depth=0)] * 4)
    assert found.value("infarct_percent") == 0 and found.value("infarct_rim_percent") == 0
    assert found.value("no_reflow_of_infarct_percent") is None
    assert {name for name in SCAR_SUMMARY if found.value(name) is None} == set()


def test_thirds_of_the_wall_have_their_own_share() -> None:
    """The base is the end with more blood; the infarct lies in the apical third alone."""
    planes = [ring(depth=0), ring(depth=0), ring(depth=0), ring(depth=0), ring(scale=0.7), ring(scale=0.6)]
    found = scar_of(*planes)
    shares = [found.value(f"infarct_{level}_percent") for level in ("basal", "mid", "apical")]
    assert shares == [0.0, 0.0, pytest.approx(100 * HALF_DEPTH_MM2 / 4 / RING_MM2, rel=0.03)]
    assert found["infarct_apical_percent"].slices == (4, 5)


def test_a_cine_is_not_measured() -> None:
    study, prediction = stack(*[ring()] * 4)
    twice = np.repeat(prediction.labels.array, 2, axis=3)
    cine = study.cine(View.SAX)
    moving = type(study)(name="cine", cines=(cine.with_array(np.zeros(twice.shape, np.float32)),))
    found = measure_scar(moving, LabelMap(array=twice, scheme="scar"))
    assert all(value.value is None and "cine" in str(value.reason) for value in found.values())
    assert "not-a-cine" not in {flag.code for flag in found.flags}


def test_measure_study_gives_a_scar_map_no_ejection_fraction() -> None:
    study, prediction = stack(*[ring()] * 4)
    found = measure_study(study, {View.SAX: prediction})
    assert found.value("infarct_percent") == measure_scar(study, prediction.labels).value("infarct_percent")
    assert not any(value.name.startswith(("lv_", "rv_")) for value in found.values())
    assert "not-a-cine" in {flag.code for flag in found.flags}


def test_an_empty_map_has_no_share_and_other_labels_are_refused() -> None:
    study, prediction = stack(*[ring()] * 4)
    nothing = measure_scar(study, LabelMap(array=np.zeros_like(prediction.labels.array), scheme="scar"))
    assert nothing.value("infarct_percent") is None and "structure-missing" in {f.code for f in nothing.flags}
    with pytest.raises(InputError, match="scheme 'cine'"):
        scar_volumes_ml(study.cine(View.SAX), LabelMap(array=prediction.labels.array))
