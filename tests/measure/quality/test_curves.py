"""Each check of the curves fires on the fault it is made for and stays silent on a sound beat."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hearts import cine_of, context_of, heart
from numpy.typing import NDArray

from cinema_cmr.measure.definition import Definition
from cinema_cmr.measure.phases import Phases, find_phases
from cinema_cmr.measure.quality import curves
from cinema_cmr.measure.quality.context import QualityContext
from cinema_cmr.measure.quality.coverage import base_not_covered
from cinema_cmr.measure.quality.curves import CURVE_CHECKS

N_FRAMES = 20
BEAT = 105 + 45 * np.cos(2 * np.pi * np.arange(N_FRAMES) / N_FRAMES)


@pytest.fixture(scope="module")
def sound() -> QualityContext:
    return with_curves(context_of(*heart((1.0,) * N_FRAMES)), BEAT, BEAT + 10)


def with_curves(context: QualityContext, lv: NDArray[np.float64], rv: NDArray[np.float64]) -> QualityContext:
    curves = replace(context.volumes, lv_ml=lv, rv_ml=rv)
    return replace(context, volumes=curves, lv=find_phases(lv), rv=find_phases(rv))


def with_values(context: QualityContext, **values: float) -> QualityContext:
    def measurement(name: str, value: float) -> object:
        return Definition(name=name, title=name, unit="", method="", rule="").value(value)

    named = {**context.values, **{name: measurement(name, value) for name, value in values.items()}}
    return replace(context, values=named)  # type: ignore[arg-type]


@pytest.mark.parametrize("check", CURVE_CHECKS, ids=lambda check: check.__name__)
def test_a_sound_beat_is_silent(check: curves.Check, sound: QualityContext) -> None:
    assert check(sound) is None


@pytest.fixture(scope="module")
def two_frames() -> QualityContext:
    return context_of(*heart((1.0, 0.75)))


@pytest.mark.parametrize("check", CURVE_CHECKS, ids=lambda check: check.__name__)
def test_two_frames_have_no_curve_to_judge(check: curves.Check, two_frames: QualityContext) -> None:
    assert check(two_frames) is None


def test_irregular_curve(sound: QualityContext) -> None:
    jump = BEAT.copy()
    jump[13] = 10
    flag = curves.irregular_curve(with_curves(sound, BEAT, jump))
    assert flag is not None and (flag.evidence["ventricle"], flag.evidence["odd_frames"]) == ("RV", 1)
    noisy = BEAT + np.random.default_rng(1).normal(0, 20, N_FRAMES)
    assert curves.irregular_curve(with_curves(sound, noisy, BEAT)) is not None


@pytest.mark.parametrize("frame", [0, N_FRAMES - 1])
def test_a_frame_at_either_end_deviates_from_its_neighbours_across_the_start(sound: QualityContext, frame: int) -> None:
    jump = BEAT.copy()
    jump[frame] += 0.32 * np.ptp(BEAT)
    flag = curves.irregular_curve(with_curves(sound, jump, BEAT))
    assert flag is not None and flag.evidence["odd_frames"] == 1
    assert flag.message.endswith(f"; frame {frame} deviates from its neighbours")


def test_ordinary_noise_is_not_rough(sound: QualityContext) -> None:
    rng = np.random.default_rng(0)
    fired = sum(
        curves.irregular_curve(with_curves(sound, BEAT + rng.normal(0, 2, N_FRAMES), BEAT)) is not None
        for _ in range(100)
    )
    assert fired <= 5


def test_incomplete_cycle(sound: QualityContext) -> None:
    flag = curves.incomplete_cycle(with_curves(sound, BEAT - np.arange(N_FRAMES) * 2.0, BEAT))
    assert flag is not None
    drop_out = BEAT.copy()
    drop_out[0] = np.nan
    assert curves.incomplete_cycle(with_curves(sound, drop_out, BEAT)) is None


@pytest.mark.parametrize(("ed", "es"), [(7, 15), (0, 19), (0, 2), (0, 16)])
def test_unusual_phases(sound: QualityContext, ed: int, es: int) -> None:
    flag = curves.unusual_phases(replace(sound, lv=Phases(ed=ed, es=es, rule="")))
    assert flag is not None and (flag.evidence["ed_frame"], flag.evidence["es_frame"]) == (ed, es)


@pytest.mark.parametrize(("ed", "es"), [(0, 7), (19, 8), (2, 11)])
def test_ordinary_phases(sound: QualityContext, ed: int, es: int) -> None:
    assert curves.unusual_phases(replace(sound, lv=Phases(ed=ed, es=es, rule=""))) is None


def test_end_systole_mismatch(sound: QualityContext) -> None:
    flag = curves.end_systole_mismatch(with_curves(sound, BEAT, np.roll(BEAT, 5)))
    assert flag is not None and (flag.evidence["lv_es_frame"], flag.evidence["rv_es_frame"]) == (10, 15)


@pytest.mark.parametrize(("lv", "rv", "fires"), [(80, 47, True), (80, 50, False), (60, -20, True)])
def test_stroke_volumes(sound: QualityContext, lv: float, rv: float, fires: bool) -> None:
    flag = curves.sv_mismatch(with_values(sound, lv_sv_ml=lv, rv_sv_ml=rv))
    assert (flag is not None) == fires


@pytest.mark.parametrize(("edv_ml", "fires"), [(120.0, True), (300.0, False)])
def test_a_difference_within_the_error_of_the_masks_of_a_large_heart_is_none(
    sound: QualityContext, edv_ml: float, fires: bool
) -> None:
    """17 and 29 ml, as in a dilated heart."""
    context = with_values(sound, lv_sv_ml=29, rv_sv_ml=17, lv_edv_ml=edv_ml)
    assert (curves.sv_mismatch(context) is not None) == fires


def test_stroke_volumes_are_left_to_a_flag_that_gives_the_cause(sound: QualityContext) -> None:
    unequal = {"lv_sv_ml": 80.0, "rv_sv_ml": 20.0}
    assert curves.sv_mismatch(with_values(sound, **unequal)) is not None
    assert curves.sv_mismatch(with_values(sound, **unequal, rv_ef_percent=3.0)) is None
    without_base = with_values(sound, lv_sv_ml=47, rv_sv_ml=80)  # the first slice is the largest
    assert base_not_covered(without_base) is not None and curves.sv_mismatch(without_base) is None
    cut = with_values(context_of(*heart(shape=(50, 80))), **unequal, rv_ef_percent=3.0)
    assert curves.sv_mismatch(cut) is None and curves.implausible_ef(cut) is None
    assert curves.implausible_ef(with_values(cut, lv_ef_percent=3.0)) is not None


@pytest.mark.parametrize(("value", "fires"), [(4.9, True), (5.1, False), (84, False), (101, True), (-3, True)])
def test_implausible_ef(sound: QualityContext, value: float, fires: bool) -> None:
    flag = curves.implausible_ef(with_values(sound, lv_ef_percent=value))
    assert (flag is not None) == fires


@pytest.mark.parametrize(("value", "fires"), [(800.0, False), (1200.0, True), (36_834_000.0, True)])
def test_implausible_volume(sound: QualityContext, value: float, fires: bool) -> None:
    flag = curves.implausible_volume(with_values(sound, lv_edv_ml=value))
    assert (flag is not None and flag.severity == "error") == fires


@pytest.mark.parametrize(("pixel_mm", "fires"), [(1.0, False), (1.5, False), (3.0, True)])
def test_an_lv_that_is_too_wide_has_a_wrong_voxel_size(pixel_mm: float, fires: bool) -> None:
    """As of an interpolated matrix whose pixel size was not halved."""
    _, labels = heart(spacing_mm=(1.5, 1.5, 8.0))
    flag = curves.implausible_volume(context_of(cine_of(labels.array.shape, (pixel_mm, pixel_mm, 8.0)), labels))
    assert (flag is not None and "lv_outer_diameter_mm" in flag.evidence) is fires


@pytest.mark.parametrize(("es", "fires"), [(70, True), (90, False), (145, False), (160, True)])
def test_mass_mismatch(sound: QualityContext, es: float, fires: bool) -> None:
    assert (curves.mass_mismatch(with_values(sound, lv_mass_g=100, lv_mass_es_g=es)) is not None) == fires
