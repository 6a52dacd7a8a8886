"""Published scan-rescan limits: of the mean of both values or in the unit, each with its source."""

from __future__ import annotations

import pytest

from cinema_cmr.report.comparison.repeatability import REPEATABILITY, repeatability_limit


def test_each_limit_states_its_source_and_whose_it_is() -> None:
    assert len({row.name for row in REPEATABILITY}) == len(REPEATABILITY)
    for row in REPEATABILITY:
        assert "doi 10." in row.citation and ("groups of 20" in row.meaning or "30 patients" in row.meaning)
        assert not row.is_fraction or 0.05 < row.limit < 0.25


def test_limits_follow_the_published_figures() -> None:
    assert repeatability_limit("lv_mass_g", 100, 120) == pytest.approx(1.96 * 0.048 * 110)
    assert repeatability_limit("lv_ef_percent", 60, 60) == pytest.approx(8.58, abs=0.01)
    assert repeatability_limit("rv_ef_percent", 30, 60) == 5.8
    assert repeatability_limit("rv_esv_ml", 60, 80) is None
