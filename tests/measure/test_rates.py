"""Slopes of curves whose derivative is known."""

from __future__ import annotations

import numpy as np
import pytest
from hearts import chamber_of

from cinema_cmr.core.results import Measurement
from cinema_cmr.measure.phases import find_phases
from cinema_cmr.measure.rates import rate_values, volume_slopes

CYCLE_MS = 1000.0


def cosine(n_frames: int, cycle_ms: float = CYCLE_MS) -> tuple[np.ndarray, np.ndarray]:
    """100 + 40 cos: steepest by 40 x 2 pi / cycle, a quarter and three quarters of the cycle after ED."""
    times = np.arange(n_frames) * cycle_ms / n_frames
    return 100 + 40 * np.cos(2 * np.pi * times / cycle_ms), times


def rates(volumes: np.ndarray, times: np.ndarray | None, rr_ms: float | None = CYCLE_MS) -> dict[str, Measurement]:
    chamber = chamber_of(list(volumes), find_phases(volumes))
    return {value.name: value for value in rate_values(chamber, times_ms=times, rr_interval_ms=rr_ms)}


@pytest.mark.parametrize("periodic", [True, False])
def test_slope_of_a_parabola_is_exact_on_uneven_times(periodic: bool) -> None:
    times = np.array([0.0, 30, 80, 110, 170, 200, 260, 300])
    volumes = 2e-3 * (times - 150) ** 2
    slopes = volume_slopes(volumes, times, cycle_ms=400.0 if periodic else None)
    inner = slice(2, -2) if periodic else slice(None)
    assert slopes[inner] == pytest.approx(4 * (times[inner] - 150), abs=1e-9)


def test_peak_rates_and_their_times() -> None:
    found = rates(*cosine(30))
    peak = 40 * 2 * np.pi / (CYCLE_MS / 1000)
    assert found["lv_peak_ejection_rate_ml_s"].value == pytest.approx(peak, rel=0.04)
    assert found["lv_peak_filling_rate_ml_s"].value == pytest.approx(peak, rel=0.04)
    assert found["lv_time_to_peak_ejection_ms"].value == pytest.approx(250, abs=20)
    assert found["lv_time_to_peak_filling_ms"].value == pytest.approx(250, abs=20)


def test_rates_do_not_depend_on_where_the_cycle_starts() -> None:
    volumes, times = cosine(30)
    there = {name: value.value for name, value in rates(volumes, times).items()}
    turned = {name: value.value for name, value in rates(np.roll(volumes, 11), times).items()}
    assert turned == pytest.approx(there)


def test_a_heart_twice_as_fast_has_twice_the_rate() -> None:
    slow, fast = rates(*cosine(30)), rates(*cosine(30, 500.0), rr_ms=500.0)
    name = "lv_peak_ejection_rate_ml_s"
    assert fast[name].value == pytest.approx(2 * (slow[name].value or 0))


def test_a_curve_that_stops_early_still_has_its_ejection() -> None:
    volumes, times = cosine(30)
    found = rates(volumes[:22], times[:22], rr_ms=None)
    assert found["lv_peak_ejection_rate_ml_s"].value == pytest.approx(251, rel=0.04)


def test_a_curve_with_a_gap_is_not_wrapped_round_whatever_the_cycle_is_said_to_be() -> None:
    """Frames that were cut off, in a file whose cycle is frames times step: the jump to ED was a slope of filling."""
    volumes, times = cosine(30)
    found = rates(volumes[:26], times[:26], rr_ms=26 * times[1])
    assert found["lv_peak_filling_rate_ml_s"].value == pytest.approx(251, rel=0.04)
    assert found["lv_time_to_peak_filling_ms"].value == pytest.approx(250, abs=20)


def test_a_peak_at_the_end_of_an_open_curve_is_absent() -> None:
    volumes, times = cosine(30)
    found = rates(volumes[:22], times[:22], rr_ms=22 * times[1])
    for name in ("lv_peak_filling_rate_ml_s", "lv_time_to_peak_filling_ms"):
        assert found[name].value is None and "do not cover the cycle" in (found[name].reason or "")
    assert found["lv_peak_ejection_rate_ml_s"].value == pytest.approx(251, rel=0.04)


@pytest.mark.parametrize(
    ("n_frames", "times", "reason"),
    [
        (8, np.arange(8) * 100.0, "8 frames"),
        (30, None, "times of the frames are unknown"),
        (30, np.zeros(30), "do not ascend"),
    ],
)
def test_rates_need_times_and_frames(n_frames: int, times: np.ndarray | None, reason: str) -> None:
    for value in rates(cosine(n_frames)[0], times).values():
        assert value.value is None and reason in (value.reason or "")


def test_a_missing_frame_leaves_no_rate() -> None:
    volumes, times = cosine(30)
    volumes[3] = np.nan
    assert "not labelled in every frame" in (rates(volumes, times)["lv_peak_filling_rate_ml_s"].reason or "")
