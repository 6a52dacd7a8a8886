"""Agreement of model and reader: by hand for two studies, and Dice of the corrected slices alone."""

from __future__ import annotations

import csv
import io
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from interop_hearts import stack_cine

from cinema_cmr.core.errors import InputError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.io.nifti.image import read_nifti_grid, write_mask
from cinema_cmr.io.provenance import file_digest
from cinema_cmr.pipeline.remeasure import Corrections, remeasure
from cinema_cmr.report.write import write_results
from cinema_cmr.serve.collection.exports import labelled_cases, list_csv, model_labels
from cinema_cmr.serve.collection.reader_agreement import reader_agreement
from cinema_cmr.serve.library import Library
from cinema_cmr.serve.opened_view import read_codes
from cinema_cmr.serve.own_masks import own_mask
from cinema_cmr.serve.study_store import StudyStore


def test_bias_limits_and_dice(results: Path, tmp_path: Path) -> None:
    shutil.copytree(results, tmp_path / "other")
    first, second = Library([results, tmp_path / "other"]).listed()
    own = model_labels(first, View.SAX)
    half = own[:, :, 2, 0].copy()
    half[np.flatnonzero((half == 3).any(axis=1))[::2]] = 0
    lost = 1 - (half == 3).sum() / (own[:, :, 2, 0] == 3).sum()
    edv = next(one.value for one in first.record.measurements if one.name == "lv_edv_ml")
    assert edv is not None
    review = replace(first.review.with_slice(View.SAX, 0, 2, half), values={"lv_edv_ml": edv - 4})
    found = reader_agreement(
        [replace(first, review=review), replace(second, review=replace(second.review, signed_off="t"))]
    )
    (value,) = found.values
    assert (found.studies, found.corrected, value.title, value.n) == (2, 1, "LV EDV", 2)
    assert value.bias == pytest.approx(2) and value.upper - value.lower == pytest.approx(
        2 * 1.96 * np.sqrt(8), rel=1e-6
    )
    assert found.dice["lv"] == pytest.approx(2 * (1 - lost) / (2 - lost))


def test_corrections_of_other_masks_are_left_out_and_counted(results: Path, tmp_path: Path) -> None:
    """As after an analysis with another model into the same folder."""
    (one,) = Library([results]).listed()
    review = one.review.with_slice(View.SAX, 0, 2, np.zeros(model_labels(one, View.SAX).shape[:2], np.uint8))
    good = replace(one, review=replace(review, mask_sha256={"sax": file_digest(own_mask(results, View.SAX))}))
    other = replace(one, review=replace(review, mask_sha256={"sax": "00" * 32}))
    found = reader_agreement([good, other])
    assert (found.studies, found.left_out) == (1, 1) and found.dice["lv"] == 0
    done = labelled_cases([good, other], tmp_path / "exports")
    assert (done.cases, done.left_out) == (1, 1)
    with pytest.raises(InputError, match="1 that do not fit"):
        labelled_cases([other], tmp_path / "exports")


def test_masks_corrected_elsewhere_count_once_the_study_is_opened(results: Path, tmp_path: Path) -> None:
    """Corrected and measured by another program, with and without a review before; then by an editor in place."""

    def found() -> tuple[int, int, int | None]:
        (one,) = Library([results]).listed()
        agreed = reader_agreement([one])
        cases = None if agreed.left_out else labelled_cases([one], tmp_path / "exports").cases
        return agreed.studies, agreed.left_out, cases

    empty = _edited(results, slice(2, 3))
    write_results(remeasure(results, Corrections()), results, overwrite=True)
    assert found() == (0, 1, None)
    with pytest.raises(InputError, match="open a study"):
        labelled_cases(Library([results]).listed(), tmp_path / "exports")
    store = StudyStore(Library([results]))
    key = store.library.listed()[0].key
    store.use(key, store.look_at)
    assert found() == (1, 0, 1)
    _edited(results, slice(3, 4))
    assert found() == (0, 1, None) and empty.is_file()


def _edited(results: Path, slices: slice) -> Path:
    """Empty slices of the first frame in the mask of the results, as an editor does."""
    path = results / "segmentation/sax.nii.gz"
    grid = read_nifti_grid(path, view=View.SAX)
    labels = read_codes(path, grid.shape, "cine").copy()
    labels[:, :, slices, 0] = 0
    write_mask(labels, grid, path, overwrite=True)
    return path


def test_a_sign_off_that_a_later_change_ended_does_not_count(results: Path) -> None:
    """The reader signed the model's results off; then the weight changed elsewhere."""
    store = StudyStore(Library([results]))
    key = store.library.listed()[0].key
    store.use(key, lambda study: store.sign_off(study, signed=True))
    (signed,) = store.library.listed()
    assert reader_agreement([signed]).studies == 1 and ",signed off,0,2" in list_csv([signed])
    later = datetime.now(UTC) + timedelta(minutes=1)
    write_results(remeasure(results, Corrections(rules={"weight_kg": 90.0}), now=later), results, overwrite=True)
    (one,) = Library([results]).listed()
    assert one.review.signed_off and one.state == "corrected"
    assert (reader_agreement([one]).studies, reader_agreement([one]).left_out) == (0, 1)
    (row,) = csv.DictReader(io.StringIO(list_csv([one])))
    assert row["signed_off"] == ""


def test_agreement_is_of_cines(results: Path, late: Path) -> None:
    """A corrected scar map has other codes and other numbers: it neither counts nor stops the others."""
    cine, scar = (Library([folder]).listed()[0] for folder in (results, late))
    plane = np.zeros(stack_cine().shape[:2], np.uint8)
    studies = [replace(one, review=one.review.with_slice(View.SAX, 0, 2, plane)) for one in (cine, scar)]
    found = reader_agreement(studies)
    assert (found.studies, found.corrected, found.left_out) == (1, 1, 0)
    assert set(found.dice) == {"lv", "myo", "rv"}


def test_without_corrections_there_is_nothing_to_compare(results: Path) -> None:
    found = reader_agreement(Library([results]).listed())
    assert (found.studies, found.values, found.dice) == (0, [], {})
