"""A beat's phases fit into it at any rate, are periodic, and hold still where the valves are closed."""

from __future__ import annotations

import numpy as np
import pytest

from cinema_cmr.core.errors import UsageError
from cinema_cmr.phantom.cycle import Cycle, build_cycle, smoothstep


@pytest.mark.parametrize("rate", [40, 60, 75, 100, 140])
@pytest.mark.parametrize("sex", ["F", "M"])
def test_a_beat_empties_and_fills_once(rate: float, sex: str) -> None:
    cycle = build_cycle(rate, sex=sex, rapid_share=0.7)  # type: ignore[arg-type]
    times = np.linspace(0, cycle.rr_interval_ms, 2001)
    full = cycle.fullness(times)
    assert full[0] == pytest.approx(1, abs=1e-6) and full[-1] == pytest.approx(1, abs=1e-6)
    assert full.min() == pytest.approx(0, abs=1e-3) and full.max() <= 1 + 1e-6
    lowest = int(full.argmin())
    assert (np.diff(full[: lowest + 1]) <= 1e-9).all()
    assert (np.diff(full[lowest:]) >= -1e-9).all()
    np.testing.assert_allclose(cycle.fullness(times + cycle.rr_interval_ms), full, atol=1e-9)


def test_nothing_moves_while_all_valves_are_closed() -> None:
    cycle = build_cycle(60, sex="M", rapid_share=0.7)
    closed = np.concatenate(
        [np.linspace(0, cycle.contraction_ms, 20), cycle.systole_ms + np.linspace(0, cycle.relaxation_ms, 20)]
    )
    full = cycle.fullness(closed)
    assert np.ptp(full[:20]) < 1e-9 and np.ptp(full[20:]) < 1e-9


def test_the_early_wave_and_the_kick_bring_their_shares() -> None:
    cycle = build_cycle(60, sex="F", rapid_share=0.7)
    atrial_start = cycle.rr_interval_ms - cycle.atrial_ms
    before = float(cycle.fullness(np.array([atrial_start]))[0])
    assert 1 - before == pytest.approx(1 - 0.7 - 0.04, abs=0.02)
    times = np.linspace(cycle.systole_ms + cycle.relaxation_ms, cycle.rr_interval_ms, 400)
    rate = cycle.filling_rate(times)
    early, late = rate[times < atrial_start].max(), rate[times >= atrial_start].max()
    assert early > late > 0


def test_phases_that_do_not_fit_are_refused() -> None:
    with pytest.raises(UsageError, match="expected no more than the beat"):
        Cycle(
            rr_interval_ms=500,
            contraction_ms=100,
            ejection_ms=300,
            relaxation_ms=100,
            rapid_filling_ms=100,
            atrial_ms=50,
            rapid_share=0.7,
            diastasis_share=0.04,
        )


def test_a_smooth_step_is_flat_at_its_ends() -> None:
    assert smoothstep(np.array([-1.0, 0.0, 0.5, 1.0, 2.0])).tolist() == [0, 0, 0.5, 1, 1]
    assert float(smoothstep(1e-3)) < 1e-5
