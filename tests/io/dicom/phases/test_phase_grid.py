"""A frame is one phase of the cycle in all slices, by the times after the R wave."""

from __future__ import annotations

import numpy as np
import pytest

from cinema_cmr.io.dicom.phases.phase_grid import place_in_cycle
from cinema_cmr.io.dicom.stack import CineSlice

RR_MS = 800.0
STEP_MS = 40.0


def cut(times: np.ndarray, *, z: int = 0, rr_ms: float | None = RR_MS, source: str = "trigger time") -> CineSlice:
    """A slice whose frame with index 1000 z + p shows the phase p (40 ms each)."""
    frames = tuple(1000 * z + round(float(t) / STEP_MS) % 20 for t in times)
    return CineSlice(
        series=f"series {z}",
        origin=(0.0, 0.0, 8.0 * z),
        frames=frames,
        times_ms=tuple(times.tolist()),
        order_source=source,
        rr_interval_ms=rr_ms,
    )


def phases(one: CineSlice) -> list[int | None]:
    return [None if k is None else k % 1000 for k in one.frames]


WHOLE = STEP_MS * np.arange(20)


@pytest.mark.parametrize("rr_ms", [RR_MS, None])
@pytest.mark.parametrize("late", [(1,), (1, 2, 3), (0, 1, 2, 3)])
def test_delayed_triggers_that_run_past_the_next_r_wave(late: tuple[int, ...], rr_ms: float | None) -> None:
    slices = [cut(WHOLE + (400.0 if z in late else 0.0), z=z, rr_ms=rr_ms) for z in range(4)]
    placed, issues = place_in_cycle(slices)
    assert [phases(one) for one in placed] == [list(range(20))] * 4
    (issue,) = issues
    assert (issue.code, issue.severity) == ("frames-rephased", "info")
    assert issue.evidence["n_slices"] == len(late)


def test_slices_in_phase_stay_as_they_are() -> None:
    slices = [cut(WHOLE * (1 + 0.02 * z) + 3.0 * z, z=z, rr_ms=RR_MS * (1 + 0.02 * z)) for z in range(5)]
    placed, issues = place_in_cycle(slices)
    assert list(placed) == slices and not issues


def test_a_shorter_window_is_placed_by_time_never_stretched() -> None:
    slices = [cut(WHOLE, z=0), cut(WHOLE, z=1), cut(WHOLE[:16], z=2)]
    placed, (issue,) = place_in_cycle(slices)
    assert phases(placed[2]) == [*range(16), *[None] * 4]
    assert (issue.code, issue.severity) == ("window-incomplete", "warning")
    assert "80 %" in issue.message


def test_a_shorter_window_of_most_slices_bounds_the_stack() -> None:
    placed, _ = place_in_cycle([cut(WHOLE, z=0), *(cut(WHOLE[:16], z=z) for z in (1, 2, 3))])
    assert [phases(one) for one in placed] == [list(range(16))] * 4


def test_frames_of_the_next_beat_are_not_used() -> None:
    placed, (issue,) = place_in_cycle([cut(STEP_MS * np.arange(26), z=z) for z in range(3)])
    assert [phases(one) for one in placed] == [list(range(20))] * 3
    assert issue.evidence["n_slices"] == 3


def test_other_numbers_of_frames_over_the_whole_cycle_are_left_for_resampling() -> None:
    slices = [cut(WHOLE, z=0), cut(WHOLE, z=1), cut(32.0 * np.arange(25), z=2)]
    placed, issues = place_in_cycle(slices)
    assert list(placed) == slices and not issues


def test_prospective_windows_of_different_cycles_are_compared_in_milliseconds() -> None:
    slices = [cut(WHOLE[:18], z=z, rr_ms=rr) for z, rr in enumerate((760.0, 800.0, 1000.0, 900.0))]
    placed, issues = place_in_cycle(slices)
    assert list(placed) == slices and not issues


def test_without_trigger_times_nothing_is_moved() -> None:
    slices = [cut(WHOLE, z=0, source="instance number"), cut(WHOLE[:16], z=1, source="acquisition time")]
    assert place_in_cycle(slices) == (tuple(slices), [])


def test_slices_that_run_on_beyond_the_others_are_cut_without_a_stated_cycle() -> None:
    long = STEP_MS * np.arange(28)
    placed, (issue,) = place_in_cycle([cut(long if z == 1 else WHOLE, z=z, rr_ms=None) for z in range(4)])
    assert [phases(one) for one in placed] == [list(range(20))] * 4
    assert issue.code == "frames-rephased" and issue.evidence["slices"] == "1"
