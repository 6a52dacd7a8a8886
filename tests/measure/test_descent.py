"""Atrium in basal slices of systole: rings of known areas, and hearts whose base descends."""

from __future__ import annotations

import numpy as np
import pytest
from hearts import LV, heart, heart_slice, measured
from numpy.typing import NDArray

from cinema_cmr.core.annotation import LabelMap
from cinema_cmr.core.volume import Cine
from cinema_cmr.measure.descent import atrial_slices, descent_effect

ED, ES = 0, 1
N_SLICES = 8


def rings(scale_es: float = 0.4, wall_es: float = 1.5) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Areas (z, t) of eight equal slices: blood shrinks to `scale_es`, the wall of 9 mm thickens by `wall_es`."""
    blood = np.tile([1800.0, 1800.0 * scale_es], (N_SLICES, 1))
    thickness = np.tile([9.0, 9.0 * wall_es], (N_SLICES, 1))
    return blood, wall_of(blood, thickness)


def wall_of(blood: NDArray[np.float64], thickness_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """Area of a ring of this thickness about blood of this area."""
    radius = np.sqrt(blood / np.pi)
    return np.asarray(np.pi * ((radius + thickness_mm) ** 2 - radius**2))


def with_atrium(n: int, *, blood_es: float = 0.8, thickness_mm: float = 4.0) -> list[NDArray[np.float64]]:
    """Rings of which the first n hold atrium at ES."""
    blood, wall = rings()
    blood[:n, ES] = 1800.0 * blood_es
    wall[:n, ES] = wall_of(blood[:n, ES], np.full(n, thickness_mm))
    return [blood, wall]


@pytest.mark.parametrize("n", [0, 1, 2])
@pytest.mark.parametrize("base_first", [True, False])
def test_slices_of_atrium_are_found_at_the_base_at_end_systole_alone(n: int, base_first: bool) -> None:
    areas = with_atrium(n)
    found = atrial_slices(*(area if base_first else area[::-1] for area in areas), ED, base_first=base_first)
    found = found if base_first else found[::-1]
    assert found[:n, ES].all() and found.sum() == n


def test_no_more_than_a_quarter_of_the_slices_is_atrium() -> None:
    assert atrial_slices(*with_atrium(3), ED, base_first=True).sum() == 2


@pytest.mark.parametrize("change", [{"blood_es": 0.4}, {"thickness_mm": 12.0}])
def test_a_thin_base_that_shrinks_and_a_stunned_base_of_full_thickness_are_ventricle(change: dict[str, float]) -> None:
    assert not atrial_slices(*with_atrium(1, **change), ED, base_first=True).any()


def test_few_slices_and_slices_without_blood_at_end_diastole_are_left_alone() -> None:
    blood, wall = with_atrium(1)
    assert not atrial_slices(blood[:4], wall[:4], ED, base_first=True).any()
    blood[0, ED] = 0
    assert not atrial_slices(blood, wall, ED, base_first=True).any()


def atrial_heart() -> tuple[Cine, LabelMap]:
    """A heart whose first slice holds a thin-walled atrium, hardly smaller, at end-systole."""
    cine, labels = heart((1.0, 0.6))
    array = labels.array.copy()
    array[:, :, 0, ES] = heart_slice(22.0, 4.0, 0.0, (1.5, 1.5), array.shape[:2])
    return cine, LabelMap(array=array)


def test_the_rule_leaves_the_atrium_out_of_the_end_systolic_volume_and_says_so() -> None:
    cine, labels = atrial_heart()
    counted, left_out = (measured(cine, labels, basal_rule=rule) for rule in ("scmr", "descent"))
    atrium_ml = np.count_nonzero(labels.array[:, :, 0, ES] == LV) * cine.voxel_volumes_ml[0]
    assert (counted["lv_esv_ml"].value or 0) - (left_out["lv_esv_ml"].value or 0) == pytest.approx(atrium_ml)
    assert counted["lv_edv_ml"].value == left_out["lv_edv_ml"].value
    assert "atrium in systole" in left_out["lv_esv_ml"].rule and "atrium" not in counted["lv_esv_ml"].rule
    for found in (counted, left_out):
        (flag,) = [flag for flag in found.flags if flag.code == "descent-effect"]
        assert flag.severity == "warning"
        assert flag.evidence["lv_ef_scmr_percent"] == pytest.approx(counted.value("lv_ef_percent"), abs=0.06)
        assert flag.evidence["lv_ef_descent_percent"] == pytest.approx(left_out.value("lv_ef_percent"), abs=0.06)


def test_in_a_heart_without_atrium_both_rules_agree_and_no_flag_is_raised() -> None:
    cine, labels = heart((1.0, 0.6), descent_mm=12.0)
    counted, left_out = (measured(cine, labels, basal_rule=rule) for rule in ("scmr", "descent"))
    assert counted.value("lv_esv_ml") == left_out.value("lv_esv_ml")
    assert not [flag for flag in (*counted.flags, *left_out.flags) if flag.code == "descent-effect"]


@pytest.mark.parametrize("ef, severity", [((50.0, 52.0), "info"), ((50.0, 55.0), "warning")])
def test_small_differences_are_a_note(ef: tuple[float, float], severity: str) -> None:
    flag = descent_effect(*ef, "descent")
    assert flag is not None and flag.severity == severity


@pytest.mark.parametrize("ef", [(50.0, 50.0), (None, 50.0), (50.0, None)])
def test_without_a_difference_there_is_no_flag(ef: tuple[float | None, float | None]) -> None:
    assert descent_effect(*ef, "scmr") is None
