"""Parts of an analysis made of its records: unknown numbers are NaN again, flags of the model stay."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from corrected_results import heart_analysis, heart_study

from cinema_cmr.core.results import Flag
from cinema_cmr.core.vocabulary import View
from cinema_cmr.measure.measure import MeasureOptions
from cinema_cmr.pipeline.restored_parts import (
    label_scheme,
    measure_again,
    n_label_codes,
    scheme_codes,
    stored_array,
    stored_labels,
    stored_measurements,
    stored_options,
    stored_run_facts,
)
from cinema_cmr.report.record.build import build_record
from cinema_cmr.report.record.run_record import run_record


def test_records_give_back_what_they_were_made_of() -> None:
    analysis = heart_analysis(basal_rule="all-slices")
    record, run = build_record(analysis), run_record(analysis.run)
    assert stored_options(run) == MeasureOptions(basal_rule="all-slices")
    assert stored_run_facts(run) == analysis.run
    assert stored_measurements(record).measured == record.measurements
    assert label_scheme(record, View.SAX) == "cine" and scheme_codes("scar") == {1: 1, 2: 2, 3: 3, 4: 4}
    assert np.isnan(stored_array((1.0, None))).tolist() == [False, True]


def test_long_axis_masks_of_a_cine_may_hold_the_atria() -> None:
    record = build_record(heart_analysis())
    late = replace(record, study=replace(record.study, modality="lge"))
    assert [label_scheme(record, view) for view in (View.LAX_2C, View.LAX_3C, View.LAX_4C)] == ["chambers"] * 3
    assert {label_scheme(late, view) for view in View} == {"scar"} and label_scheme(record, View.OTHER) == "cine"
    assert [n_label_codes(record, view) for view in (View.SAX, View.LAX_4C)] == [4, 6]
    array = np.array([0, 1, 2, 3, 4, 5], np.uint8).reshape(6, 1, 1, 1)
    assert stored_labels(array, record, View.LAX_4C).scheme == "chambers"
    plain = stored_labels(array * (array < 4), record, View.LAX_4C)
    assert (plain.scheme, plain.drawn) == ("cine", ()), "as of a model, or a reader, without atria"


def test_flags_that_need_the_model_are_those_of_the_record() -> None:
    analysis = heart_analysis()
    flag = Flag(code="heart-exceeds-fov", severity="warning", message="touches")
    record = replace(build_record(analysis), flags=(flag,))
    again = measure_again(heart_study(), analysis.predictions, MeasureOptions(), record)
    codes = [one.code for one in again.flags]
    assert codes.count("heart-exceeds-fov") == 1
    assert set(codes) == {"heart-exceeds-fov", *(one.code for one in analysis.measurements.flags)}
