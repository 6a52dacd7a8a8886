"""Dataclasses go to plain values and come back equal; every mistake on the way in is named."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

from cinema_cmr.core.errors import UsageError
from cinema_cmr.core.plain_values import from_plain, to_plain
from cinema_cmr.core.vocabulary import View


@dataclass(frozen=True, kw_only=True)
class Inner:
    rate: float = 0.5
    sizes: tuple[int, ...] = (1, 2)


@dataclass(frozen=True, kw_only=True)
class Outer:
    name: str
    inner: Inner = field(default_factory=Inner)
    pair: tuple[int, int] | None = None
    kind: Literal["a", "b"] = "a"
    by_view: Mapping[View, Inner] = field(default_factory=dict)
    flag: bool = False
    free: Mapping[str, Any] = field(default_factory=dict)


def test_all_kinds_of_fields_come_back_equal() -> None:
    value = Outer(
        name="x",
        inner=Inner(rate=0.25, sizes=(3, 4, 5)),
        pair=(7, 8),
        kind="b",
        by_view={View.SAX: Inner(rate=1.0)},
        flag=True,
        free={"anything": [1, "two", None]},
    )
    assert from_plain(Outer, json.loads(json.dumps(to_plain(value)))) == value


def test_a_whole_number_serves_as_a_float() -> None:
    rate = from_plain(Inner, {"rate": 1}).rate
    assert rate == 1.0 and isinstance(rate, float)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"name": "x", "iner": {}}, "unknown key in Outer 'iner'; did you mean 'inner'"),
        ({}, "Outer lacks name"),
        ({"name": 3}, "Outer.name is 3; expected a str"),
        ({"name": "x", "inner": {"rate": "fast"}}, "Outer.inner.rate is 'fast'; expected a float"),
        ({"name": "x", "inner": {"sizes": [1, True]}}, r"Outer.inner.sizes\[1\] is True; expected a int"),
        ({"name": "x", "pair": [1]}, r"Outer.pair is \[1\]; expected a list of 2"),
        ({"name": "x", "kind": "c"}, r"Outer.kind is 'c'; expected one of \['a', 'b'\]"),
        ({"name": "x", "by_view": {"top": {}}}, "a key of Outer.by_view is 'top'"),
        ({"name": "x", "inner": 5}, "Outer.inner is a int; expected a mapping"),
    ],
)
def test_a_mistake_names_its_place(values: Mapping[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        from_plain(Outer, values)


@pytest.mark.parametrize(
    ("free", "told"), [({"a": [1.0, float("nan")]}, r"value.free.a\[1\] is nan"), ({"a": object()}, "object")]
)
def test_what_json_cannot_hold_is_named(free: Mapping[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        to_plain(Outer(name="x", free=free))
