"""Markdown of evaluations that are no segmentation."""

from __future__ import annotations

from typing import Any

from cinema_cmr.report.evaluation.scalar import answer_tables

INTERVAL = {"value": 5.0, "low": 4.0, "high": 6.0, "n": 9, "method": "BCa", "n_excluded": 0}
AGREEMENT: dict[str, Any] = {"bias": -1.0, "limits": [-5.0, 3.0], "icc": 0.9, "mean_absolute_error": INTERVAL}
HEAD = {"model": "m", "n_patients": 9}


def test_numbers_stand_beside_the_blind_guess() -> None:
    text = answer_tables(
        {**HEAD, "task": "regress", "target": "bmi", **AGREEMENT, "mean_absolute_error_of_the_mean": INTERVAL}
    )
    assert text.startswith("# m on 9 patients") and "research use only" in text
    assert "| bmi | -1.0 | -5.0 to +3.0 | 5.0 (4.0 to 6.0; 9) | 0.900 |" in text
    assert "absolute error of 5.0 (4.0 to 6.0; 9)" in text


def test_classes_come_with_who_was_taken_for_what() -> None:
    share = {**INTERVAL, "value": 0.5, "low": 0.2, "high": 0.8}
    text = answer_tables(
        {
            **HEAD,
            "task": "classify",
            "classes": ["x", "y"],
            "accuracy": share,
            "balanced_accuracy": share,
            "matthews": 0.1,
            "auroc": None,
            "calibration_error": 0.2,
            "confusion": [[3, 1], [2, 3]],
        }
    )
    assert "| accuracy | 0.500 (0.200 to 0.800; 9) |" in text and "| AUROC | - |" in text
    assert "| x | 3 | 1 |\n| y | 2 | 3 |" in text


def test_landmarks_say_how_often_they_were_found() -> None:
    summary = {
        **HEAD,
        "task": "landmark",
        "distances_mm": {"lax_4c:apex": INTERVAL},
        "distance_mm": INTERVAL,
        "found": {"lax_4c:apex": 0.75},
        "measurements": {"mapse_mean_mm": AGREEMENT},
    }
    text = answer_tables(summary)
    assert "| lax_4c:apex | 5.00 (4.00 to 6.00; 9) | 75 % |" in text and "| mapse_mean_mm | -1.0 |" in text
    assert "mapse" not in answer_tables({**summary, "measurements": {}})
