"""Slices in space: stacks in order, repeats apart, true distances, and what is odd about them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cinema_cmr.core.geometry import apply_affine, lps_to_ras
from cinema_cmr.io.dicom.stack import CineSlice, Stack, geometry_issues

ORIENTATION = (0.8, 0.6, 0.0, 0.0, 0.0, -1.0)
NORMAL = np.cross(ORIENTATION[:3], ORIENTATION[3:])


def cut(position: float, *, series: str = "series 1", beside: float = 0.0, n: int = 10, **facts: object) -> CineSlice:
    origin = np.array([10.0, -20.0, 30.0]) + position * NORMAL + beside * np.array(ORIENTATION[:3])
    made = CineSlice(series=series, origin=tuple(origin.tolist()), frames=tuple(range(n)), thickness_mm=8.0)
    return replace(made, **facts)


def stack_of(*slices: CineSlice) -> Stack:
    return Stack(slices=slices, orientation=ORIENTATION, pixel_spacing=(1.2, 1.5), rows=5, columns=7)


def test_affine_takes_column_row_slice_to_patient_space() -> None:
    stack = stack_of(cut(0), cut(10), cut(20))
    for i, j, k in ((0, 0, 0), (6, 0, 0), (0, 4, 0), (3, 2, 2)):
        row, column = np.array(ORIENTATION[:3]), np.array(ORIENTATION[3:])
        truth = np.array([10.0, -20.0, 30.0]) + 1.5 * i * row + 1.2 * j * column + 10 * k * NORMAL
        np.testing.assert_allclose(apply_affine(stack.affine, np.array([i, j, k])), lps_to_ras(truth), atol=1e-9)


def test_a_missing_slice_is_flagged_and_the_true_distance_kept() -> None:
    stack = stack_of(*(cut(p) for p in (0, 10, 30, 40, 50)))
    np.testing.assert_allclose(stack.positions_mm, [0, 10, 30, 40, 50])
    (issue,) = geometry_issues(stack)
    assert issue.code == "slice-gap"
    assert issue.evidence["slice"] == 1 and issue.evidence["gap_mm"] == 20


def test_slices_out_of_line_are_measured() -> None:
    stack = stack_of(cut(0), cut(10), cut(20, beside=6), cut(30), cut(40))
    (issue,) = geometry_issues(stack)
    assert issue.code == "slices-out-of-line"
    assert issue.evidence["slice"] == 2
    assert issue.evidence["off_mm"] == pytest.approx(4.8)
    slanted = stack_of(*(cut(10.0 * k, beside=2.0 * k) for k in range(5)))
    assert geometry_issues(slanted) == []


def test_spacing_of_the_file_is_not_believed_against_positions() -> None:
    stack = stack_of(*(cut(10.0 * k, spacing_between_mm=8.0) for k in range(4)))
    (issue,) = geometry_issues(stack)
    assert issue.code == "spacing-disagrees"
    assert issue.evidence == {"stated_mm": 8.0, "positions_mm": 10.0}
    np.testing.assert_allclose(np.linalg.norm(stack.affine[:3, 2]), 10)
