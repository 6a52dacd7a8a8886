"""Muscle within the blood, in hearts whose muscle is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hearts import LV, MYO, heart, measured
from test_valve_plane import both

from cinema_cmr.core.annotation import LabelMap
from cinema_cmr.core.volume import Cine
from cinema_cmr.measure.papillary import PAPILLARY_RULES, muscle_in_blood, with_muscle_in_mass
from cinema_cmr.measure.valve_plane import find_valve_planes
from cinema_cmr.measure.volumes import measure_volumes

BLOOD, MUSCLE, FAT = 900.0, 250.0, 500.0


def with_papillary(noise: float = 0.0) -> tuple[Cine, LabelMap, np.ndarray]:
    """A heart with two bars of muscle in its blood, and where they are; bright blood, dark wall."""
    cine, labels = heart((1.0, 0.8))
    blood = labels.array == LV
    muscle = np.zeros_like(blood)
    muscle[56:59, 36:42] = muscle[42:46, 44:47] = True
    muscle &= blood
    image = np.where(blood & ~muscle, BLOOD, np.where((labels.array == MYO) | muscle, MUSCLE, FAT))
    image = image + np.random.default_rng(0).normal(0, noise, image.shape)
    return replace(cine, array=image.astype(np.float32)), labels, muscle


def inside(labels: LabelMap) -> np.ndarray:
    """Blood that does not touch anything else in its plane."""
    blood = labels.array == LV
    for axis in (0, 1):
        blood = blood & np.roll(labels.array == LV, 1, axis) & np.roll(labels.array == LV, -1, axis)
    return blood


@pytest.mark.parametrize("noise", [0.0, 40.0])
def test_the_muscle_is_found_where_it_is(noise: float) -> None:
    cine, labels, muscle = with_papillary(noise)
    found = muscle_in_blood(cine, labels)
    assert not (found & (labels.array != LV)).any()
    deep = muscle & inside(labels)
    assert (found & deep).sum() >= 0.9 * deep.sum()
    assert (found & ~muscle).sum() <= 0.01 * (labels.array == LV).sum()


def test_the_rule_moves_its_volume_from_blood_to_mass_and_says_so() -> None:
    cine, labels, _ = with_papillary()
    blood, mass = (measured(cine, labels, papillary_rule=rule) for rule in ("blood", "mass"))
    muscle_ml = muscle_in_blood(cine, labels).sum(axis=(0, 1))[:, 0] @ cine.voxel_volumes_ml
    assert muscle_ml > 1
    assert (blood["lv_edv_ml"].value or 0) - (mass["lv_edv_ml"].value or 0) == pytest.approx(muscle_ml)
    assert (mass["lv_mass_g"].value or 0) - (blood["lv_mass_g"].value or 0) == pytest.approx(1.05 * muscle_ml)
    assert mass["rv_edv_ml"].value == blood["rv_edv_ml"].value
    for name in ("lv_edv_ml", "lv_mass_g"):
        assert PAPILLARY_RULES["mass"] in mass[name].rule and PAPILLARY_RULES["blood"] in blood[name].rule


def test_without_contrast_nothing_moves() -> None:
    cine, labels, _ = with_papillary()
    flat = replace(cine, array=np.full_like(cine.array, 7.0))
    assert not muscle_in_blood(flat, labels).any()
    assert measured(flat, labels, papillary_rule="mass").value("lv_edv_ml") == measured(flat, labels).value("lv_edv_ml")


def test_a_dark_rim_of_the_wall_is_no_muscle() -> None:
    cine, labels, _ = with_papillary()
    image = np.where(inside(labels), BLOOD, MUSCLE).astype(np.float32)
    assert not muscle_in_blood(replace(cine, array=image), labels).any()


def test_a_slice_cut_by_the_valve_gives_the_share_of_its_muscle_that_it_has_of_its_blood() -> None:
    cine, labels, _ = with_papillary()
    cine = replace(cine, affine=np.diag([1.5, 1.5, 8.0, 1.0]), orientation_known=True)
    planes = find_valve_planes(cine, both([6.0, 6.0]))
    cut = measure_volumes(cine, labels, basal_rule="valve-plane", valve_planes=planes)
    shares = cut.lv_shares[:, 0]
    assert ((shares > 0.05) & (shares < 0.95)).any(), "a slice is cut in part"
    per_slice = np.count_nonzero(muscle_in_blood(cine, labels), axis=(0, 1))[:, 0] * cine.voxel_volumes_ml
    moved = with_muscle_in_mass(cut, cine, labels)
    assert (per_slice * shares).sum() < per_slice.sum()
    assert cut.lv_ml[0] - moved.lv_ml[0] == pytest.approx((per_slice * shares).sum())
    assert moved.myo_ml[0] - cut.myo_ml[0] == pytest.approx((per_slice * shares).sum())
