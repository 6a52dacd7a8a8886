"""The record of an analysis."""

from __future__ import annotations

from dataclasses import asdict, replace

from cinema_cmr.core.analysis import Analysis
from cinema_cmr.core.results import Measurement
from cinema_cmr.core.study import Study, Subject
from cinema_cmr.report.record.build import build_record
from cinema_cmr.report.record.study_record import Curves


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


def test_summary_has_values_and_none_where_unknown(analysis: Analysis) -> None:
    summary = build_record(analysis).summary
    assert summary.lv_ef_percent == 40.0
    assert (summary.rv_ef_percent, summary.rv_esv_ml, summary.cardiac_output_l_min) == (None, None, None)


def test_frames_are_those_of_the_left_ventricle(analysis: Analysis) -> None:
    record = build_record(analysis)
    assert (record.summary.ed_frame, record.summary.es_frame) == (0, 4)
    assert next(one for one in record.measurements if one.name == "rv_edv_ml").frames == (1,)


def test_heart_rate_is_the_measured_one_else_that_of_the_subject(analysis: Analysis) -> None:
    def summary_rate(*more: Measurement) -> float | None:
        found = analysis.measurements
        changed = replace(analysis, measurements=replace(found, measured=(*found.measured, *more)))
        return build_record(changed).summary.heart_rate_bpm

    assert summary_rate() == 64
    assert summary_rate(rate(71.5, None)) == 71.5
    assert summary_rate(rate(None, "not plausible")) is None


def test_nan_is_none_everywhere(analysis: Analysis) -> None:
    record = build_record(analysis)
    assert record.curves.values["rv_volume_ml"][-1] is None
    assert record.predictions[0].confidence[-1] is None
    assert record.predictions[0].evidence == {"energy": None}


def test_empty_study_has_a_record(bare: Analysis) -> None:
    study = Study(name="x", cines=bare.study.cines[:1], subject=Subject())
    record = build_record(replace(bare, study=study))
    assert set(asdict(record.summary).values()) == {None}
    assert record.curves == Curves(times_ms=None, values={})


def test_series_left_out_keep_their_reason(analysis: Analysis) -> None:
    left_out = [one for one in build_record(analysis).views if not one.kept]
    assert [(one.series, one.view, one.reason) for one in left_out] == [("series 9", None, "a localizer")]


def test_no_folder_stands_in_the_record(analysis: Analysis) -> None:
    run = replace(analysis.run, model_name="/home/anna/models/mine.safetensors")
    assert build_record(replace(analysis, run=run)).model.name == "mine"
