"""The numbers at the top."""

from __future__ import annotations

import pytest

from cinema_cmr.core.results import Measurement, Measurements
from cinema_cmr.measure.normal_ranges import HUMAN_NOISE
from cinema_cmr.report.headline import Reference, cards, human_noise, range_bar


@pytest.fixture
def values(measurements: Measurements) -> tuple[Measurement, ...]:
    return measurements.measured


@pytest.mark.parametrize(
    ("value", "status"),
    [(10.0, "below"), (50.0, "within"), (60.0, "within"), (70.0, "within"), (400.0, "above")],
)
def test_bar_says_where_the_value_lies(value: float, status: str) -> None:
    bar = range_bar(value, "ml", limits=Reference(50, 70, "Somebody 2000", "of women"))
    assert bar.status == status
    assert bar.text == f"{status} reference 50–70 ml"
    assert bar.population == "of women"
    assert 0 <= bar.at <= 100
    assert 0 <= bar.zone_start < bar.zone_start + bar.zone_width <= 100
    inside = bar.zone_start - 1e-9 <= bar.at <= bar.zone_start + bar.zone_width + 1e-9
    assert inside == (status == "within")


def test_middle_of_the_range_is_the_middle_of_the_bar() -> None:
    assert range_bar(60, "ml", limits=Reference(50, 70, "")).at == pytest.approx(50)


def test_cards_show_each_ventricle_with_what_is_known(values: tuple[Measurement, ...]) -> None:
    left, right = cards(values, {})
    assert (left.title, left.main.value, left.main.unit) == ("Left ventricle", "40.0", "%")
    assert [line.value for line in left.lines] == ["100", "60", "40", "88"]
    assert left.lines[0].indexed == "61 ml/m²"
    assert (right.main.value, right.main.reason) == ("–", "not known")
    assert [line.value for line in right.lines] == ["115", "–", "–"]
    assert right.lines[1].reason == "not measured"


def test_a_ventricle_without_measurements_has_no_card() -> None:
    assert cards((), {}) == ()


def test_the_indexed_values_range_is_preferred_to_the_absolute_ones(values: tuple[Measurement, ...]) -> None:
    ranges = {
        "lv_edv_ml": Reference(88.0, 161.0, "A"),
        "lv_edvi_ml_m2": Reference(50.0, 60.0, "B"),
        "rv_ef_percent": Reference(47.0, 68.0, "A"),
    }
    left, right = cards(values, ranges)
    bar = left.lines[0].bar
    assert bar is not None
    assert (bar.text, bar.citation) == ("above reference 50–60 ml/m²", "B")
    only_absolute, _ = cards(values, {"lv_edv_ml": Reference(88.0, 161.0, "A")})
    assert only_absolute.lines[0].bar is not None
    assert only_absolute.lines[0].bar.text == "within reference 88–161 ml"
    assert right.main.bar is None, "a value that is not known lies nowhere"


def test_human_noise_stands_beside_the_numbers(values: tuple[Measurement, ...]) -> None:
    left, right = cards(values, {})
    assert [left.main.noise, *(line.noise for line in left.lines)] == [
        "4.6–7.5 percentage points",
        "15–28 ml",
        "14–22 ml",
        "",
        "20–35 g",
    ]
    assert right.main.noise == ""
    rows = human_noise()
    assert len(rows) == len(HUMAN_NOISE)
    assert rows[0][:2] == ("LV ejection fraction", "6 %")
