"""Parallel slices in stacks: which belong together, which repeat others, which of two is used."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cinema_cmr.io.dicom.merge import merge_slices
from cinema_cmr.io.dicom.stack import CineSlice

ORIENTATION = (0.8, 0.6, 0.0, 0.0, 0.0, -1.0)
NORMAL = np.cross(ORIENTATION[:3], ORIENTATION[3:])


def cut(position: float, *, series: str = "series 1", beside: float = 0.0, n: int = 10, **facts: object) -> CineSlice:
    origin = np.array([10.0, -20.0, 30.0]) + position * NORMAL + beside * np.array(ORIENTATION[:3])
    made = CineSlice(series=series, origin=tuple(origin.tolist()), frames=tuple(range(n)), thickness_mm=8.0)
    return replace(made, **facts)


def positions(part: tuple[CineSlice, ...]) -> list[float]:
    return [round(float(np.array(one.origin) @ NORMAL - np.array([10.0, -20.0, 30.0]) @ NORMAL), 3) for one in part]


def test_slices_ascend_along_the_normal_whatever_their_order() -> None:
    slices = [cut(p, series=f"series {k}") for k, p in enumerate((30, 0, 20, 10))]
    (part,), repeats = merge_slices(slices, NORMAL)
    assert positions(part) == [0, 10, 20, 30]
    assert repeats == []


def test_an_earlier_slice_never_replaces_one_of_the_stack() -> None:
    whole = [cut(10.0 * k) for k in range(6)]
    again = [cut(10.0 * k + 2, series="series 2", acquisition_order=(-1.0,)) for k in (2, 3)]
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


def retaken(**facts: object) -> list[CineSlice]:
    whole = [cut(10.0 * k, acquisition_order=(1.0,)) for k in range(6)]
    return [*whole, cut(20.0, series="series 2", **{"acquisition_order": (9.0,), **facts})]


def test_a_later_slice_alone_replaces_the_spoilt_one() -> None:
    (part,), (repeat,) = merge_slices(retaken(), NORMAL)
    assert [one.series for one in part].count("series 2") == 1
    assert repeat.kept.series == "series 2" and "later" in repeat.reason


def test_a_slice_described_as_a_repeat_replaces_another_whatever_its_number() -> None:
    _, (repeat,) = merge_slices(retaken(acquisition_order=(0.0,), hints=("repeat",)), NORMAL)
    assert repeat.kept.series == "series 2" and "described" in repeat.reason


@pytest.mark.parametrize(
    "facts",
    [{"n": 30}, {"rr_interval_ms": 500.0}, {"thickness_mm": 3.0}, {"derived": True}, {"acquisition_order": (0.0,)}],
    ids=["frames", "rate", "thickness", "derived", "earlier"],
)
def test_a_slice_of_another_kind_replaces_none(facts: dict[str, object]) -> None:
    stack = [replace(one, rr_interval_ms=one.rr_interval_ms or 900.0) for one in retaken(**facts)]
    (part,), _ = merge_slices(stack, NORMAL)
    assert {one.series for one in part} == {"series 1"}


@pytest.mark.parametrize("facts", [{"hints": ("tagging",)}, {"hints": ("stress",)}, {"gated": False}])
def test_a_slice_of_another_state_never_enters_a_stack_at_its_positions(facts: dict[str, object]) -> None:
    parts, repeats = merge_slices(retaken(**facts), NORMAL)
    assert sorted(len(part) for part in parts) == [1, 6] and not repeats


@pytest.mark.parametrize("one_series", [True, False])
def test_stress_after_rest_is_a_stack_of_its_own(one_series: bool) -> None:
    def acquisition(first: int, rr_ms: float) -> list[CineSlice]:
        names = [f"series {first if one_series else first + k}" for k in range(5)]
        return [
            cut(10.0 * k, series=name, rr_interval_ms=rr_ms + 7 * k, acquisition_order=(float(first + k),))
            for k, name in enumerate(names)
        ]

    parts, repeats = merge_slices([*acquisition(1, 900.0), *acquisition(20, 600.0)], NORMAL)
    assert [len(part) for part in parts] == [5, 5] and not repeats
    assert [min(one.rr_interval_ms or 0 for one in part) for part in parts] == [900, 600]


def test_a_stack_repeated_as_a_whole_is_not_mixed_with_the_first() -> None:
    first = [cut(10.0 * k, series=f"series {k}", acquisition_order=(float(k),)) for k in range(5)]
    again = [cut(10.0 * k + 1, series=f"series {9 + k}", acquisition_order=(9.0 + k,)) for k in range(5)]
    parts, _ = merge_slices([*first, *again], NORMAL)
    assert [sorted({int(one.series[7:]) > 5 for one in part}) for part in parts] == [[False], [True]]


def test_slices_without_gating_fill_free_positions() -> None:
    gated = [cut(10.0 * k) for k in range(6)]
    free = [cut(10.0 * k, series="series 2", gated=False) for k in (6, 7)]
    (part,), _ = merge_slices([*gated, *free], NORMAL)
    assert positions(part) == [10.0 * k for k in range(8)]


@pytest.mark.parametrize(("rr_ms", "sizes"), [(900.0, [6]), (940.0, [6]), (600.0, [2, 4]), (None, [2, 4])])
def test_slices_described_as_stress_complete_a_stack_of_the_same_rate(rr_ms: float | None, sizes: list[int]) -> None:
    rest = [cut(10.0 * k, rr_interval_ms=900.0) for k in range(4)]
    named = [cut(40.0 + 10.0 * k, series="series 2", rr_interval_ms=rr_ms, hints=("stress",)) for k in range(2)]
    parts, repeats = merge_slices([*rest, *named], NORMAL)
    assert sorted(len(part) for part in parts) == sizes and not repeats


def test_perfusion_at_the_places_of_a_cine_replaces_none_of_its_slices() -> None:
    cine = [cut(10.0 * k, series=f"series {k}") for k in range(6)]
    perfusion = [cut(10.0 * k, series="series 9", n=40, order_source="instance number") for k in (1, 2, 3)]
    part = merge_slices([*perfusion, *cine], NORMAL)[0][0]
    assert {one.series for one in part} == {f"series {k}" for k in range(6)}


def test_a_reformatted_stack_of_more_slices_replaces_no_original() -> None:
    cine = [cut(10.0 * k, series=f"series {k}") for k in range(6)]
    reformatted = [cut(5.0 * k, series="series 9", derived=True) for k in range(12)]
    part = merge_slices([*reformatted, *cine], NORMAL)[0][0]
    assert not any(one.derived for one in part)


def test_a_slice_with_as_many_frames_as_the_others_is_kept_not_a_flow_measurement_in_its_place() -> None:
    cine = [cut(10.0 * k, series=f"series {k}") for k in range(6)]
    flow = cut(20.0, series="series 9", n=30, acquisition_order=(9.0,))
    (part,), (repeat,) = merge_slices([flow, *cine], NORMAL)
    assert repeat.excluded == flow
    assert "10 frames as most slices" in repeat.reason
    assert len(part) == 6


@pytest.mark.parametrize(("thickness", "between"), [(8.0, 4.0), (90.0, 9.0), (90.0, None)])
def test_overlapping_slices_in_series_of_their_own_are_no_repeats(thickness: float, between: float | None) -> None:
    step = between or 9.0
    facts = {"thickness_mm": thickness, "spacing_between_mm": between}
    (part,), repeats = merge_slices([cut(step * k, series=f"series {k}", **facts) for k in range(6)], NORMAL)
    assert len(part) == 6
    assert repeats == []
