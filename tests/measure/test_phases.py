"""ED and ES of curves whose phases are known, with noise, outliers, missing frames and few frames."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hearts import reference_curve
from numpy.typing import NDArray

from cinema_cmr.core.errors import UsageError
from cinema_cmr.measure.phases import (
    Phases,
    covers_cycle,
    find_phases,
    odd_frames,
    override_phases,
    reconcile_phases,
)


def curve(n_frames: int = 25, *, es_share: float = 0.36, shift: int = 0) -> NDArray[np.float64]:
    """A volume curve with ED in frame `shift` (150 ml) and ES at a share of the cycle (60 ml)."""
    phase = np.arange(n_frames) / n_frames
    fall = 0.5 * (1 + np.cos(np.pi * phase / es_share))
    rise = 0.5 * (1 - np.cos(np.pi * (phase - es_share) / (1 - es_share)))
    return np.roll(60 + 90 * np.where(phase < es_share, fall, rise), shift)


@pytest.mark.parametrize("n_frames", [5, 8, 12, 20, 25, 50])
@pytest.mark.parametrize("shift", [0, 3])
def test_extremes_of_a_clean_curve(n_frames: int, shift: int) -> None:
    volumes = curve(n_frames, shift=shift)
    found = find_phases(volumes)
    assert (found.ed, found.es) == (int(np.argmax(volumes)), int(np.argmin(volumes)))


def test_ed_is_not_taken_to_be_the_first_frame() -> None:
    assert find_phases(curve(12, shift=3)).ed == 3  # as in ACDC's patient090


@pytest.mark.parametrize("frame", [24, 0, 14, 18])
@pytest.mark.parametrize("value", [20.0, 260.0])
def test_one_bad_frame_is_never_chosen(frame: int, value: float) -> None:
    volumes = curve()
    truth = find_phases(volumes)
    volumes[frame] = value
    found = find_phases(volumes)
    assert frame not in (found.ed, found.es)
    assert found.es == truth.es and min(found.ed or 0, 25 - (found.ed or 0)) <= 1


def test_noise_moves_phases_by_a_few_frames_only() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        found = find_phases(curve() + rng.normal(0, 3, 25))
        assert found.ed is not None and found.es is not None
        assert min(found.ed, 25 - found.ed) <= 3 and abs(found.es - 9) <= 3


def test_a_sharp_true_extreme_is_kept() -> None:
    volumes = np.array([150, 140, 100, 60, 95, 130, 142, 147, 149, 150.0])
    assert find_phases(volumes).es == 3


def test_a_curve_that_stops_early_does_not_wrap_around() -> None:
    volumes = curve()[:18]
    assert not covers_cycle(volumes)
    assert covers_cycle(curve())
    assert find_phases(volumes).ed == 0


def test_times_decide_whether_the_cycle_is_covered() -> None:
    times = np.arange(25) * 40.0
    assert covers_cycle(curve(), times_ms=times, rr_interval_ms=1000)
    assert not covers_cycle(curve(), times_ms=times, rr_interval_ms=1300)


@pytest.mark.parametrize(("volumes", "expected"), [([140.0, 60.0], (0, 1)), ([60.0, 140.0], (1, 0))])
def test_two_frames_are_told_apart_by_volume(volumes: list[float], expected: tuple[int, int]) -> None:
    found = find_phases(np.array(volumes))
    assert (found.ed, found.es) == expected
    assert "two frames" in found.rule


@pytest.mark.parametrize(
    ("volumes", "reason"),
    [
        ([100.0], "one frame"),
        ([np.nan, np.nan, np.nan], "no frame"),
        ([np.nan, 90.0, np.nan], "in one frame only (frame 1)"),
        ([90.0, 90.0, 90.0], "the same in all frames"),
    ],
)
def test_without_two_volumes_there_are_no_phases(volumes: list[float], reason: str) -> None:
    found = find_phases(np.array(volumes))
    assert (found.ed, found.es) == (None, None)
    assert reason in (found.reason or "")


def test_frames_without_volume_are_passed_over() -> None:
    volumes = curve()
    volumes[[8, 9, 0]] = np.nan
    found = find_phases(volumes)
    assert found.es in (7, 10) and found.ed in (1, 24)


def test_few_frames_are_not_judged() -> None:
    assert not odd_frames(np.array([100.0, 10.0, 100.0, 100.0]), periodic=True).any()


@pytest.mark.realdata
@pytest.mark.parametrize("n_frames", [8, 10, 12, 15, 20, 25])
def test_a_real_curve_with_fewer_frames(real_data: Path, n_frames: int) -> None:
    """Diastasis, an atrial kick and a steep systole: nothing true is taken for an outlier."""
    full = reference_curve(real_data)
    assert (find_phases(full).ed, find_phases(full).es) == (24, 9)
    for start in np.linspace(0, 25 / n_frames, 9):
        at = (start + np.arange(n_frames) * 25 / n_frames) % 25
        volumes = np.interp(at, np.arange(26), np.append(full, full[0]))
        found = find_phases(volumes)
        assert (found.ed, found.es) == (int(np.argmax(volumes)), int(np.argmin(volumes)))


LV, RV = Phases(ed=0, es=9, rule="own"), Phases(ed=1, es=11, rule="own")
NONE = Phases(ed=None, es=None, rule="own", reason="nothing")


def test_each_ventricle_has_its_own_phases_or_the_lvs() -> None:
    assert reconcile_phases(LV, RV, n_frames=25) == (LV, RV)
    assert reconcile_phases(LV, RV, n_frames=25, rule="lv")[1].es == 9
    assert reconcile_phases(NONE, RV, n_frames=25, rule="lv") == (NONE, RV)


def test_of_two_frames_the_lv_tells() -> None:
    exchanged = Phases(ed=1, es=0, rule="own")
    assert reconcile_phases(Phases(ed=0, es=1, rule="own"), exchanged, n_frames=2)[1].ed == 0


def test_given_frames_are_used_as_given() -> None:
    assert override_phases(LV, None, None, 25) is LV
    both = override_phases(LV, 12, 3, 25)
    assert (both.ed, both.es) == (12, 3) and "ED, ES: frame given by the user" in both.rule
    one = override_phases(LV, None, 7, 25)
    assert (one.ed, one.es) == (0, 7) and one.rule.endswith("own")
    assert override_phases(NONE, 0, None, 1).reason == "nothing"
    with pytest.raises(UsageError, match="frame 25 was given; expected one of the frames 0 to 24"):
        override_phases(LV, 25, 3, 25)


def test_end_systole_of_a_cine_of_five_frames_is_no_failed_mask() -> None:
    """Volumes of a phantom at 0, 20, 40, 60 and 80 % of its cycle: only the third is near end-systole."""
    volumes = np.array([128.0, 96.0, 61.0, 100.0, 113.0])
    found = find_phases(volumes)
    assert (found.ed, found.es) == (0, 2)
