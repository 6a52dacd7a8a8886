"""Pairs of equal and near images are found, whatever quarter of the hash differs."""

from __future__ import annotations

import pytest

from cinema_cmr.population.cohort.lookalikes import duplicates, lookalikes


def test_duplicates_are_grouped() -> None:
    assert duplicates({"a": "1", "b": "2", "c": "1", "d": "1"}) == [("a", "c", "d")]


@pytest.mark.parametrize("bits", [(0,), (0, 20), (0, 20, 40), (1, 17, 63)])
def test_up_to_three_bits_anywhere_are_near(bits: tuple[int, ...]) -> None:
    base = 0x0123456789ABCDEF
    other = base
    for bit in bits:
        other ^= 1 << bit
    outlines = {"b": f"{base:016x}", "a": f"{other:016x}", "far": f"{base ^ 0xF0F0F0F0F0F0F0F0:016x}"}
    assert lookalikes(outlines) == [("a", "b", len(bits))]


def test_four_bits_are_not() -> None:
    assert lookalikes({"a": f"{0:016x}", "b": f"{0b1111:016x}"}) == []
