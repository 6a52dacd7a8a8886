"""What may be said of a gain: by how many patients, in which direction, and never more than they tell."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from long_axes import annotated as long_axis
from long_axes import model as finder
from oracles import CPU, annotated, heart, segmenter
from test_scalar_predictor import loaded

from cinema_cmr.core.errors import InputError
from cinema_cmr.evaluation.gain import LEAST_FOR_TEST, gain_document, primary_of, values_of_model
from cinema_cmr.score.statistics import paired_wilcoxon

RNG = np.random.default_rng(0)
SCRATCH = {f"p{i}": 0.7 + 0.02 * float(RNG.standard_normal()) for i in range(12)}


def verdict(start: dict[str, float], scratch: dict[str, float], primary: str = "dice_mean") -> dict[str, object]:
    document = gain_document({primary: start}, {primary: scratch}, primary=primary, recipe="r")
    assert document["recipe"] == "r" and len(document["patients"]) == len(scratch)
    found: dict[str, object] = document["verdict"]
    return found


def shifted(by: float, n: int = 12, spread: float = 0.005) -> dict[str, float]:
    noise = np.random.default_rng(1).normal(0, spread, n)
    return {name: SCRATCH[name] + by + float(x) for name, x in zip(list(SCRATCH)[:n], noise, strict=True)}


def test_a_gain_is_one_where_most_patients_show_it() -> None:
    found = verdict(shifted(0.05), SCRATCH)
    assert found["code"] == "gained" and (found["n"], found["n_better"]) == (12, 12)
    assert "difference +0.05" in str(found["text"]) and "made with 12 patients" in str(found["text"])
    assert verdict(shifted(-0.05), SCRATCH)["code"] == "lost"


def test_of_distances_less_is_better() -> None:
    assert verdict(shifted(-0.05), SCRATCH, "distance_mm")["code"] == "gained"
    assert verdict(shifted(0.05), SCRATCH, "absolute_error")["code"] == "lost"


def test_no_difference_is_no_proof_of_none() -> None:
    found = verdict(shifted(0.0, spread=0.03), SCRATCH)
    assert found["code"] == "not shown" and "no proof of none: up to +0.0" in str(found["text"])
    assert verdict(SCRATCH, SCRATCH)["code"] == "not shown"


def test_few_patients_cannot_tell_whatever_the_difference() -> None:
    five = {name: SCRATCH[name] for name in list(SCRATCH)[:5]}
    found = verdict(shifted(0.2, n=5), five)
    assert found["code"] == "cannot be told" and "could not give less than p = 0.062" in str(found["text"])
    assert "made with 5 patients" in str(found["text"])
    one = verdict({"p0": 0.9}, {"p0": 0.1})
    assert one["code"] == "cannot be told" and str(one["text"]).startswith("Cannot be told: 1 patient to compare on")
    none = gain_document({}, {}, primary="dice_mean")
    assert none["verdict"]["n"] == 0 and none["comparison"]["rows"] == []


def test_the_least_number_is_the_one_at_which_the_test_can_tell() -> None:
    for n in (LEAST_FOR_TEST - 1, LEAST_FOR_TEST):
        p_value = paired_wilcoxon(np.arange(1.0, n + 1), np.zeros(n)).p_value
        assert p_value == pytest.approx(2 / 2**n) and (p_value < 0.05) == (n == LEAST_FOR_TEST)


def test_a_patient_without_a_value_is_not_counted() -> None:
    start = {**shifted(0.05), "p0": float("nan")}
    found = verdict(start, SCRATCH)
    assert found["code"] == "gained" and found["n"] == 11


@pytest.mark.medium
def test_masks_are_scored_on_their_own_grid() -> None:
    oracle = segmenter(size=(63, 59))
    studies = [annotated(heart((15.0, 11.0), n_slices=5), name) for name in "ab"]
    studies.append(replace(studies[0], labels={}, labelled_frames={}))
    told: list[str] = []
    values = values_of_model(oracle.loaded, studies, CPU, report=told.append)
    assert told == ["a", "b"] and set(values["dice_mean"]) == {"a", "b"} and primary_of("segment") in values
    assert values["dice_mean"]["a"] > 0.97 and values["lv_ef_percent absolute error"]["b"] < 1
    assert "lv_edv_ml absolute error" not in values


def test_points_numbers_and_classes_are_scored_by_their_own_measure() -> None:
    points = values_of_model(finder(), [long_axis("a")], CPU)
    assert points[primary_of("landmark")]["a"] < 0.6 and "lax_4c:apex distance_mm" in points
    studies = [annotated(heart((15.0, 10.0)), "a", group="DCM")]
    target = {"mean": 50.0, "std": 10.0}
    number = values_of_model(loaded("regress", ("lv_ef_percent",), target=target), studies, CPU)
    assert set(number) == {primary_of("regress")} and 0 <= number["absolute_error"]["a"] < 100
    classes = values_of_model(loaded("classify", ("NOR", "DCM")), studies, CPU)
    other = values_of_model(loaded("classify", ("NOR", "DCM")), [replace(studies[0], facts={"group": "NOR"})], CPU)
    assert classes[primary_of("classify")]["a"] + other["probability_of_truth"]["a"] == pytest.approx(1)
    assert {classes["right_class"]["a"], other["right_class"]["a"]} == {0.0, 1.0}
    with pytest.raises(InputError):
        values_of_model(finder(), studies, CPU)
