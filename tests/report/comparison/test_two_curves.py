"""Curves over each other: by time where the frames are the same, by the part of the beat where they are not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cinema_cmr.measure.rates import cycle_length_ms
from cinema_cmr.report.comparison.compared import ComparedSide
from cinema_cmr.report.comparison.results_comparison import ResultsComparison
from cinema_cmr.report.comparison.two_curves import beat_fractions, curve_plots


def without_times(side: ComparedSide) -> ComparedSide:
    return replace(side, record=replace(side.record, curves=replace(side.record.curves, times_ms=None)))


def test_the_axis_follows_what_is_known(corrected: ResultsComparison, visits: ResultsComparison) -> None:
    plots = curve_plots(corrected.first, corrected.second)
    assert [plot.title for plot in plots][:2] == ["LV volume, ml", "RV volume, ml"]
    assert "time, ms" in plots[0].svg and "var(--side-a)" in plots[0].svg and "var(--side-b)" in plots[0].svg
    assert "part of the beat, %" in curve_plots(visits.first, visits.second)[0].svg
    bare = without_times(corrected.first), without_times(corrected.second)
    assert "frame (times unknown)" in curve_plots(*bare)[0].svg
    assert "part of the beat, %" in curve_plots(corrected.first, bare[1])[0].svg


def test_frames_lie_in_the_beat_by_their_times(visits: ResultsComparison) -> None:
    times = np.array(visits.first.record.curves.times_ms, float)
    np.testing.assert_allclose(beat_fractions(visits.first, 8), times / 800)
    np.testing.assert_allclose(beat_fractions(visits.second, 6), np.arange(6) / 6, atol=1e-5)
    assert beat_fractions(without_times(visits.first), 8).tolist() == pytest.approx([n / 8 for n in range(8)])
    cines = tuple(replace(cine, rr_interval_ms=None) for cine in visits.first.record.cines)
    unknown = replace(visits.first, record=replace(visits.first.record, cines=cines))
    assert beat_fractions(unknown, 8)[-1] == pytest.approx(7 / 8), "even frames fill the beat"


def test_the_beat_is_as_long_as_for_the_rates(visits: ResultsComparison) -> None:
    """An R-R interval that ends with the last frame is too short by a frame; one uneven frame is no longer beat."""
    first = visits.first.record
    times = (0.0, 100.0, 200.0, 300.0, 400.0, 500.0, 600.0, 780.0)
    cines = tuple(replace(cine, rr_interval_ms=790.0) for cine in first.cines)
    side = replace(visits.first, record=replace(first, cines=cines, curves=replace(first.curves, times_ms=times)))
    expected = np.array(times) / cycle_length_ms(np.abs(np.arange(8.0) - 4), np.array(times), 790.0)
    np.testing.assert_allclose(beat_fractions(side, 8), expected)
    assert expected[-1] == pytest.approx(780 / 880)
