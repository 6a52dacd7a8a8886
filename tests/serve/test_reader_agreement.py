"""Agreement of model and reader: by hand for two studies, and Dice of the corrected slices alone."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cinema_cmr.core.vocabulary import View
from cinema_cmr.serve.exports import model_labels
from cinema_cmr.serve.library import Library
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


def test_without_corrections_there_is_nothing_to_compare(results: Path) -> None:
    found = reader_agreement(Library([results]).listed())
    assert (found.studies, found.values, found.dice) == (0, [], {})
