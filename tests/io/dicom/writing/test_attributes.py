"""Modules shared by written objects, against a plane whose lie in LPS is worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cinema_cmr.core.errors import GeometryError
from cinema_cmr.core.study import Study, Subject
from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine
from cinema_cmr.io.dicom.writing.attributes import (
    SeriesIdentity,
    decimal,
    display_window,
    image_planes,
    series_header,
    slice_step,
    study_header,
)

AFFINE = np.array([[0.0, 2.0, 0.0, 10.0], [3.0, 0.0, 0.0, 20.0], [0.0, 0.0, 4.0, 30.0], [0.0, 0.0, 0.0, 1.0]])
"""Rows run anteriorly with 3 mm pixels, columns to the right with 2 mm pixels, slices upwards by 4 mm."""


def cine_of(affine: np.ndarray = AFFINE, positions_mm: tuple[float, ...] = (0.0, 4.0, 8.0), **facts: object) -> Cine:
    array = np.zeros((5, 6, len(positions_mm), 2), np.float32)
    return Cine(array=array, affine=affine, view=View.SAX, slice_positions_mm=np.array(positions_mm), **facts)


def test_planes_are_in_lps() -> None:
    """In LPS anterior is -y and right is -x, so that both directions and the origin change sign."""
    planes = image_planes(cine_of())
    assert planes.orientation == ["0", "-1", "0", "-1", "0", "0"]
    assert planes.spacing == ["2", "3"]  # between rows, then between columns
    assert [planes.position(k) for k in range(3)] == [["-10", "-20", z] for z in ("30", "34", "38")]


def test_slice_locations_ascend_along_the_normal() -> None:
    """Row x column is (0, -1, 0) x (-1, 0, 0) = (0, 0, -1) in LPS."""
    assert [image_planes(cine_of()).location(k) for k in range(3)] == ["-30", "-34", "-38"]


def test_uneven_slices_keep_their_positions() -> None:
    planes = image_planes(cine_of(positions_mm=(0.0, 3.0, 8.0)))
    assert planes.origins[:, 2] == pytest.approx([30, 33, 38])


def test_oblique_axes_and_unknown_orientation_are_refused() -> None:
    skewed = AFFINE.copy()
    skewed[0, 0] = 0.1
    with pytest.raises(GeometryError, match="not perpendicular"):
        image_planes(cine_of(skewed))
    with pytest.raises(GeometryError, match="no known orientation"):
        image_planes(cine_of(orientation_known=False))


@pytest.mark.parametrize("value", [1 / 3, -np.pi * 1e8, 1.23456789012e-15, -1e-300, 123456789.123456])
def test_a_decimal_string_fits_and_keeps_nine_digits(value: float) -> None:
    """PS3.5 6.2: a DS has at most 16 characters."""
    text = decimal(value)
    assert len(text) <= 17 if value < 0 else len(text) <= 16
    assert float(text) == pytest.approx(value, rel=1e-9)


def test_the_step_is_the_usual_distance_and_absent_for_a_plane() -> None:
    assert slice_step(cine_of(positions_mm=(0.0, 4.0, 8.0, 20.0))) == {"SpacingBetweenSlices": "4"}
    assert slice_step(cine_of(positions_mm=(0.0,))) == {}


def test_the_subject_is_written_as_far_as_it_is_known() -> None:
    subject = Subject(sex="F", age_years=61.9, height_cm=170.0, weight_kg=70.5)
    header = study_header(Study(name="s", cines=(cine_of(),), subject=subject), "ab" * 32)
    assert (header.PatientSex, header.PatientAge, header.PatientSize, header.PatientWeight) == ("F", "061Y", 1.7, 70.5)
    assert header.PatientID == "SYNTHETIC-ABABABABABAB" and str(header.PatientName).startswith("Synthetic")
    unknown = study_header(Study(name="s", cines=(cine_of(),)), "ab" * 32)
    assert unknown.PatientSex == "" and not {"PatientAge", "PatientSize", "PatientWeight"} & set(unknown.dir())


def test_a_series_is_described_by_its_view() -> None:
    identity = SeriesIdentity(uid="2.25.7", number=3, acquisition=2)
    header = series_header(cine_of(), identity)
    assert (header["SeriesNumber"], header["SeriesInstanceUID"], header["SeriesTime"]) == (3, "2.25.7", "120024")
    assert header["SeriesDescription"] == "cine short axis"
    assert series_header(replace(cine_of(), view=View.OTHER), identity)["SeriesDescription"] == "cine"


def test_the_window_spans_the_tissue_and_is_never_empty() -> None:
    ramp = np.arange(201, dtype=np.float32).repeat(2)[:, None]  # every second value is sampled: 0 to 200
    centre, width = (float(text) for text in display_window(ramp))
    assert (centre - width / 2, centre + width / 2) == pytest.approx((2, 199))
    assert display_window(np.full((4, 4), 7, np.float32)) == ("7", "1")
