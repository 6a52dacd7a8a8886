"""The record of an evaluation: subgroups, and whether flags caught the failures."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cinema_cmr.core.errors import InputError
from cinema_cmr.core.results import Flag
from cinema_cmr.core.serialise import json_text
from cinema_cmr.evaluation.record import Evaluation, check_flags, read_evaluation, subgroup_facts, subgroup_summaries
from cinema_cmr.tasks.result import Result, summarise


def result(
    patient: str, *, lv: float = 0.9, failure: str | None = None, flags: Sequence[str] = (), **facts: Any
) -> Result:
    return Result(
        study=patient,
        patient=patient,
        facts=facts,
        scores={"dice_lv": lv, "dice_mean": lv},
        measured={"lv_ef_percent": 50.0},
        reference={"lv_ef_percent": None},
        confidence=lv,
        flags=tuple(Flag(code=code, severity="warning", message=code) for code in flags),
        failure=failure,
    )


def evaluation(results: Sequence[Result]) -> Evaluation:
    return Evaluation(
        model="m",
        hash="abc",
        task="segment",
        summary=summarise(results),
        subgroups=subgroup_summaries(results, summarise),
        checks=check_flags(results),
        results=tuple(results),
    )


def test_flags_are_counted_against_failures() -> None:
    checks = check_flags(
        [
            result("caught", lv=0.3, failure="lv", flags=["odd"]),
            result("missed", lv=0.3, failure="lv"),
            result("false alarm", flags=["odd"]),
            result("quiet"),
            result("quiet too"),
        ]
    )
    assert checks is not None and checks.n_failed == 2
    assert checks.sensitivity.value == 0.5 and checks.specificity.value == pytest.approx(2 / 3)
    assert [vars(count) for count in checks.flags] == [{"code": "odd", "severity": "warning", "n": 2, "n_failed": 1}]
    assert checks.confidence_rank_correlation > 0.9
    assert check_flags([Result(study="a", patient="a", scores={"distance_mm": 1.0})]) is None


def test_subgroups_need_two_values_of_a_fact() -> None:
    results = [result("a", group="DCM", sex="F"), result("b", group="DCM", sex="M"), result("c", group="NOR", sex="M")]
    found = subgroup_summaries(results, summarise)
    assert set(found) == {"group DCM", "group NOR", "sex F", "sex M"} and found["group DCM"].n_patients == 2
    assert "group DCM" not in subgroup_summaries(results[:2], summarise)
    assert subgroup_facts({"age_years": 70.0, "other": 1}) == {"age_band": "over 65"}
    assert subgroup_facts({"centre": 0, "vendor": "", "sex": None}) == {"centre": "0"}


def test_results_are_read_back_from_the_file(tmp_path: Path) -> None:
    results = [result("a", lv=float("nan")), result("b", age_years=30.0)]
    document: Any = evaluation(results).to_dict()
    assert document["scores"]["dice_lv"]["n"] == 1 and document["patients"][1]["facts"] == {"age_band": "under 40"}
    assert document["patients"][0]["labels"] is None and {"summary", "results"}.isdisjoint(document)
    (tmp_path / "scores.json").write_text(json_text(document))
    stored = read_evaluation(tmp_path)
    read = stored.results
    assert (stored.model, stored.hash, [its.patient for its in read]) == ("m", "abc", ["a", "b"])
    assert np.isnan(read[0].value("dice_lv")) and read[1].measured == results[1].measured
    (tmp_path / "scores.json").write_text(json.dumps({"model": "m"}))
    with pytest.raises(InputError, match=r"no readable scores.json with patients"):
        read_evaluation(tmp_path)
