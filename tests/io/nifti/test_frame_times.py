"""The cycle of a NIfTI cine is that of its frames, without those that repeat others at its end."""

from __future__ import annotations

from collections.abc import Sequence

import nibabel
import numpy as np
import pytest

from cinema_cmr.io.nifti.frame_times import count_repeats, frame_times

N, STEP_MS = 12, 63.0


def frames(order: Sequence[int]) -> np.ndarray:
    beat = np.random.default_rng(0).normal(size=(5, 4, 3, N)).astype(np.float32)
    return beat[..., list(order)]


def header() -> nibabel.Nifti1Header:
    made = nibabel.Nifti1Header()
    made.set_xyzt_units("mm", "msec")
    return made


@pytest.mark.parametrize(
    ("order", "repeats"),
    [
        (range(N), 0),
        ([*range(N), 0], 1),
        ([*range(N), N - 1], 1),
        ([*range(N), N - 1, N - 1], 2),
        ([*range(N), 0, 0], 2),
        ([0, 1, 2, 3, 3, *range(4, N)], 0),
        (np.repeat(range(N), 2), 0),
        ([0] * N, 0),
    ],
    ids=["beat", "closed", "padded", "padded twice", "closed twice", "within", "doubled rate", "still"],
)
def test_frames_at_the_end_that_repeat_others_are_no_time_of_the_cycle(order: Sequence[int], repeats: int) -> None:
    array = frames(order)
    assert count_repeats(array) == repeats
    times, cycle_ms, issues = frame_times(header(), array, STEP_MS)
    assert times is not None and len(times) == len(order)
    expected = (len(order) - repeats) * STEP_MS
    assert cycle_ms == (pytest.approx(expected) if expected <= 1500 else None)
    assert ("duplicate-images" in {issue.code for issue in issues}) == bool(repeats)
