"""Gathering segments into plots."""

from __future__ import annotations

import pytest

from cinema_cmr.core.results import Measurement
from cinema_cmr.report.segments import is_segment, segment_plots


def row(name: str, value: float | None, unit: str = "mm") -> Measurement:
    return Measurement(name=name, title=name, value=value, unit=unit, method="", rule="")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a_aha01", True),
        ("a_aha16", True),
        ("a_aha00", False),
        ("a_aha17", False),
        ("a_aha1", False),
        ("_", False),
    ],
)
def test_names_of_segments(name: str, expected: bool) -> None:
    assert is_segment(name) is expected


def test_one_plot_a_measurement_with_its_segments_in_order() -> None:
    rows = [row(f"wall_thickness_ed_mm_aha{n:02d}", float(n)) for n in range(16, 0, -1)]
    rows += [row("lv_edv_ml", 100.0, "ml"), row("wall_thickening_percent_aha03", 40.0, "%")]
    thickness, thickening = segment_plots(rows)
    assert (thickness.title, thickness.unit) == ("Wall thickness ED", "mm")
    assert thickness.text.startswith("1: 1.0, 2: 2.0,")
    assert (thickening.title, thickening.unit) == ("Wall thickening", "%")
    assert thickening.text.split(", ")[1:4] == ["2: unknown", "3: 40.0", "4: unknown"]


def test_what_no_segment_is_known_of_is_not_drawn() -> None:
    assert segment_plots([row("wall_thickness_ed_mm_aha01", None)]) == ()
    assert segment_plots([row("lv_edv_ml", 1.0)]) == ()


def test_a_unit_without_a_fixed_scale_takes_the_values_own() -> None:
    (plot,) = segment_plots([row("strain_aha01", -20.0, "1"), row("strain_aha02", -20.0, "1")])
    assert "1: -20.0" in plot.text
