"""Slices whose LV areas change at another time than those of the others, on hearts whose phases are known."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hearts import context_of, heart

from cinema_cmr.core.annotation import LabelMap
from cinema_cmr.core.results import Flag
from cinema_cmr.measure.quality.slice_phases import slices_out_of_phase

N = 20
SCALES = tuple((0.85 + 0.15 * np.cos(2 * np.pi * np.arange(N) / N)).tolist())
CINE, LABELS = heart(SCALES, descent_mm=13.0)


def flag_of(shift: Callable[[int], int], n_frames: int = N) -> Flag | None:
    """The flag of the heart whose slice k starts `shift(k)` frames later in the beat."""
    array = np.stack([np.roll(LABELS.array[:, :, k], shift(k), axis=-1) for k in range(CINE.n_slices)], axis=2)
    return slices_out_of_phase(context_of(CINE, LabelMap(array=array)))


@pytest.mark.medium
def test_slices_in_phase_are_silent_wherever_the_beat_starts() -> None:
    assert flag_of(lambda k: 0) is None
    assert flag_of(lambda k: 7) is None


def test_a_conduction_delay_of_a_tenth_is_silent() -> None:
    assert flag_of(lambda k: 2 if k < 4 else 0) is None


@pytest.mark.medium
def test_half_of_the_stack_half_a_beat_late_is_an_error_with_both_ejection_fractions() -> None:
    flag = flag_of(lambda k: 10 if k >= 5 else 0)
    assert flag is not None and flag.severity == "error"
    ef, in_phase = float(flag.evidence["ef_percent"] or 0), float(flag.evidence["ef_in_phase_percent"] or 0)
    true = context_of(CINE, LABELS).value("lv_ef_percent")
    assert true is not None and in_phase == pytest.approx(true, abs=0.5) and ef < true - 10
    assert f"EF is {ef:.0f} %, and {in_phase:.0f} % with them in phase" in flag.message


@pytest.mark.medium
def test_a_single_slice_is_named_and_weighed_by_what_it_changes() -> None:
    middle, apex = flag_of(lambda k: 6 if k == 3 else 0), flag_of(lambda k: 8 if k == 9 else 0)
    assert middle is not None and middle.evidence["slices"] == "3" and middle.evidence["cycle_share"] == 0.3
    assert apex is not None and apex.evidence["slices"] == "9" and apex.severity == "info"  # EF changes by 1.8 points


def test_random_phases_are_an_error() -> None:
    shifts = np.random.default_rng(5).integers(0, N, CINE.n_slices)
    flag = flag_of(lambda k: int(shifts[k]))
    assert flag is not None and flag.severity == "error"


def test_slices_that_hardly_change_show_no_phase() -> None:
    cine, labels = heart(tuple(np.linspace(1.0, 0.99, N).tolist()))
    noise = np.random.default_rng(0).integers(-1, 2, (cine.n_slices, N))
    array = np.stack([np.roll(labels.array[:, :, k], int(noise[k, 0]), axis=-1) for k in range(cine.n_slices)], axis=2)
    assert slices_out_of_phase(context_of(cine, LabelMap(array=array))) is None


def test_two_frames_have_no_phases_to_compare() -> None:
    assert slices_out_of_phase(context_of(*heart((1.0, 0.7)))) is None
