"""Agreement of model and reader: by hand for two studies, and Dice of the corrected slices alone."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from interop_hearts import stack_cine

from cinema_cmr.core.errors import InputError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.io.provenance import file_digest
from cinema_cmr.serve.exports import labelled_cases, model_labels
from cinema_cmr.serve.library import Library
from cinema_cmr.serve.own_masks import own_mask
from cinema_cmr.serve.reader_agreement import reader_agreement


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
    with pytest.raises(InputError, match="1 with those of other masks"):
        labelled_cases([other], tmp_path / "exports")


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
