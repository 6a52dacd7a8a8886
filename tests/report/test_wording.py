"""Numbers and names for the eye."""

from __future__ import annotations

import pytest

from cinema_cmr.report.wording import number, spans, unit_text, words


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (148.62, "ml", "149"),
        (61.44, "ml/m2", "61"),
        (57.349, "%", "57.3"),
        (5.28, "l/min", "5.3"),
        (4.0, "frame", "4"),
        (1.657, "m2", "1.66"),
        (None, "ml", "–"),
        (-0.04, "%", "0.0"),
        (0.0, "ml", "0"),
    ],
)
def test_numbers_have_the_digits_that_mean_something(value: float | None, unit: str, shown: str) -> None:
    assert number(value, unit) == shown


def test_runs_of_indices_are_drawn_together_and_gaps_seen() -> None:
    assert spans((0, 1, 2, 4, 6, 7)) == "0–2, 4, 6–7"
    assert spans((5, 4)) == "4–5"


def test_units_and_names_read_well() -> None:
    assert unit_text("l/min/m2") == "l/min/m²"
    assert words("lv_edv_ml") == "LV EDV ml"
    assert words("level_of_lvef") == "level of lvef"
