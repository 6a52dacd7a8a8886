"""Two models on the same patients: differences with intervals and tests, and what cannot be compared."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

from cinema_cmr.core.errors import InputError
from cinema_cmr.evaluation.compare import compare


def document(dices: list[float], errors: list[float], model: str = "a") -> dict[str, Any]:
    rows = [
        {
            "patient": f"p{i}",
            "scores": {"dice_lv": dice, "hd95_lv_mm": 3.0},
            "measured": {"lv_ef_percent": 50.0 + error},
            "reference": {"lv_ef_percent": 50.0},
        }
        for i, (dice, error) in enumerate(zip(dices, errors, strict=True))
    ]
    return {
        "model": model,
        "hash": "0123456789",
        "scores": {"dice_lv": {}, "hd95_lv_mm": {}},
        "measurements": {"lv_ef_percent": {}},
        "patients": rows,
    }


RNG = np.random.default_rng(0)
DICES = (0.8 + 0.02 * RNG.standard_normal(12)).tolist()
ERRORS = RNG.normal(0, 3, 12).tolist()


def test_the_difference_is_the_first_minus_the_second() -> None:
    better = document([dice + 0.05 for dice in DICES], [error / 2 for error in ERRORS])
    found = compare(better, document(DICES, ERRORS, "b"))
    rows = {row["name"]: row for row in found["rows"]}
    assert (found["first"], found["second"], found["n_patients"]) == ("a", "b", 12)
    assert rows["dice_lv"]["difference"]["value"] == pytest.approx(0.05)
    assert rows["lv_ef_percent absolute error"]["difference"]["value"] == pytest.approx(-np.abs(ERRORS).mean() / 2)
    assert rows["dice_lv"]["p_value"] < 0.001 and rows["dice_lv"]["p_holm"] == pytest.approx(
        2 * rows["dice_lv"]["p_value"]
    )
    assert "hd95_lv_mm" not in rows


def test_equal_evaluations_do_not_differ_and_are_told_apart_by_their_hash() -> None:
    found = compare(document(DICES, ERRORS), document(DICES, ERRORS))
    assert all(row["p_holm"] == 1 and row["difference"]["value"] == 0 for row in found["rows"])
    assert found["first"] == "a 01234567"


def test_a_patient_with_two_studies_counts_once() -> None:
    twice = document(DICES, ERRORS)
    twice["patients"] = [*twice["patients"], copy.deepcopy(twice["patients"][0])]
    assert compare(twice, twice)["rows"][0]["difference"]["n"] == 12


def test_what_cannot_be_compared_is_said() -> None:
    with pytest.raises(InputError, match="1 patients are in both"):
        compare(document(DICES, ERRORS), document(DICES[:1], ERRORS[:1]))
    other = document(DICES, ERRORS)
    other["patients"][3]["reference"]["lv_ef_percent"] = 20.0
    with pytest.raises(InputError, match="experts' values of 'p3' differ"):
        compare(document(DICES, ERRORS), other)


def test_a_value_that_nobody_measured_is_left_out() -> None:
    missing = document(DICES, ERRORS)
    missing["patients"][0]["measured"]["lv_ef_percent"] = None
    rows = {row["name"]: row for row in compare(missing, document(DICES, ERRORS, "b"))["rows"]}
    assert rows["lv_ef_percent absolute error"]["difference"]["n"] == 11 and rows["dice_lv"]["difference"]["n"] == 12
