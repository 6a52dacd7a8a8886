"""The cycle's length: from tags, else from the images, else unknown."""

from __future__ import annotations

from dataclasses import replace

import pytest
from frame_headers import PLAIN_HEADER

from cinema_cmr.io.dicom.header import FrameHeader
from cinema_cmr.io.dicom.phases.rate import CardiacCycle, cardiac_cycle
from cinema_cmr.io.dicom.stack import CineSlice, Stack


def cycle(*headers: FrameHeader) -> CardiacCycle:
    cuts = tuple(
        CineSlice(series="series 1", origin=(0.0, 0.0, float(k)), frames=(k, None)) for k in range(len(headers))
    )
    stack = Stack(slices=cuts, orientation=PLAIN_HEADER.orientation, pixel_spacing=(1.0, 1.0), rows=4, columns=4)
    return cardiac_cycle(headers, stack)


def test_the_nominal_interval_takes_precedence_as_the_median_of_slices() -> None:
    found = cycle(*(replace(PLAIN_HEADER, rr_interval_ms=value, heart_rate_bpm=70.0) for value in (800, 850, 1000)))
    assert (found.rr_ms, found.source, found.heart_rate_bpm) == (850, "NominalInterval", 70)
    assert "slices 800 to 1000" in found.issue("series 1").message


def test_a_heart_rate_that_the_interval_contradicts_is_not_used_and_reported() -> None:
    found = cycle(replace(PLAIN_HEADER, rr_interval_ms=756.0, heart_rate_bpm=160.0))
    assert found.rr_ms == 756 and found.heart_rate_bpm == 60000 / 756
    note, warning = found.issues("series 1")
    assert note.code == "rr-interval"
    assert (warning.code, warning.severity) == ("heart-rate-differs", "warning")
    assert "160 / min" in warning.message and "79 / min" in warning.message and "--heart-rate" in warning.message
    close = cycle(replace(PLAIN_HEADER, rr_interval_ms=756.0, heart_rate_bpm=70.0))
    assert close.heart_rate_bpm == 70 and [one.code for one in close.issues("series 1")] == ["rr-interval"]


def test_heart_rate_is_next() -> None:
    found = cycle(replace(PLAIN_HEADER, heart_rate_bpm=60.0))
    assert (found.rr_ms, found.source, found.heart_rate_bpm) == (1000, "HeartRate", 60)


def test_a_beat_seen_in_the_images_stands_where_no_tag_states_the_cycle_or_that_of_several() -> None:
    unknown = cycle(PLAIN_HEADER)
    assert unknown.rr_ms is None
    assert unknown.or_beat(740.0).rr_ms == 740
    assert unknown.or_beat(740.0).heart_rate_bpm is None
    stated = cycle(replace(PLAIN_HEADER, rr_interval_ms=1500.0, heart_rate_bpm=40.0))
    assert stated.or_beat(None) is stated
    assert (stated.or_beat(750.0).rr_ms, stated.or_beat(750.0).heart_rate_bpm) == (750, None)


def test_an_unknown_cycle_is_reported() -> None:
    issue = cycle(PLAIN_HEADER).issue("series 1")
    assert issue.severity == "info" and "unknown" in issue.message


def timed(rr_ms: float, rate: float | None, frames: int = 20) -> CardiacCycle:
    times = tuple(37.8 * k for k in range(frames))
    one = CineSlice(series="series 1", origin=(0.0, 0.0, 0.0), frames=(0,) * frames, times_ms=times)
    stack = Stack(slices=(one,), orientation=PLAIN_HEADER.orientation, pixel_spacing=(1.0, 1.0), rows=4, columns=4)
    return cardiac_cycle([replace(PLAIN_HEADER, rr_interval_ms=rr_ms, heart_rate_bpm=rate)], stack)


def test_an_interval_that_rate_and_span_of_the_frames_contradict_is_not_used() -> None:
    for wrong_ms in (1512.0, 378.0):
        found = timed(wrong_ms, 79.0)
        assert found.rr_ms == 60000 / 79 and found.heart_rate_bpm == 79
        warning = found.issues("series 1")[1]
        assert warning.code == "heart-rate-differs" and f"{wrong_ms:.0f} ms" in warning.message


def test_frames_over_half_of_the_stated_cycle_are_reported() -> None:
    found = timed(1512.0, None)
    assert found.rr_ms == 1512
    assert [one.code for one in found.issues("series 1")] == ["rr-interval", "window-incomplete"]
    assert [one.code for one in timed(900.0, None).issues("series 1")] == ["rr-interval"]


@pytest.mark.parametrize(("covered", "level"), [(0.5, "warning"), (0.7, "info"), (0.79, "info"), (0.9, None)])
def test_a_cycle_that_the_frames_do_not_cover_is_never_silent(covered: float, level: str | None) -> None:
    cycle = CardiacCycle(rr_ms=1000.0, source="NominalInterval", heart_rate_bpm=60.0, covered=covered)
    found = [one.severity for one in cycle.issues("series 1") if one.code == "window-incomplete"]
    assert found == ([] if level is None else [level])
