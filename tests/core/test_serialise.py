"""Configurations survive a round trip and name every mistake; results become strict JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pytest

from cinema_cmr.core.errors import UsageError
from cinema_cmr.core.serialise import from_dict, from_result, json_text, json_values, to_dict
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
    assert from_dict(Outer, json.loads(json.dumps(to_dict(value)))) == value


def test_a_default_that_was_not_given_is_written_again() -> None:
    """As of a configuration of an older version, which lacks a newer value."""
    for read in (from_dict, from_result):
        found = read(Outer, {"name": "x", "inner": {"rate": 0.1}, "by_view": {"sax": {}}})
        expected = Outer(name="x", inner=Inner(rate=0.1), by_view={View.SAX: Inner()})
        assert found == expected and to_dict(found) == to_dict(expected)


def test_a_whole_number_serves_as_a_float() -> None:
    rate = from_dict(Inner, {"rate": 1}).rate
    assert rate == 1.0 and isinstance(rate, float)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"name": "x", "iner": {}}, "unknown key in Outer 'iner'; did you mean 'inner'"),
        ({}, "Outer lacks name"),
        ({"name": 3}, "Outer.name is 3; expected text"),
        ({"name": "x", "inner": {"rate": "fast"}}, "Outer.inner.rate is 'fast'; expected a number"),
        ({"name": "x", "inner": {"sizes": [1, True]}}, r"Outer.inner.sizes\[1\] is True; expected a whole number"),
        ({"name": "x", "pair": [1]}, r"Outer.pair is \[1\]; expected a list of 2"),
        ({"name": "x", "kind": "c"}, r"Outer.kind is 'c'; expected one of \['a', 'b'\]"),
        ({"name": "x", "by_view": {"top": {}}}, "a key of Outer.by_view is 'top'"),
        ({"name": "x", "inner": 5}, "Outer.inner is 5; expected a mapping"),
    ],
)
def test_a_mistake_names_its_place(values: Mapping[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        from_dict(Outer, values)


@pytest.mark.parametrize(
    ("free", "told"), [({"a": [1.0, float("nan")]}, r"value.free.a\[1\] is nan"), ({"a": object()}, "object")]
)
def test_what_json_cannot_hold_is_named(free: Mapping[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        to_dict(Outer(name="x", free=free))


def test_what_is_not_finite_becomes_null() -> None:
    values = {"a": float("nan"), "b": [np.inf, -np.inf, np.float32("nan")], "c": np.array([[np.nan, 2.0]])}
    assert json_values(values) == {"a": None, "b": [None, None, None], "c": [[None, 2.0]]}


def test_six_digits_are_kept_and_whole_numbers_stay_whole() -> None:
    values = json_values({"a": 123.456789, "b": 12345678, "c": np.int64(7), "d": True, "e": np.bool_(False)})
    assert values == {"a": 123.457, "b": 12345678, "c": 7, "d": True, "e": False}
    assert [type(value) for value in values.values()] == [float, int, int, bool, bool]


def test_enumerations_become_their_text() -> None:
    assert type(json_values({"view": View.SAX})["view"]) is str
    assert json_values({View.SAX: View.LAX_2C}) == {"sax": "lax_2c"}


def test_text_is_strict_json_that_reads_back() -> None:
    text = json_text({"µ": [1, None, float("nan")]})
    assert json.loads(text, parse_constant=pytest.fail) == {"µ": [1, None, None]}
    assert text.endswith("\n")


@dataclass(frozen=True, kw_only=True)
class Found:
    value: float
    limits: tuple[float, float]
    missing: float | None
    by_name: Mapping[str, tuple[float, ...]]
    inner: Inner | None = None


def test_null_is_not_a_number_where_only_a_number_is_declared() -> None:
    nan = float("nan")
    made = Found(value=nan, limits=(1.0, nan), missing=None, by_name={"a": (nan, 2.0)}, inner=Inner(rate=nan))
    values = json_values(made)
    assert values["value"] is None and values["inner"] == {"rate": None, "sizes": [1, 2]}
    read = from_result(Found, {**values, "of another version": 1})
    assert read.missing is None and np.isnan([read.value, read.limits[1], read.by_name["a"][0]]).all()
    assert read.inner is not None and np.isnan(read.inner.rate) and json_values(read) == values


def test_a_result_of_another_type_is_refused() -> None:
    with pytest.raises(UsageError, match=r"Found.limits is None; expected a list"):
        from_result(Found, {"value": 1.0, "limits": None, "missing": None, "by_name": {}})
    with pytest.raises(UsageError, match="missing required field `limits`"):
        from_result(Found, {"value": 1.0})


def test_a_result_must_have_names() -> None:
    with pytest.raises(UsageError, match="result is a list; expected a dataclass or a mapping"):
        json_values([1, 2])


def test_other_objects_are_refused() -> None:
    with pytest.raises(TypeError, match="object cannot be written"):
        json_values({"a": object()})
