"""Stacks from headers alone: any order, any split into series, any numbering gives the same places."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from cinema_cmr.io.dicom.header import FrameHeader
from cinema_cmr.io.dicom.series_groups import possible_duplicates
from cinema_cmr.io.dicom.sort import instance_positions, sort_headers

N_SLICES, N_FRAMES = 5, 10


def header(position: int, frame: int, **facts: object) -> FrameHeader:
    made = FrameHeader(
        file=position * N_FRAMES + frame,
        series="series 1",
        rows=4,
        columns=6,
        orientation=(1.0, 0.0, 0.0, 0.0, 0.8, 0.6),
        position=(0.0, -6.0 * position, 8.0 * position),
        pixel_spacing=(1.0, 1.0),
        instance_uid=f"1.{position}.{frame}.{facts.get('series', '')}",
        instance_number=position * N_FRAMES + frame + 1,
        trigger_ms=40.0 * frame,
        thickness_mm=8.0,
    )
    return replace(made, **facts)


def study(**facts: object) -> list[FrameHeader]:
    return [header(k, t, **facts) for k in range(N_SLICES) for t in range(N_FRAMES)]


def grid(headers: list[FrameHeader]) -> list[list[tuple[float, float | None]]]:
    """(height, trigger time) of what was put at each slice and frame."""
    (stack,) = sort_headers(headers).stacks
    return [
        [(headers[k].position[2], headers[k].trigger_ms) for k in cut.frames if k is not None] for cut in stack.slices
    ]


EXPECTED = [[(8.0 * k, 40.0 * t) for t in range(N_FRAMES)] for k in range(N_SLICES)]


def test_any_order_of_files_gives_the_same_grid() -> None:
    headers = study()
    random.Random(1).shuffle(headers)
    assert grid(headers) == EXPECTED


def test_slices_scattered_over_series_make_one_stack() -> None:
    headers = [replace(one, series=f"series {int(one.position[2]) % 3}") for one in study()]
    assert grid(headers) == EXPECTED


def test_trigger_times_that_differ_between_slices_order_each_slice_by_itself() -> None:
    headers = [replace(one, trigger_ms=(one.trigger_ms or 0) * (1 + one.position[2] / 100) + 7) for one in study()]
    places = instance_positions(sort_headers(headers).stacks[0], headers)
    assert places == {("series 1", k * N_FRAMES + t + 1): (k, t) for k in range(N_SLICES) for t in range(N_FRAMES)}


@pytest.mark.parametrize("time_first", [False, True])
def test_without_trigger_times_instance_numbers_tell(time_first: bool) -> None:
    headers = []
    for k in range(N_SLICES):
        for t in range(N_FRAMES):
            number = t * N_SLICES + k if time_first else k * N_FRAMES + t
            headers.append(header(k, t, trigger_ms=None, instance_number=number + 1, temporal_index=1.0))
    random.Random(2).shuffle(headers)
    (stack,) = sort_headers(headers).stacks
    assert [[headers[i].file for i in cut.frames if i is not None] for cut in stack.slices] == [
        [k * N_FRAMES + t for t in range(N_FRAMES)] for k in range(N_SLICES)
    ]


def test_two_series_at_the_same_places_are_never_interleaved() -> None:
    headers = [*study(series_number=3), *study(series="series 4", series_number=4)]
    found = sort_headers(headers)
    assert [stack.series for stack in found.stacks] == [("series 1",), ("series 4",)]
    assert [len(stack.slices) for stack in found.stacks] == [N_SLICES, N_SLICES]


def test_equal_instances_are_used_once_and_equal_pixels_too() -> None:
    headers = [*study(), *study()]
    found = sort_headers(headers)
    assert grid(headers) == EXPECTED
    assert [issue.code for issue in found.issues] == ["duplicate-images"]
    copied = [*study(), *study(series="series 2")]
    suspects = possible_duplicates(copied)
    assert suspects == tuple(range(2 * N_SLICES * N_FRAMES))
    digests = {k: str(k % (N_SLICES * N_FRAMES)) for k in suspects}
    found = sort_headers(copied, digests=digests)
    assert [(left.series, left.reason) for left in found.excluded] == [("series 2", "copies of other images")]


def test_a_key_image_copied_from_a_cine_does_not_take_its_frame() -> None:
    headers = [header(1, 3, series="series 0"), *study()]
    digests = dict.fromkeys(possible_duplicates(headers), "same")
    found = sort_headers(headers, digests=digests)
    (stack,) = found.stacks
    assert all(None not in cut.frames for cut in stack.slices)
    assert found.excluded[0].series == "series 0"


def test_another_orientation_is_another_stack_and_another_grid_a_repeat_of_its_slice() -> None:
    turned = (0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
    headers = study()
    headers += [header(0, t, series="series 2", orientation=turned) for t in range(N_FRAMES)]
    headers += [header(0, t, series="series 3", pixel_spacing=(1.1, 1.1)) for t in range(N_FRAMES)]
    headers += [header(0, t, series="series 4", rows=5) for t in range(N_FRAMES)]
    found = sort_headers(headers)
    assert sorted(len(stack.slices) for stack in found.stacks) == [1, 5]
    assert {one.series for one in found.excluded} <= {"series 1", "series 3", "series 4"}
    (issue,) = (one for one in found.issues if one.code == "slices-repeated")
    assert issue.evidence["n_slices"] == 2


def test_single_frames_among_a_cine_are_left_out_with_the_count() -> None:
    facts = {"series": "series 9", "trigger_ms": 0.0}
    singles = [replace(header(k, 99), **facts, position=(0.0, 0.0, 4.0 + 8.0 * k)) for k in range(3)]
    headers = [*study(), *singles]
    found = sort_headers(headers)
    (left,) = found.excluded
    assert (left.series, left.n_images) == ("series 9", 3)
    assert "1 frames at most at 3 positions" in left.reason


def test_missing_frame_is_named() -> None:
    headers = [one for one in study() if (one.position[2], one.trigger_ms) != (16.0, 120.0)]
    found = sort_headers(headers)
    (issue,) = found.issues
    assert issue.code == "missing-frame"
    assert issue.evidence == {"series": "series 1", "slice": 2, "frame": 3}
    cut = found.stacks[0].slices[2]
    assert cut.frames[3] is None and cut.times_ms is not None and cut.times_ms[3] == pytest.approx(120)


def test_an_order_by_file_names_alone_is_an_error_not_a_silent_guess() -> None:
    found = sort_headers([replace(one, trigger_ms=None, instance_number=None) for one in study()])
    assert [cut.order_source for cut in found.stacks[0].slices] == ["file order"] * N_SLICES
    assert [(issue.code, issue.severity) for issue in found.issues] == [("frame-order-unknown", "error")]
    assert "frame-order-unknown" not in [one.code for one in sort_headers(study(trigger_ms=None)).issues]
