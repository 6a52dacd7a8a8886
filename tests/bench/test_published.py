"""Published numbers: each with a source and a task that there is, and ours beside those that are alike."""

from __future__ import annotations

from typing import Any

from cinema_cmr.bench.published import PUBLISHED, compare_with_published, published_of
from cinema_cmr.bench.tasks import TASKS


def document(dataset: str = "acdc", **scores: Any) -> dict[str, Any]:
    mean = {"value": 0.9, "low": 0.88, "high": 0.92, "n": 20}
    error = {"mean_absolute_error": {"value": 2.5, "low": None, "high": None, "n": 20}}
    names = ("dice_lv", "dice_myo", "dice_rv", "dice_mean")
    return {
        "dataset": dataset,
        "scores": scores or dict.fromkeys(names, mean),
        "measurements": {"lv_ef_percent": error},
    }


def test_every_number_has_a_source_and_a_task() -> None:
    for row in PUBLISHED:
        assert row.source and row.patients and row.model and set(row.tasks) <= set(TASKS)
        assert (row.low is None) == (row.high is None)
        assert row.low is None or row.high is None or row.low < row.value < row.high


def test_numbers_stand_in_the_digits_in_which_they_were_published() -> None:
    texts = [row["text"] for row in published_of(["lvef-segment"])]
    assert "3.33 points (2.88 to 3.82)" in texts and "6.0 %" in texts
    assert published_of(["bmi"]) == []


def test_ours_stands_beside_what_is_alike() -> None:
    rows = compare_with_published(document())
    assert [row["published"] for row in rows if row["model"] == "MedNeXt"] == ["0.9265"]
    assert {row["ours"] for row in rows if row["what"].startswith("Dice")} == {"0.9000 (0.8800 to 0.9200)"}
    assert {row["ours"] for row in rows if row["what"].startswith("LVEF")} == {"2.50 points"}
    # Nothing of the right ventricle was measured here.
    assert not [row for row in rows if row["what"].startswith("RVEF")]


def test_numbers_of_one_dataset_stand_beside_that_dataset_only() -> None:
    assert "MedNeXt" in {row["model"] for row in compare_with_published(document("acdc"))}
    assert "MedNeXt" not in {row["model"] for row in compare_with_published(document("mnms"))}


def test_nothing_stands_beside_what_is_no_whole_heart() -> None:
    assert compare_with_published(document(dice_lv={"value": 0.9})) == []
