"""Slices in space: stacks in order, repeats apart, true distances, and what is odd about them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cinema_cmr.core.geometry import apply_affine, lps_to_ras
from cinema_cmr.io.dicom.stack import CineSlice, Stack, geometry_issues, merge_slices

ORIENTATION = (0.8, 0.6, 0.0, 0.0, 0.0, -1.0)
NORMAL = np.cross(ORIENTATION[:3], ORIENTATION[3:])


def cut(position: float, *, series: str = "series 1", beside: float = 0.0, n: int = 10, **facts: object) -> CineSlice:
    origin = np.array([10.0, -20.0, 30.0]) + position * NORMAL + beside * np.array(ORIENTATION[:3])
    made = CineSlice(series=series, origin=tuple(origin.tolist()), frames=tuple(range(n)), thickness_mm=8.0)
    return replace(made, **facts)


def stack_of(*slices: CineSlice) -> Stack:
    return Stack(slices=slices, orientation=ORIENTATION, pixel_spacing=(1.2, 1.5), rows=5, columns=7)


def positions(part: tuple[CineSlice, ...]) -> list[float]:
    return [round(float(np.array(one.origin) @ NORMAL - np.array([10.0, -20.0, 30.0]) @ NORMAL), 3) for one in part]


def test_affine_takes_column_row_slice_to_patient_space() -> None:
    stack = stack_of(cut(0), cut(10), cut(20))
    for i, j, k in ((0, 0, 0), (6, 0, 0), (0, 4, 0), (3, 2, 2)):
        row, column = np.array(ORIENTATION[:3]), np.array(ORIENTATION[3:])
        truth = np.array([10.0, -20.0, 30.0]) + 1.5 * i * row + 1.2 * j * column + 10 * k * NORMAL
        np.testing.assert_allclose(apply_affine(stack.affine, np.array([i, j, k])), lps_to_ras(truth), atol=1e-9)


def test_slices_ascend_along_the_normal_whatever_their_order() -> None:
    slices = [cut(p, series=f"series {k}") for k, p in enumerate((30, 0, 20, 10))]
    (part,), repeats = merge_slices(slices, NORMAL)
    assert positions(part) == [0, 10, 20, 30]
    assert repeats == []


def test_the_larger_series_stays_whole_when_another_repeats_part_of_it() -> None:
    whole = [cut(10.0 * k) for k in range(6)]
    again = [cut(10.0 * k + 2, series="series 2", acquisition_order=(9.0,)) for k in (2, 3)]
    (part,), repeats = merge_slices([*again, *whole], NORMAL)
    assert positions(part) == [0, 10, 20, 30, 40, 50]
    assert [one.excluded.series for one in repeats] == ["series 2"] * 2
    assert "6 slices, the other 2" in repeats[0].reason


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"acquisition_order": (2.0,)}, "later"),
        ({"frames": tuple(range(25))}, "25 frames"),
    ],
)
def test_which_of_two_at_one_place(facts: dict[str, object], reason: str) -> None:
    first = cut(0, series="series 1", acquisition_order=(1.0,))
    second = replace(cut(1, series="series 2", acquisition_order=(1.0,)), **facts)
    (part,), (repeat,) = merge_slices([first, second], NORMAL)
    assert part == (second,)
    assert reason in repeat.reason


def test_an_original_takes_precedence_over_a_later_derived_copy() -> None:
    (part,), (repeat,) = merge_slices(
        [cut(0, derived=True, acquisition_order=(5.0,)), cut(0, series="series 2")], NORMAL
    )
    assert part[0].series == "series 2"
    assert "original" in repeat.reason


def test_overlapping_slices_of_one_series_are_no_repeats() -> None:
    (part,), repeats = merge_slices([cut(4.0 * k) for k in range(5)], NORMAL)
    assert len(part) == 5 and not repeats


def test_parallel_planes_beside_or_far_away_are_other_stacks() -> None:
    stack = [cut(10.0 * k) for k in range(5)]
    beside = cut(20, series="series 2", beside=60)
    far = cut(150, series="series 3")
    parts, repeats = merge_slices([*stack, beside, far], NORMAL)
    assert sorted(len(part) for part in parts) == [1, 1, 5]
    assert not repeats


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
