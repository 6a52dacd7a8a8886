"""Two models on the same patients: differences with intervals and tests, and what cannot be compared."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cinema_cmr.core.errors import InputError
from cinema_cmr.evaluation.compare import compare, compared_names
from cinema_cmr.tasks.registry import task_type
from cinema_cmr.tasks.result import Result


def results(dices: list[float], errors: list[float]) -> list[Result]:
    return [
        Result(
            study=f"p{i}",
            patient=f"p{i}",
            scores={"dice_lv": dice, "hd95_lv_mm": 3.0},
            measured={"lv_ef_percent": 50.0 + error},
            reference={"lv_ef_percent": 50.0},
        )
        for i, (dice, error) in enumerate(zip(dices, errors, strict=True))
    ]


TASK = task_type("segment")
RNG = np.random.default_rng(0)
DICES = (0.8 + 0.02 * RNG.standard_normal(12)).tolist()
ERRORS = RNG.normal(0, 3, 12).tolist()


@pytest.mark.medium
def test_the_difference_is_the_first_minus_the_second() -> None:
    better = results([dice + 0.05 for dice in DICES], [error / 2 for error in ERRORS])
    found = compare(better, results(DICES, ERRORS), TASK, names=("a", "b"))
    rows = {row.name: row for row in found.rows}
    assert (found.first, found.second, found.n_patients) == ("a", "b", 12)
    assert rows["dice_lv"].difference.value == pytest.approx(0.05)
    assert rows["lv_ef_percent absolute error"].difference.value == pytest.approx(-np.abs(ERRORS).mean() / 2)
    assert rows["dice_lv"].p_value < 0.001 and rows["dice_lv"].p_holm == pytest.approx(2 * rows["dice_lv"].p_value)
    assert "hd95_lv_mm" not in rows


def test_equal_evaluations_do_not_differ() -> None:
    found = compare(results(DICES, ERRORS), results(DICES, ERRORS), TASK)
    assert all(row.p_holm == 1 and row.difference.value == 0 for row in found.rows)


@pytest.mark.medium
def test_a_patient_with_two_studies_counts_once() -> None:
    twice = results(DICES, ERRORS)
    twice.append(replace(twice[0], study="again", scores={"dice_lv": twice[0].scores["dice_lv"] + 0.1}))
    single = results(DICES, ERRORS)
    single.append(replace(single[0], study="again"))
    found = compare(twice, single, TASK)
    assert found.n_patients == 12
    assert found.rows[0].difference.value == pytest.approx(0.05 / 12) and found.rows[0].difference.n == 12


def test_values_that_are_missing_are_left_out() -> None:
    gone = results(DICES, ERRORS)
    gone[0] = replace(gone[0], scores={"dice_lv": float("nan")}, measured={"lv_ef_percent": None})
    found = compare(gone, results(DICES, ERRORS), TASK)
    assert {row.difference.n for row in found.rows} == {11}
    alone = [replace(its, scores={"dice_lv": float("nan")}) for its in gone]
    assert [row.name for row in compare(alone, gone, TASK).rows] == ["lv_ef_percent absolute error"]


def test_only_the_same_references_of_the_same_patients_are_compared() -> None:
    first = results(DICES, ERRORS)
    with pytest.raises(InputError, match="1 patients are in both evaluations; expected at least 2"):
        compare(first, first[:1], TASK)
    other = [replace(its, reference={"lv_ef_percent": 51.0}) for its in first]
    with pytest.raises(InputError, match="the references of 'p0' differ"):
        compare(first, other, TASK)


def test_a_task_names_its_scores() -> None:
    scores = {"correct": 1.0, "prob_of_target": 0.9, "prob_NOR": 0.9}
    one = [Result(study="a", patient="a", target="NOR", scores=scores, measured={"lv_ef_percent": 1.0})]
    assert compared_names(one, task_type("classify")) == ["correct", "prob_of_target"]
    assert compared_names(one, TASK, suffix="_ml") == []


def test_the_order_of_a_patients_studies_and_an_unknown_reference_are_no_difference() -> None:
    one = [replace(result, patient="p" + result.study[1:2]) for result in results(DICES, ERRORS)]
    two = [replace(one[0], study="z", reference={"lv_ef_percent": float("nan")}), *one]
    assert compare(two, [*two[1:], two[0]], TASK).n_patients == len({result.patient for result in one})
