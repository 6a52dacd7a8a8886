"""What is known of a study: facts, its subject, and what its masks measure."""

from __future__ import annotations

import gc
from dataclasses import replace
from typing import Any

import pytest
from oracles import annotated, heart

from cinema_cmr.core.study import Subject
from cinema_cmr.core.vocabulary import View
from cinema_cmr.tasks import targets
from cinema_cmr.tasks.targets import bounds_of_cycle, reference_measurements, target_value

STUDY = annotated(heart((10.0, 15.0, 12.0)), group="DCM")


def test_a_fact_goes_first() -> None:
    assert target_value(STUDY, "group") == "DCM"
    assert target_value(replace(STUDY, facts={"age_years": 61}), "age_years") == 61.0


def test_the_subject_and_its_body_mass_index() -> None:
    subject = Subject(sex="F", height_cm=200.0, weight_kg=80.0)
    study = replace(STUDY, study=replace(STUDY.study, subject=subject))
    assert target_value(study, "sex") == "F" and target_value(study, "bmi") == pytest.approx(20.0)
    assert target_value(STUDY, "bmi") is None and target_value(STUDY, "age_years") is None
    assert target_value(study, "fill_from") is None


def test_masks_measure() -> None:
    ef = target_value(STUDY, "lv_ef_percent")
    assert ef == pytest.approx(100 * (1 - (10 / 15) ** 2), abs=3)
    assert target_value(STUDY, "no such thing") is None
    assert target_value(replace(STUDY, labels={}), "lv_ef_percent") is None


def test_partly_drawn_masks_measure_nothing() -> None:
    labels = replace(STUDY.labels[View.SAX], drawn=("lv",))
    assert reference_measurements(replace(STUDY, labels={View.SAX: labels})) is None


def test_end_diastole_has_the_most_blood() -> None:
    assert bounds_of_cycle(STUDY) == (pytest.approx(1 / 3), 0.0)
    assert bounds_of_cycle(replace(STUDY, labels={}, labelled_frames={})) == (0.0, 0.4)


@pytest.mark.medium
def test_a_study_is_measured_once_while_it_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    measure, asked = targets.measure_masks, []

    def counted(*args: Any, **options: Any) -> Any:
        asked.append(1)
        return measure(*args, **options)

    monkeypatch.setattr(targets, "measure_masks", counted)
    study, known = replace(STUDY), len(targets._MEASURED)
    assert (
        target_value(study, "lv_ef_percent") == target_value(study, "lv_ef_percent") != target_value(study, "lv_edv_ml")
    )
    assert len(asked) == 1 and len(targets._MEASURED) == known + 1
    del study
    gc.collect()
    assert len(targets._MEASURED) == known
