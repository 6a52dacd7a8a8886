"""Tissue signals against the limits of the bSSFP equation."""

from __future__ import annotations

import numpy as np
import pytest

from cinema_cmr.phantom.tissue import TISSUES, bssfp_signal, tissue_signals


@pytest.mark.parametrize("flip_deg", [20.0, 50.0, 90.0])
def test_signal_for_short_tr_is_that_of_the_textbook(flip_deg: float) -> None:
    """Scheffler and Lehnhardt, Eur Radiol 2003;13:2409: for TR << T2, sin a / (1 + cos a + (1 - cos a) T1 / T2)."""
    flip, t1_ms, t2_ms = np.radians(flip_deg), 1000.0, 50.0
    limit = np.sin(flip) / (1 + np.cos(flip) + (1 - np.cos(flip)) * t1_ms / t2_ms)
    assert bssfp_signal(t1_ms, t2_ms, flip_deg=flip_deg, tr_ms=1e-3) == pytest.approx(limit, rel=1e-3)


def test_equal_relaxation_times_give_the_largest_signal_of_one_half() -> None:
    assert bssfp_signal(1000, 1000, flip_deg=90, tr_ms=1e-3) == pytest.approx(0.5, rel=1e-3)


def test_signals_are_relative_to_arterial_blood() -> None:
    signals = tissue_signals(field_tesla=1.5, flip_deg=60, tr_ms=3.0)
    assert signals.keys() == TISSUES.keys() and signals["arterial"] == 1
    assert signals["fat"] < 0 < signals["myocardium"] < signals["venous"] < 1
    assert tissue_signals(field_tesla=1.5, flip_deg=60, tr_ms=3.0, fat_sign=1.0)["fat"] == -signals["fat"]
    assert signals["air"] == 0


def test_inflow_raises_blood_over_still_tissue() -> None:
    still, fresh = (tissue_signals(field_tesla=3.0, flip_deg=60, tr_ms=3.0, inflow=share) for share in (0.0, 0.4))
    assert fresh["myocardium"] < still["myocardium"]
