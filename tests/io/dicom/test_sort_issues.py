"""Issues of sorting: one for many slices, and none where nothing could change a number."""

from __future__ import annotations

from dataclasses import replace

from frame_headers import PLAIN_HEADER

from cinema_cmr.io.dicom.merge import RepeatedSlice
from cinema_cmr.io.dicom.sort_issues import (
    count_issues,
    cut_slice_issues,
    lost_slice_issues,
    order_issues,
    retake_issues,
)
from cinema_cmr.io.dicom.stack import CineSlice, Stack

SLICES = tuple(
    CineSlice(series=f"series {k}", origin=(0.0, 0.0, 8.0 * k), frames=tuple(range(20)), thickness_mm=8.0)
    for k in range(6)
)


def stack(*slices: CineSlice) -> Stack:
    return Stack(slices=slices, orientation=(1.0, 0, 0, 0, 1.0, 0), pixel_spacing=(1.0, 1.0), rows=4, columns=4)


def repeats(*excluded: CineSlice) -> list[RepeatedSlice]:
    reason = "it is the later acquisition"
    return [RepeatedSlice(excluded=one, kept=SLICES[k], reason=reason) for k, one in enumerate(excluded)]


def test_retakes_of_several_slices_are_one_issue() -> None:
    (issue,) = retake_issues([SLICES], repeats(*(replace(one, series="series 9") for one in SLICES[:3])))
    assert issue.evidence["n_slices"] == 3
    assert "series 9" in issue.message and "later" in issue.message


def test_derived_copies_and_single_planes_are_no_issue() -> None:
    assert retake_issues([SLICES], repeats(replace(SLICES[0], derived=True))) == []
    assert retake_issues([SLICES[:1]], repeats(SLICES[0])) == []


def test_a_slice_with_too_few_images_beside_cines_of_its_series_is_lost() -> None:
    slices = [replace(one, series="series 5") for one in SLICES]
    (issue,) = lost_slice_issues("series 5", (7, 1), slices)
    assert issue.severity == "error" and issue.evidence == {"series": "series 5", "slices": 1}
    assert "a slice was left out with 7 usable images" in issue.message
    assert lost_slice_issues("series 5", (3, 1), slices) == []  # localizers
    assert lost_slice_issues("series 6", (7,), slices) == [] and lost_slice_issues("series 5", (), slices) == []


def test_the_rest_of_a_slice_in_a_series_of_its_own_is_a_lost_slice_and_a_map_is_none() -> None:
    first = replace(PLAIN_HEADER, series="series 9", position=(0.0, 0.0, 48.0))
    headers = [first] * 20 + [replace(first, trigger_ms=40.0 * k, n_phases=20) for k in range(7)]
    rest = range(20, 27)
    (issue,) = cut_slice_issues(headers, rest, SLICES)
    assert issue.severity == "error" and "series 9" in issue.message
    beside = [replace(one, position=(0.0, 0.0, 40.0)) for one in headers]
    assert cut_slice_issues(beside, rest, SLICES) == []
    maps = [replace(one, trigger_ms=600.0, n_phases=None) for one in headers]
    assert cut_slice_issues(maps, rest, SLICES) == []


def test_frame_counts_are_one_issue() -> None:
    few = [replace(one, frames=one.frames[:15]) for one in SLICES[:2]]
    (issue,) = count_issues(stack(*few, *SLICES[2:]))
    assert issue.evidence["slices"] == 2
    assert count_issues(stack(*SLICES)) == []


def test_an_order_by_file_names_is_an_error() -> None:
    (issue,) = order_issues(stack(replace(SLICES[0], order_source="file order"), *SLICES[1:]))
    assert issue.severity == "error"
