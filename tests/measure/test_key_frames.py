"""Key frames of the cycle of the phantom, whose times are known."""

from __future__ import annotations

import numpy as np
import pytest
from hearts import chamber_of

from cinema_cmr.core.results import Measurement
from cinema_cmr.measure.key_frames import key_frame_values
from cinema_cmr.measure.phases import find_phases, override_phases
from cinema_cmr.phantom.cycle import Cycle, build_cycle

N_FRAMES = 30


def curve(cycle: Cycle, n_frames: int = N_FRAMES) -> tuple[np.ndarray, np.ndarray]:
    times = np.arange(n_frames) * cycle.rr_interval_ms / n_frames
    return 60 + 90 * cycle.fullness(times), times


def frames(volumes: np.ndarray, times: np.ndarray | None, rr_ms: float | None) -> dict[str, Measurement]:
    chamber = chamber_of(list(volumes), find_phases(volumes, times_ms=times, rr_interval_ms=rr_ms))
    return {value.name: value for value in key_frame_values(chamber, times_ms=times, rr_interval_ms=rr_ms)}


@pytest.mark.parametrize("rate", [50.0, 60.0, 75.0])
def test_key_frames_lie_in_their_phase_of_the_cycle(rate: float) -> None:
    cycle = build_cycle(rate, sex="F", rapid_share=0.7)
    volumes, times = curve(cycle)
    found = frames(volumes, times, cycle.rr_interval_ms)
    at = {name: times[round(found[f"lv_{name}_frame"].value or 0)] for name in ("mid_systole", "peak_filling")}
    opening = cycle.systole_ms + cycle.relaxation_ms
    fine = np.arange(0, cycle.rr_interval_ms, 1.0)
    flow = cycle.filling_rate(fine)
    step = times[1]
    assert at["mid_systole"] == pytest.approx(fine[np.argmin(flow)], abs=1.5 * step)
    early = (fine > opening) & (fine < opening + cycle.rapid_filling_ms)
    assert at["peak_filling"] == pytest.approx(fine[early][np.argmax(flow[early])], abs=1.5 * step)
    middle = times[round(found["lv_mid_diastole_frame"].value or 0)]
    assert at["peak_filling"] < middle < cycle.rr_interval_ms - cycle.atrial_ms / 2


def test_frames_do_not_depend_on_where_the_cycle_starts() -> None:
    cycle = build_cycle(60.0, sex="M", rapid_share=0.65)
    volumes, times = curve(cycle)
    there = frames(volumes, times, cycle.rr_interval_ms)
    shifted = frames(np.roll(volumes, 7), times, cycle.rr_interval_ms)
    for name in ("lv_mid_systole_frame", "lv_peak_filling_frame", "lv_mid_diastole_frame"):
        assert ((there[name].value or 0) + 7) % N_FRAMES == shifted[name].value


def test_noise_makes_frames_uncertain_and_a_flat_phase_more_than_a_steep_one() -> None:
    cycle = build_cycle(60.0, sex="F", rapid_share=0.7)
    volumes, times = curve(cycle)
    noise = np.random.default_rng(4).normal(0, 1, N_FRAMES)
    low, high = (frames(volumes + sd * noise, times, cycle.rr_interval_ms) for sd in (0.2, 4.0))
    name = "lv_{}_uncertainty_ms"
    for phase in ("ed", "mid_systole", "es", "peak_filling", "mid_diastole"):
        assert times[1] / 12**0.5 <= (low[name.format(phase)].value or 0) < 250
    total_low, total_high = (
        sum(found[name.format(phase)].value or 0 for phase in ("ed", "mid_systole", "es", "peak_filling"))
        for found in (low, high)
    )
    assert total_low < total_high


def test_a_cine_that_ends_after_systole_has_no_filling() -> None:
    cycle = build_cycle(60.0, sex="F", rapid_share=0.7)
    volumes, times = curve(cycle)
    kept = round(N_FRAMES * 0.42)
    found = frames(volumes[:kept], times[:kept], cycle.rr_interval_ms)
    assert found["lv_mid_systole_frame"].value is not None
    assert found["lv_mid_diastole_frame"].value is None
    assert "do not reach" in (found["lv_mid_diastole_frame"].reason or "")


@pytest.mark.parametrize("n_frames, times", [(2, True), (8, True), (30, False)])
def test_too_few_frames_or_no_times_give_a_reason(n_frames: int, times: bool) -> None:
    volumes, at = curve(build_cycle(60.0, sex="F", rapid_share=0.7), n_frames)
    found = frames(volumes, at if times else None, None)
    assert all(value.value is None and value.reason for value in found.values())


def test_the_same_curve_gives_the_same_uncertainty() -> None:
    cycle = build_cycle(70.0, sex="F", rapid_share=0.7)
    volumes, times = curve(cycle)
    noisy = volumes + np.random.default_rng(1).normal(0, 2, N_FRAMES)
    first, second = (frames(noisy, times, cycle.rr_interval_ms) for _ in range(2))
    assert {n: v.value for n, v in first.items()} == {n: v.value for n, v in second.items()}


def test_a_frame_that_the_user_gave_has_no_uncertainty_and_the_others_follow_it() -> None:
    cycle = build_cycle(60.0, sex="F", rapid_share=0.7)
    volumes, times = curve(cycle)
    volumes = volumes + np.random.default_rng(2).normal(0, 2, N_FRAMES)
    found = find_phases(volumes, times_ms=times, rr_interval_ms=cycle.rr_interval_ms)
    given = override_phases(found, None, (found.es or 0) + 3, N_FRAMES)
    chamber = chamber_of(list(volumes), given)
    values = {v.name: v for v in key_frame_values(chamber, times_ms=times, rr_interval_ms=cycle.rr_interval_ms)}
    assert values["lv_es_uncertainty_ms"].value is None
    assert "given by the user" in (values["lv_es_uncertainty_ms"].reason or "")
    assert (values["lv_ed_uncertainty_ms"].value or 0) < 100


def test_an_odd_frame_makes_end_systole_no_less_certain_than_its_neighbours() -> None:
    """The draws look for ED and ES as the measurement does: a frame that it passes over is not one that they find."""
    cycle = build_cycle(60.0, sex="F", rapid_share=0.7)
    volumes, times = curve(cycle)
    volumes[22] = 20.0  # a slice missed in mid-diastole
    found = frames(volumes, times, cycle.rr_interval_ms)
    assert 0 < (found["lv_es_uncertainty_ms"].value or 0) < 100  # 112 ms where the draws take the smallest volume
