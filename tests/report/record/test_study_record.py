"""The types of measurements.json."""

from __future__ import annotations

from dataclasses import fields

from cinema_cmr.core.vocabulary import NOTICE
from cinema_cmr.measure.scar import SCAR_SUMMARY
from cinema_cmr.report.record.study_record import SCHEMA_VERSION, StudyRecord, Summary


def test_summary_ends_with_the_measurements_of_infarcts() -> None:
    names = tuple(field.name for field in fields(Summary))
    assert names[-len(SCAR_SUMMARY) :] == SCAR_SUMMARY
    assert all(value is None for value in vars(Summary()).values())


def test_version_and_notice_are_the_first_keys() -> None:
    first, second, *_ = fields(StudyRecord)
    assert (first.name, first.default) == ("schema_version", SCHEMA_VERSION)
    assert (second.name, second.default) == ("notice", NOTICE)
