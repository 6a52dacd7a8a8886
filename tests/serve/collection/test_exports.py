"""Exports of the list: text of a study never becomes a formula, and values follow the state of the review."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path

import pytest

from cinema_cmr.core.errors import InputError
from cinema_cmr.serve.collection.exports import labelled_cases, list_csv, values_of
from cinema_cmr.serve.library import Library, Listed


@pytest.fixture
def listed(results: Path) -> Listed:
    (one,) = Library([results]).listed()
    return one


def test_values_are_the_readers_once_there_is_a_correction(listed: Listed) -> None:
    own = values_of(listed)
    review = replace(listed.review, es_frame=3, values={"lv_ef_percent": 12.5})
    assert values_of(replace(listed, review=review)) == {"lv_ef_percent": 12.5}
    assert values_of(replace(listed, review=replace(review, signed_off="t")))["lv_edv_ml"] == own["lv_edv_ml"]


def test_text_that_starts_as_a_formula_is_made_harmless(listed: Listed) -> None:
    name = '=HYPERLINK("http://evil.example")'
    record = replace(listed.record, study=replace(listed.record.study, name=name))
    (row,) = csv.DictReader(io.StringIO(list_csv([replace(listed, record=record)])))
    assert row["study"] != name and not row["study"].startswith("=")


def test_without_a_corrected_slice_there_is_nothing_to_export(listed: Listed, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no study has corrected slices"):
        labelled_cases([listed], tmp_path / "exports")
    assert not (tmp_path / "exports").exists()
