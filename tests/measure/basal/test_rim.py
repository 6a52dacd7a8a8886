"""The share of the rim of blood in myocardium, on shapes whose share is counted by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hearts import LV, MYO, RV, cine_of, heart

from cinema_cmr.core.annotation import LabelMap
from cinema_cmr.measure.basal.rim import enclosed_fractions


def test_enclosed_share_is_by_length_of_the_rim() -> None:
    plane = np.zeros((12, 12), dtype=np.uint8)
    plane[4:8, 4:8] = LV
    plane[2:4, 4:8] = MYO  # one side across x, whose edges are as long as a pixel along y
    labels = LabelMap(array=plane[..., None, None])
    fraction = enclosed_fractions(cine_of((12, 12, 1, 1), (1.0, 3.0, 8.0)), labels)
    assert fraction[0, 0] == pytest.approx(3 / (2 * 3 + 2 * 1))


def test_blood_that_borders_rv_or_nothing_is_open_and_none_is_nan() -> None:
    plane = np.zeros((12, 12, 3), dtype=np.uint8)
    plane[4:8, 4:8, :2] = LV
    plane[2:4, 4:8, 0] = RV
    fractions = enclosed_fractions(cine_of((12, 12, 3, 1), (1.0, 1.0, 8.0)), LabelMap(array=plane[..., None]))
    assert fractions[:2, 0].tolist() == [0.0, 0.0] and np.isnan(fractions[2, 0])


def test_flips_and_rotations_change_nothing() -> None:
    cine, labels = heart((1.0,), spacing_mm=(1.5, 1.5, 8.0), shape=(80, 80))
    labels.array[45:, :, 0][labels.array[45:, :, 0] == MYO] = 0
    expected = enclosed_fractions(cine, labels)
    assert 0 < expected[0, 0] < 1
    for moved in (labels.array[::-1], np.rot90(labels.array), labels.array.transpose(1, 0, 2, 3)):
        np.testing.assert_allclose(enclosed_fractions(cine, LabelMap(array=np.ascontiguousarray(moved))), expected)
