"""Values come out plain, and malformed ones come out as absent."""

from __future__ import annotations

import math

import pytest
from pydicom.dataset import Dataset

from cinema_cmr.io.dicom.files import quiet_pydicom
from cinema_cmr.io.dicom.values import clock_ms, integer_of, number_of, text_of, texts_of, value_of, vector_of


class Malformed:
    """A dataset whose elements cannot be converted."""

    def get(self, keyword: str) -> object:
        raise RuntimeError(keyword)


def test_absent_empty_and_malformed_are_none() -> None:
    empty = Dataset()
    empty.TriggerTime, empty.SeriesDescription = None, ""
    for dataset in (Dataset(), empty, Malformed()):
        assert value_of(dataset, "SeriesDescription") in (None, "")
        assert text_of(dataset, "SeriesDescription") == ""
        assert texts_of(dataset, "ImageType") == []
        assert number_of(dataset, "TriggerTime") is None
        assert integer_of(dataset, "InstanceNumber") is None
        assert vector_of(dataset, "PixelSpacing", 2) is None


def test_values_as_they_are() -> None:
    dataset = Dataset()
    dataset.TriggerTime, dataset.InstanceNumber, dataset.PixelSpacing = "12.5", "7", [1.5, float("nan")]
    with quiet_pydicom():
        dataset.ImageType = ["original", "PRIMARY "]
    assert number_of(dataset, "TriggerTime") == 12.5
    assert integer_of(dataset, "InstanceNumber") == 7
    assert texts_of(dataset, "ImageType") == ["ORIGINAL", "PRIMARY"]
    vector = vector_of(dataset, "PixelSpacing", 2)
    assert vector is not None and vector[0] == 1.5 and math.isnan(vector[1])
    assert vector_of(dataset, "PixelSpacing", 3) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("000001", 1000.0),
        ("120000.25", 43200250.0),
        ("20240704000002.5+0100", 2500.0),
        ("", None),
        ("12:00", None),
    ],
)
def test_clock(text: str, expected: float | None) -> None:
    assert clock_ms(text) == expected
