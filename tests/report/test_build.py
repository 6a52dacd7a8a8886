"""The measurements document."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from cinema_cmr.core.results import Measurement, Measurements, Prediction
from cinema_cmr.core.study import Study, Subject
from cinema_cmr.core.vocabulary import View
from cinema_cmr.report.build import build_document, write_measurements_json
from cinema_cmr.report.run import RunFacts
from cinema_cmr.report.schema import check_document

SUMMARY = [
    "lv_edv_ml",
    "lv_esv_ml",
    "lv_sv_ml",
    "lv_ef_percent",
    "lv_mass_g",
    "rv_edv_ml",
    "rv_esv_ml",
    "rv_sv_ml",
    "rv_ef_percent",
    "ed_frame",
    "es_frame",
    "heart_rate_bpm",
    "cardiac_output_l_min",
]

Predictions = dict[View, Prediction]


def rate(value: float | None, reason: str | None) -> Measurement:
    return Measurement(
        name="heart_rate_bpm",
        title="heart rate",
        value=value,
        unit="1/min",
        method="",
        rule="",
        reason=reason,
    )


def test_summary_has_its_keys_and_null_where_unknown(
    study: Study, predictions: Predictions, measurements: Measurements, run: RunFacts
) -> None:
    summary = build_document(study, predictions, measurements=measurements, run=run)["summary"]
    assert list(summary) == SUMMARY
    assert summary["lv_ef_percent"] == 40.0
    assert summary["rv_ef_percent"] is None
    assert summary["rv_esv_ml"] is None
    assert summary["cardiac_output_l_min"] is None


def test_frames_are_the_left_ventricles(
    study: Study, predictions: Predictions, measurements: Measurements, run: RunFacts
) -> None:
    document = build_document(study, predictions, measurements=measurements, run=run)
    assert (document["summary"]["ed_frame"], document["summary"]["es_frame"]) == (0, 4)
    rv = next(row for row in document["measurements"] if row["name"] == "rv_edv_ml")
    assert rv["frames"] == [1]


def test_heart_rate_is_the_measured_one_else_the_subjects(
    study: Study, measurements: Measurements, run: RunFacts
) -> None:
    def summary_rate(*more: Measurement) -> float | None:
        values = replace(measurements, values=(*measurements.values, *more))
        found: float | None = build_document(study, {}, measurements=values, run=run)["summary"]["heart_rate_bpm"]
        return found

    assert summary_rate() == 64
    assert summary_rate(rate(71.5, None)) == 71.5
    assert summary_rate(rate(None, "not plausible")) is None


def test_document_matches_the_schema_and_holds_no_nan(
    study: Study, predictions: Predictions, measurements: Measurements, run: RunFacts
) -> None:
    document = build_document(study, predictions, measurements=measurements, run=run)
    check_document(document)
    json.dumps(document, allow_nan=False)
    assert document["schema_version"] == "1.4"
    assert document["curves"]["values"]["rv_volume_ml"][-1] is None
    assert document["predictions"][0]["confidence"][-1] is None
    assert document["predictions"][0]["evidence"] == {"energy": None}


def test_an_empty_study_makes_a_valid_document(study: Study, run: RunFacts) -> None:
    bare = Study(name="x", cines=study.cines[:1], subject=Subject())
    document = build_document(bare, {}, measurements=Measurements(values=()), run=run)
    check_document(document)
    assert set(document["summary"].values()) == {None}
    assert document["curves"] == {"times_ms": None, "values": {}}


def test_views_keep_the_reason_of_what_was_left_out(study: Study, measurements: Measurements, run: RunFacts) -> None:
    views = build_document(study, {}, measurements=measurements, run=run)["views"]
    left_out = [view for view in views if not view["kept"]]
    assert [(view["series"], view["view"], view["reason"]) for view in left_out] == [("series 9", None, "a localizer")]


def test_written_file_is_the_document_and_a_wrong_one_is_not_written(
    study: Study, predictions: Predictions, measurements: Measurements, run: RunFacts, tmp_path: Path
) -> None:
    document = build_document(study, predictions, measurements=measurements, run=run)
    path = tmp_path / "measurements.json"
    write_measurements_json(document, path)
    assert json.loads(path.read_text(encoding="utf-8")) == document
    with pytest.raises(ValueError, match="notice is missing"):
        write_measurements_json({k: v for k, v in document.items() if k != "notice"}, tmp_path / "other.json")
    assert not (tmp_path / "other.json").exists()
