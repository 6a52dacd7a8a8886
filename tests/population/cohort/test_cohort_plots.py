"""Plots are SVG with the page's colours, the same for the same values."""

from __future__ import annotations

import numpy as np

from cinema_cmr.measure.normal_ranges import NORMAL_RANGES
from cinema_cmr.population.cohort.centiles import Values, centile_ranges
from cinema_cmr.population.cohort.cohort_plots import SEX_COLOURS, age_svg, histogram_svg

RNG = np.random.default_rng(0)
VALUES = Values(
    name="lv_edv_ml", unit="ml", values=RNG.normal(150, 20, 200), sex=["F", "M"] * 100, age=RNG.uniform(46, 74, 200)
)
PUBLISHED = [row for row in NORMAL_RANGES if row.name == "lv_edv_ml"]


def test_both_sexes_have_their_colour_and_the_title_its_unit() -> None:
    svg = histogram_svg(VALUES, PUBLISHED, title="EDV")
    assert svg.startswith("<svg") and "EDV, ml" in svg and "women" in svg
    assert all(SEX_COLOURS[sex] in svg for sex in "FM") and "var(--line)" in svg
    assert svg == histogram_svg(VALUES, PUBLISHED, title="EDV")


def test_values_over_age_have_lines_of_own_and_published_limits() -> None:
    alone = age_svg(VALUES, [], [], title="EDV")
    lines = age_svg(VALUES, centile_ranges(VALUES, "own"), PUBLISHED, title="EDV")
    assert "age, years" in alone and len(lines) > len(alone)
    assert "stroke-dasharray" in lines and "stroke-dasharray" not in alone
