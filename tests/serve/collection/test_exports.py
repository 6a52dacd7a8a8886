"""Exports of the list: text of a study never becomes a formula, and values follow the state of the review."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest

from cinema_cmr.core.errors import InputError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.serve.collection.exports import corrected_labels, labelled_cases, list_csv, model_labels, values_of
from cinema_cmr.serve.library import Library, Listed
from cinema_cmr.serve.messages import Changes
from cinema_cmr.serve.study_store import StudyStore


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


@pytest.mark.medium
def test_a_long_axis_with_an_atrium_is_exported_as_it_was_drawn(results: Path, tmp_path: Path) -> None:
    store = StudyStore(Library([results]))
    key = store.library.listed()[0].key
    width, height = store.use(key, lambda study: study.views[View.LAX_4C].cine.shape[:2])
    runs = [0, 20, 4, 12, 3, 7, 0, width * height - 39]
    given = {"slices": [{"view": "lax_4c", "frame": 2, "slice": 0, "runs": runs}]}
    store.use(key, lambda study: store.change(study, Changes.model_validate(given)))
    (one,) = store.library.listed()
    own, corrected = model_labels(one, View.LAX_4C), corrected_labels(one, View.LAX_4C)
    assert not np.any(own == 4) and np.count_nonzero(corrected == 4) == 12
    exported = labelled_cases([one], tmp_path / "exports")
    assert (exported.cases, exported.frames) == (1, 1)
    (mask,) = (tmp_path / "exports").rglob("lax_4c_seg.nii.gz")
    labels = np.asarray(nibabel.load(mask).dataobj)
    assert np.array_equal(labels[..., 2], corrected[..., 2]) and labels.any(axis=(0, 1, 2)).sum() == 1
    stack = model_labels(one, View.SAX)
    wrong = one.review.with_slice(View.SAX, 0, 0, np.full(stack.shape[:2], 4, np.uint8))
    with pytest.raises(InputError, match="label codes 4 to 4; expected 0 to 3"):
        corrected_labels(replace(one, review=wrong), View.SAX)


def test_without_a_corrected_slice_there_is_nothing_to_export(listed: Listed, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no study has corrected slices"):
        labelled_cases([listed], tmp_path / "exports")
    assert not (tmp_path / "exports").exists()
