"""An evaluation as one document: patients, subgroups, and whether flags caught the failures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cinema_cmr.core.results import Flag
from cinema_cmr.evaluation.record import evaluation_document, failure_of, patient_row
from cinema_cmr.evaluation.segmentation import PatientScore


def score(
    patient: str, *, lv: float = 0.9, ef: float = 50.0, flags: tuple[str, ...] = (), **facts: Any
) -> PatientScore:
    return PatientScore(
        patient=patient,
        frames=({"dice_lv": lv, "dice_rv": 0.8}, {"dice_lv": 0.9, "dice_rv": float("nan")}),
        measured={"lv_ef_percent": ef},
        reference={"lv_ef_percent": 50.0},
        located=("motion",),
        facts=facts,
        study=patient,
        confidence=lv,
        flags=tuple(Flag(code=code, severity="warning", message=code) for code in flags),
    )


def test_failures_are_said_in_words() -> None:
    assert failure_of(score("good")) is None
    assert failure_of(score("low", lv=0.5)) == "lv Dice 0.50"
    assert failure_of(score("both", lv=0.5, ef=65.0)) == "lv Dice 0.50; LVEF off by +15 points"


def test_a_row_holds_means_over_frames() -> None:
    row = patient_row(score("p", lv=0.7, age_years=70.0))
    assert row["scores"]["dice_lv"] == pytest.approx(0.8) and row["scores"]["dice_rv"] == pytest.approx(0.8)
    assert row["facts"] == {"age_band": "over 65"} and row["failure"] is None


def test_flags_are_counted_against_failures() -> None:
    scores = [
        score("caught", lv=0.3, flags=("odd",)),
        score("missed", lv=0.3),
        score("false alarm", flags=("odd",)),
        score("quiet", sex="F"),
        score("quiet too", sex="M", ef=52.0),
    ]
    checks = evaluation_document(scores, model="m")["checks"]
    assert checks["n_failed"] == 2
    assert checks["sensitivity"]["value"] == 0.5 and checks["specificity"]["value"] == pytest.approx(2 / 3)
    assert checks["flags"] == [{"code": "odd", "severity": "warning", "n": 2, "n_failed": 1}]
    assert checks["confidence_rank_correlation"] > 0.9


def test_subgroups_are_those_that_tell_patients_apart() -> None:
    scores = [score("a", group="DCM", sex="F"), score("b", group="DCM", sex="M"), score("c", group="NOR", sex="M")]
    document = evaluation_document(scores, model="m")
    assert set(document["subgroups"]) == {"group DCM", "group NOR", "sex F", "sex M"}
    assert document["subgroups"]["group DCM"]["n_patients"] == 2 and document["model"] == "m"
    assert "group DCM" not in evaluation_document(scores[:2], model="m")["subgroups"]
    assert np.isfinite(document["scores"]["dice_lv"]["value"])
