"""Tables and intervals as text."""

import math
from dataclasses import replace

from cinema_cmr.report.markdown import (
    Table,
    interval_text,
    limits_text,
    markdown_table,
    number_text,
    p_text,
    signed_interval_text,
)
from cinema_cmr.score.statistics import Interval


def test_what_is_not_known_is_a_dash() -> None:
    assert interval_text(None, 1) == "-" == number_text(math.nan, 2)
    known = Interval(value=2.0, low=math.nan, high=math.nan, method="none", n=1, n_excluded=0)
    assert interval_text(known, 1) == "2.0 (no interval; 1)"
    assert signed_interval_text(known, 1) == "+2.0 (no interval)"
    unknown = replace(known, value=math.nan, n=0)
    assert interval_text(unknown, 1) == signed_interval_text(unknown, 1) == p_text(math.nan) == "-"


def test_limits_of_one_patient_are_none_and_zero_has_no_sign() -> None:
    assert limits_text((math.nan, math.nan)) == "none" and limits_text((-1.0, 2.0)) == "-1.0 to +2.0"
    assert number_text(-0.001, 2) == "0.00" and number_text(-0.001, 1, sign="+") == "+0.0"


def test_a_table_has_its_heads_and_rows() -> None:
    assert markdown_table(Table(["a", "b"], [["1", "2"]])) == "| a | b |\n| --- | --- |\n| 1 | 2 |"
