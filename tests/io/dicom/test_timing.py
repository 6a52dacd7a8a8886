"""Frames in time: by trigger time where it tells, else by the next best; holes are seen, not closed up."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from frame_headers import PLAIN_HEADER

from cinema_cmr.io.dicom.timing import (
    TimeOrder,
    assign_frame_slots,
    frame_times_ms,
    gap_slots,
    non_cine_reason,
    order_in_time,
)


def order_of(values: list[float], source: str = "trigger time") -> TimeOrder:
    return TimeOrder(frames=tuple(range(len(values))), values=tuple(values), source=source)


def test_trigger_time_takes_precedence_over_instance_number() -> None:
    headers = [replace(PLAIN_HEADER, trigger_ms=40.0 * (9 - k), instance_number=k + 1) for k in range(10)]
    order = order_in_time(headers, range(10))
    assert order.frames == tuple(range(9, -1, -1))
    assert order.source == "trigger time"


@pytest.mark.parametrize(
    ("facts", "source"),
    [
        ({"trigger_ms": 20.0, "temporal_index": None}, "temporal position"),
        ({"trigger_ms": 20.0, "acquired_ms": None}, "acquisition time"),
        ({"trigger_ms": None, "instance_number": None}, "instance number"),
        ({"trigger_ms": 0.0}, "file order"),
    ],
)
def test_fallbacks_for_an_absent_or_constant_trigger_time(facts: dict[str, float | None], source: str) -> None:
    headers = []
    for k in range(10):
        own = {name: 10.0 * (10 - k) if value is None else value for name, value in facts.items()}
        if facts["trigger_ms"] is None:
            own["trigger_ms"] = None
        headers.append(replace(PLAIN_HEADER, **own))
    order = order_in_time(headers, range(10))
    assert order.source == source
    assert order.frames == tuple(range(10) if source == "file order" else range(9, -1, -1))


@pytest.mark.parametrize("to_ms", [10, 50, 100])
@pytest.mark.parametrize("step_ms", [28.0, 37.8])
def test_rounded_trigger_times_are_no_repeats(to_ms: int, step_ms: float) -> None:
    headers = [
        replace(PLAIN_HEADER, trigger_ms=float(round(step_ms * k / to_ms) * to_ms), instance_number=k + 1)
        for k in range(20)
    ]
    order = order_in_time(headers, range(20))
    assert order.frames == tuple(range(20)) and not order.repeats
    assert order.source == "trigger time"
    if to_ms > step_ms:
        assert order.step == pytest.approx(step_ms, rel=0.05)


@pytest.mark.parametrize(("name", "source"), [("temporal_index", "temporal position"), ("instance_number", None)])
def test_broken_trigger_times_give_way_to_a_clean_number(name: str, source: str | None) -> None:
    rng = np.random.default_rng(0)
    broken = rng.permutation(20) * 40 + rng.integers(-19, 19, 20)
    headers = [
        replace(PLAIN_HEADER, **{"acquired_ms": None, "instance_number": None, "trigger_ms": float(time), name: k + 1})
        for k, time in enumerate(broken)
    ]
    order = order_in_time(headers, range(20))
    assert order.frames == tuple(range(20))
    assert order.source == (source or "instance number")


def test_uneven_trigger_times_stand_if_the_numbers_agree() -> None:
    times = [0.0, 30.0, 75.0, 90.0, 170.0, 200.0, 260.0, 270.0, 330.0]
    headers = [replace(PLAIN_HEADER, trigger_ms=time, instance_number=k + 1) for k, time in enumerate(times)]
    assert order_in_time(headers, range(9)).values == tuple(times)


def test_of_two_passes_in_one_series_the_later_stands() -> None:
    headers = [
        replace(PLAIN_HEADER, trigger_ms=40.0 * (k % 10), instance_number=k + 1, acquisition_number=2 - k // 10)
        for k in range(20)
    ]
    order = order_in_time(headers, range(20))
    assert order.frames == tuple(range(10))
    assert order.repeats == tuple(range(10, 20))


@pytest.mark.parametrize(
    ("values", "slots"),
    [
        ([0, 35, 70, 105], [0, 1, 2, 3]),
        ([0, 35, 105, 140, 175], [0, 1, 3, 4, 5]),
        ([10, 11, 13, 14, 18, 19, 20], [0, 1, 2, 3, 4, 5, 6]),
        ([0, 30, 75, 90, 170], [0, 1, 2, 3, 4]),
        ([0, 1, 2, 3, 400], [0, 1, 2, 3, 4]),
    ],
    ids=["whole", "one hole", "too many holes", "irregular", "a pause"],
)
def test_gap_slots(values: list[float], slots: list[int]) -> None:
    assert gap_slots(values).tolist() == slots


def test_a_short_slice_is_padded_at_its_missing_frame() -> None:
    step = 40.0
    whole = [step * (k + 0.5) for k in range(10)]
    orders = [
        order_of(whole),
        order_of(whole),
        order_of(whole[:4] + whole[5:]),
        order_of(whole[1:]),
        order_of(whole[:-1]),
    ]
    rows = assign_frame_slots(orders, rr_ms=[None] * 5, n_stated=[None] * 5)
    holes = [[t for t, frame in enumerate(row) if frame is None] for row in rows]
    assert holes == [[], [], [4], [0], [9]]


def test_fewer_frames_over_a_whole_cycle_are_no_holes() -> None:
    orders = [order_of([40.0 * k for k in range(25)]) for _ in range(3)]
    orders.append(order_of([1000 / 24 * k for k in range(24)]))
    rows = assign_frame_slots(orders, rr_ms=[1000.0] * 4, n_stated=[None] * 4)
    assert [len(row) for row in rows] == [25, 25, 25, 24]
    assert None not in rows[3]


def test_a_lone_slice_is_padded_if_its_header_and_cycle_agree() -> None:
    cut = [40.0 * k for k in range(1, 25)]
    (row,) = assign_frame_slots([order_of(cut)], rr_ms=[1000.0], n_stated=[25])
    assert len(row) == 25 and row[0] is None
    (row,) = assign_frame_slots([order_of(cut)], rr_ms=[960.0], n_stated=[25])
    assert len(row) == 24
    (row,) = assign_frame_slots([order_of(cut)], rr_ms=[None], n_stated=[25])
    assert len(row) == 24


def test_a_hole_by_instance_number_in_either_order() -> None:
    slice_first = [[1, 2, 3, 4, 5, 6, 7, 8], [10, 11, 12, 13, 14, 15, 16]]
    time_first = [[1, 3, 5, 7, 9, 11, 13, 15], [4, 6, 8, 10, 12, 14, 16]]
    for numbers in (slice_first, time_first):
        orders = [order_of([float(value) for value in own], "instance number") for own in numbers]
        rows = assign_frame_slots(orders, rr_ms=[None, None], n_stated=[None, None])
        assert [frame is None for frame in rows[1]] == [True] + [False] * 7


def test_times_of_filled_frames_follow_the_step() -> None:
    order = order_of([40.0, 80.0, 160.0, 200.0])
    times = frame_times_ms(order, (None, 0, 1, None, 2, 3, None))
    assert times is not None
    np.testing.assert_allclose(times, [0, 40, 80, 120, 160, 200, 240])
    assert frame_times_ms(order_of([1.0, 2.0, 3.0], "instance number"), (0, 1, 2)) is None


@pytest.mark.parametrize(
    ("change", "stated"),
    [
        (lambda k: {"echo_time_ms": 2.0 * k}, "echo times"),
        (lambda k: {"inversion_time_ms": 80.0 * k}, "inversion times"),
        (lambda k: {"trigger_ms": 900.0 * k}, "heartbeat"),
        (lambda k: {"trigger_ms": 300.0, "acquired_ms": 800.0 * k}, "heartbeat"),
        (lambda k: {"trigger_ms": 300.0 + 0.3 * k, "acquired_ms": 800.0 * k}, "heartbeat"),
        (lambda k: {"trigger_ms": 40.0 * k, "acquired_ms": 800.0 * k}, None),
        (lambda k: {"instance_number": k}, None),
    ],
)
def test_non_cine_reasons(change: object, stated: str | None) -> None:
    assert callable(change)
    headers = [replace(PLAIN_HEADER, **change(k)) for k in range(12)]
    reason = non_cine_reason(headers, order_in_time(headers, range(12)))
    assert (reason is None) if stated is None else (reason is not None and stated in reason)


@pytest.mark.parametrize("scale", [1.0, 1000.0, 0.001])
def test_trigger_times_in_other_units_are_those_in_ms(scale: float) -> None:
    headers = [replace(PLAIN_HEADER, trigger_ms=k * 40.0 * scale, instance_number=k + 1) for k in range(20)]
    order = order_in_time(headers, range(20))
    assert order.source == "trigger time"
    assert order.step == pytest.approx(40.0)
    assert non_cine_reason(headers, order) is None


@pytest.mark.parametrize("unit", [100 / 760, 1 / 760, 0.1], ids=["percent", "fractions", "hundredths of a second"])
@pytest.mark.parametrize("facts", [{"rr_interval_ms": 760.0}, {"heart_rate_bpm": 60000 / 760}])
def test_shares_of_the_cycle_are_the_ms_that_they_stand_for(unit: float, facts: dict[str, float]) -> None:
    headers = [replace(PLAIN_HEADER, trigger_ms=round(38.0 * k * unit, 4), **facts) for k in range(20)]
    order = order_in_time(headers, range(20))
    assert order.source == "trigger time"
    assert order.values == pytest.approx([38.0 * k for k in range(20)], abs=0.1)


def test_percent_of_an_unknown_cycle_are_no_times() -> None:
    headers = [replace(PLAIN_HEADER, trigger_ms=5.0 * k, instance_number=k + 1) for k in range(20)]
    order = order_in_time(headers, range(20))
    assert (order.source, order.frames) == ("instance number", tuple(range(20)))


def test_clock_times_go_on_after_midnight() -> None:
    headers = [replace(PLAIN_HEADER, acquired_ms=(86_399_800.0 + 40.0 * k) % 86_400_000.0) for k in range(20)]
    assert order_in_time(headers, range(20)).frames == tuple(range(20))


def test_an_echo_time_that_varies_a_little_is_no_measurement_of_relaxation() -> None:
    headers = [replace(PLAIN_HEADER, trigger_ms=40.0 * k, echo_time_ms=1.2 + 0.01 * (k % 4)) for k in range(20)]
    assert non_cine_reason(headers, order_in_time(headers, range(20))) is None


def test_some_frames_that_come_twice_are_repeats_not_more_frames() -> None:
    twice = [*range(20), *range(0, 20, 3)]
    headers = [replace(PLAIN_HEADER, trigger_ms=40.0 * k, instance_number=n + 1) for n, k in enumerate(twice)]
    order = order_in_time(headers, range(len(headers)))
    assert len(order.frames) == 20
    assert len(order.repeats) == 7
