"""Cells: what is a number, what is text, what is unknown."""

from __future__ import annotations

from decimal import Decimal

import pytest

from cinema_cmr.core.errors import InputError
from cinema_cmr.core.study import Fact
from cinema_cmr.io.fact_cells import fact_of_text, fact_of_value, frame_number, is_unknown, subject_number


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        *((" 4 ", 4), ("-4", -4), ("4.0", 4.0), ("4.", 4.0), (".5", 0.5), ("1e3", 1000.0), ("0", 0), ("0.5", 0.5)),
        *(("007", "007"), ("1_000", "1_000"), ("inf", "inf"), ("0x10", "0x10"), ("1.2.3", "1.2.3")),
        *(("123456789012345", 123456789012345), ("1234567890123456", "1234567890123456")),
        *(("2,5", "2,5"), ("", None), ("N/A", "N/A"), ("NaN", None), ("null", None), ("1e999", None)),
    ],
)
def test_text_is_a_number_where_it_is_written_as_one(text: str, fact: Fact) -> None:
    found = fact_of_text(text)
    assert (found, type(found)) == (fact, type(fact))


def test_typed_values_stay() -> None:
    values = (True, 3, 2.5, float("nan"), None, " a ", "", Decimal("1.5"), b"x")
    assert [fact_of_value(value) for value in values] == [True, 3, 2.5, None, None, "a", None, 1.5, "b'x'"]
    assert [is_unknown(value) for value in (None, " NA", 0, "x")] == [True, True, False, False]


def test_numbers_of_a_person_and_frames() -> None:
    assert [subject_number(v, "age", "row 1") for v in ("1,7e2", 63, "none", 0.5)] == [170, 63, None, 0.5]
    assert [frame_number(v, "ed_frame", "row 1") for v in ("0", 9, 9.0, "9.0", None)] == [0, 9, 9, 9, None]
    for wrong in (True, "1,7,2", 0, 1000, "\u0664\u0664\u0664\u0664"):
        with pytest.raises(InputError, match="row 1: age is"):
            subject_number(wrong, "age", "row 1")
    for wrong in (True, "x", -1, 8.5, "1e3"):
        with pytest.raises(InputError, match="row 1: ed_frame is"):
            frame_number(wrong, "ed_frame", "row 1")
