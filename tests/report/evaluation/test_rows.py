"""Rows of an evaluation's tables."""

from __future__ import annotations

from cinema_cmr.report.evaluation.rows import difference_table, flag_table, published_table


def test_a_difference_has_its_sign_and_small_p_values_are_bounds() -> None:
    row = {
        "name": "dice_lv",
        "first": 0.91,
        "second": 0.9,
        "difference": {"value": 0.01, "low": 0.005, "high": None, "n": 20},
        "p_value": 0.0002,
        "p_holm": None,
    }
    table = difference_table({"first": "a", "second": "b", "rows": [row]})
    assert table.heads[1:3] == ["a", "b"]
    assert table.rows == [["dice_lv", "0.9100", "0.9000", "+0.0100 (+0.0050 to -)", "20", "<0.001", "-"]]
    unknown = {**row, "difference": {"value": None, "low": None, "high": None, "n": 0}}
    assert difference_table({"first": "a", "second": "b", "rows": [unknown]}).rows[0][3] == "-"


def test_flags_and_published_values_are_rows() -> None:
    flag = {"code": "sv-mismatch", "severity": "warning", "n": 4, "n_failed": 3}
    assert flag_table([flag]).rows == [["sv mismatch", "warning", "4", "3"]]
    value = {"what": "Dice", "ours": "0.9", "published": "0.92", "model": "x", "patients": "ACDC", "source": "y"}
    assert published_table([value]).rows == [["Dice", "0.9", "0.92", "x", "ACDC", "y"]]
