"""Rows of an evaluation's tables."""

from __future__ import annotations

import math
from dataclasses import replace

from cinema_cmr.evaluation.compare import Comparison, Difference
from cinema_cmr.evaluation.record import BesidePublished, FlagCount
from cinema_cmr.report.evaluation.rows import difference_table, flag_table, published_table
from cinema_cmr.score.statistics import Interval

ROW = Difference(
    name="dice_lv",
    first=0.91,
    second=0.9,
    difference=Interval(value=0.01, low=0.005, high=math.nan, method="BCa", n=20, n_excluded=0),
    p_value=0.0002,
)


def test_a_difference_has_its_sign_and_small_p_values_are_bounds() -> None:
    against = Comparison(first="a", second="b", n_patients=20, rows=(ROW,))
    table = difference_table(against)
    assert table.heads[1:3] == ["a", "b"]
    assert table.rows == [["dice_lv", "0.9100", "0.9000", "+0.0100 (+0.0050 to -)", "20", "<0.001", "-"]]
    unknown = replace(ROW, difference=replace(ROW.difference, value=math.nan, n=0))
    assert difference_table(replace(against, rows=(unknown,))).rows[0][3] == "-"


def test_flags_and_published_values_are_rows() -> None:
    flag = FlagCount(code="sv-mismatch", severity="warning", n=4, n_failed=3)
    assert flag_table([flag]).rows == [["sv mismatch", "warning", "4", "3"]]
    value = BesidePublished(what="Dice", ours="0.9", published="0.92", model="x", patients="ACDC", source="y")
    assert published_table([value]).rows == [["Dice", "0.9", "0.92", "x", "ACDC", "y"]]
