"""Results are summarised over patients: several studies count once, gaps are left out."""

from __future__ import annotations

import numpy as np
import pytest

from cinema_cmr.core.errors import InputError
from cinema_cmr.tasks.result import Result, by_patient, patient_values, summarise


def result(patient: str, dice: float, edv: float | None = 100.0, scan: str | None = None) -> Result:
    return Result(
        study=f"{patient} {scan}",
        patient=patient,
        facts={"scan": scan},
        scores={"dice_lv": dice},
        measured={"lv_edv_ml": edv},
        reference={"lv_edv_ml": 80.0},
    )


def test_a_patient_with_two_studies_counts_once() -> None:
    results = [result("a", 0.9, 90.0), result("b", 0.8, 100.0), result("b", 0.6, 80.0)]
    assert {patient: len(its) for patient, its in by_patient(results).items()} == {"a": 1, "b": 2}
    summary = summarise(results)
    assert (summary.n_patients, summary.n_studies) == (2, 3)
    assert summary.scores["dice_lv"].value == pytest.approx((0.9 + 0.7) / 2)
    assert summary.measurements["lv_edv_ml"].mean_absolute_error.n == 2
    assert summary.measurements["lv_edv_ml"].bias == pytest.approx(10.0)


def test_a_name_is_a_score_or_the_error_of_a_measurement() -> None:
    one = result("a", 0.9, 90.0)
    assert one.value("dice_lv") == 0.9 and one.value("lv_edv_ml absolute error") == 10.0
    assert np.isnan(one.value("dice_rv")) and np.isnan(result("a", 0.9, None).error("lv_edv_ml"))
    assert patient_values([one, result("a", 0.7)], "dice_lv") == pytest.approx({"a": 0.8})


def test_summary_without_results_is_an_error() -> None:
    with pytest.raises(InputError, match="no study was scored"):
        summarise([])


def test_patients_scanned_twice_show_how_well_a_measurement_repeats() -> None:
    values = {"p": (100.0, 110.0), "q": (60.0, 60.0), "r": (50.0, None)}
    results = [
        result(patient, 0.9, value, scan)
        for patient, pair in values.items()
        for scan, value in zip("AB", pair, strict=True)
    ]
    found = summarise(results).repeatability["lv_edv_ml"]
    assert found["measured"].value == pytest.approx(100 * np.sqrt(50 / 105**2 / 2))
    assert (found["measured"].n, found["measured"].n_excluded) == (2, 1)
    assert found["reference"].value == 0 and found["reference"].n == 3
    # Two studies of a patient that are no repeated scan are not compared.
    alike = [result(one.patient, 0.9, one.measured["lv_edv_ml"]) for one in results]
    assert summarise(alike).repeatability == {}
