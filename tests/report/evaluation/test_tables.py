"""The tables of an evaluation tell the numbers they were given."""

from __future__ import annotations

from typing import Any

from cinema_cmr.report.evaluation.tables import evaluation_tables


def interval(value: float | None) -> dict[str, Any]:
    return (
        {"value": value, "low": None, "high": None, "n": 3}
        if value is None
        else {"value": value, "low": value - 0.01, "high": value + 0.01, "n": 3}
    )


def summary(dice: float) -> dict[str, Any]:
    error = interval(4.0)
    volume = {"bias": -1.25, "limits": [-9.0, 6.5], "mean_absolute_error": error, "icc": None}
    scores = {
        "dice_lv": interval(dice),
        "hd95_lv_mm": interval(6.0),
        "dice_mean": interval(dice),
        "dice_rv": interval(None),
    }
    return {"model": "m", "n_patients": 3, "scores": scores, "measurements": {"lv_ef_percent": volume}}


def test_values_stand_with_their_intervals_and_unknown_ones_as_a_dash() -> None:
    text = evaluation_tables(summary(0.9), {})
    assert "| lv | 0.900 (0.890 to 0.910; 3) | 6.0 (6.0 to 6.0; 3) | - |" in text
    assert "| rv | - | - | - |" in text
    assert "| lv_ef_percent | -1.2 | -9.0 to +6.5 | 4.0 (4.0 to 4.0; 3) | - |" in text
    assert "research use only" in text


def test_each_subgroup_has_its_own_tables() -> None:
    whole, part = evaluation_tables(summary(0.9), {"group DCM": summary(0.8)}).split("## group DCM (3 patients)")
    assert "0.800" in part
    assert "0.800" not in whole
