"""Numbers and groups from the measurements of masks."""

from __future__ import annotations

import numpy as np
import pytest
from labelled_hearts import HEARTS, empty_segmenter, measured, of, with_ef

from cinema_cmr.bench.measured import classify_by_measurements, measure_number


@pytest.mark.medium
def test_measurements_of_masks_separate_the_groups() -> None:
    results, model = classify_by_measurements(of([measured(number) for number in range(12)], 4))
    assert [result.scores["correct"] for result in results] == [1.0] * 4 and set(model.groups) == {"strong", "weak"}
    assert [result.target for result in results] == ["strong", "weak"] * 2


@pytest.mark.slow
def test_a_patient_without_measurements_counts_as_wrong() -> None:
    data = of([measured(number) for number in range(12)], 4)
    results, _ = classify_by_measurements(data, empty_segmenter(), device="cpu")
    assert [result.scores["correct"] for result in results] == [0.0] * 4


@pytest.mark.medium
def test_masks_that_measure_nothing_give_no_value() -> None:
    data = of([with_ef(number, study) for number, study in enumerate(HEARTS)])
    results = measure_number(data, "lv_ef_percent", empty_segmenter(), device="cpu")
    assert all(np.isnan(result.error("lv_ef_percent")) for result in results)
