"""Published numbers beside an evaluation's own."""

from __future__ import annotations

from cinema_cmr.bench.published import PUBLISHED, beside, published_texts
from cinema_cmr.engine.patient_values import METRICS

DOCUMENT = {
    "scores": {"dice_mean": {"value": 0.9012}, "dice_rv": {"value": 0.88}},
    "measurements": {"lv_ef_percent": {"mean_absolute_error": {"value": 2.456}}},
}


def test_each_has_a_source_and_a_known_metric() -> None:
    assert all(one.source and one.metric in METRICS for one in PUBLISHED)


def test_rows_have_ours_and_theirs_where_both_are_known() -> None:
    rows = beside(DOCUMENT)
    assert {row["what"] for row in rows} == {"mean Dice", "LVEF, absolute error"}
    assert {row["ours"] for row in rows} == {"0.901", "2.46"}
    assert all(row["published"] and row["source"] for row in rows)


def test_scar_has_nothing_to_stand_beside() -> None:
    assert beside({**DOCUMENT, "scores": {"dice_mean": {"value": 0.5}, "dice_infarct": {"value": 0.5}}}) == []


def test_classes_are_compared_for_the_disease_groups_alone() -> None:
    assert any("0.96" in text for text in published_texts({"right": {}}, task="disease"))
    assert published_texts({"right": {}}, task="sex") == []
