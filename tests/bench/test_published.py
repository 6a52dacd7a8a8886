"""Published numbers: each with a source and a task that there is, and ours beside those that are alike."""

from __future__ import annotations

import math

from cinema_cmr.bench.published import PUBLISHED, compare_with_published, published_of
from cinema_cmr.bench.tasks import TASKS
from cinema_cmr.evaluation.record import Evaluation
from cinema_cmr.score.statistics import Interval
from cinema_cmr.tasks.result import AgreementSummary, Summary


def interval(value: float, low: float = float("nan"), high: float = float("nan")) -> Interval:
    return Interval(value=value, low=low, high=high, method="BCa", n=20, n_excluded=0)


def evaluation(dataset: str = "acdc", *names: str) -> Evaluation:
    scores = names or ("dice_lv", "dice_myo", "dice_rv", "dice_mean")
    error = AgreementSummary(bias=0.0, limits=(-1.0, 1.0), mean_absolute_error=interval(2.5), icc=0.9)
    summary = Summary(
        n_patients=20,
        n_studies=20,
        scores=dict.fromkeys(scores, interval(0.9, 0.88, 0.92)),
        measurements={"lv_ef_percent": error},
    )
    return Evaluation(
        model="m", task="segment", dataset=dataset, summary=summary, subgroups={}, checks=None, results=()
    )


def test_every_number_has_a_source_and_a_task() -> None:
    for row in PUBLISHED:
        assert row.source and row.patients and row.model and set(row.tasks) <= set(TASKS)
        assert (math.isnan(row.low)) == math.isnan(row.high)
        assert math.isnan(row.low) or row.low < row.value < row.high


def test_numbers_stand_in_the_digits_in_which_they_were_published() -> None:
    texts = [row.text for row in published_of(["lvef-segment"])]
    assert "3.33 points (2.88 to 3.82)" in texts and "6.0 %" in texts
    assert published_of(["bmi"]) == []


def test_ours_stands_beside_what_is_alike() -> None:
    rows = compare_with_published(evaluation())
    assert [row.published for row in rows if row.model == "MedNeXt"] == ["0.9265"]
    assert {row.ours for row in rows if row.what.startswith("Dice")} == {"0.9000 (0.8800 to 0.9200)"}
    assert {row.ours for row in rows if row.what.startswith("LVEF")} == {"2.50 points"}
    # Nothing of the right ventricle was measured here.
    assert not [row for row in rows if row.what.startswith("RVEF")]


def test_numbers_of_one_dataset_stand_beside_that_dataset_only() -> None:
    assert "MedNeXt" in {row.model for row in compare_with_published(evaluation("acdc"))}
    assert "MedNeXt" not in {row.model for row in compare_with_published(evaluation("mnms"))}


def test_nothing_stands_beside_what_is_no_whole_heart() -> None:
    assert compare_with_published(evaluation("acdc", "dice_lv")) == ()
