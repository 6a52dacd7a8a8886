"""Frozen dataclasses as plain JSON values and back, with every key and type checked on the way in."""

from __future__ import annotations

import math
import types
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from cinema_cmr.core.errors import UsageError, unknown_name

__all__ = ["from_plain", "to_plain"]

T = TypeVar("T")


def to_plain(value: object, place: str = "value") -> Any:
    """Dataclasses and mappings become dicts, tuples lists, enums their values; plain values stay.

    Raises `UsageError` that names the place of a non-finite number or of what JSON cannot hold.
    """
    if isinstance(value, Enum):
        return value.value
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_plain(getattr(value, f.name), f"{place}.{f.name}") for f in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): to_plain(item, f"{place}.{key}") for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(item, f"{place}[{index}]") for index, item in enumerate(value)]
    if isinstance(value, float) and not math.isfinite(value):
        raise UsageError(f"{place} is {value}, which JSON cannot hold; write None for an unknown number")
    if value is None or isinstance(value, str | bool | int | float):
        return value
    raise UsageError(f"{place} is a {type(value).__name__}; expected numbers, text, lists or mappings of them")


def from_plain(kind: type[T], values: Mapping[str, Any], place: str = "") -> T:
    """The dataclass that `to_plain` described; lists become tuples where the field says so.

    Raises `UsageError` for an unknown key (with the nearest known), a missing one, or a value of another
    type; `place` names the value in messages.
    """
    place = place or kind.__name__
    if not isinstance(values, Mapping):
        raise UsageError(f"{place} is a {type(values).__name__}; expected a mapping of names to values")
    known: dict[str, Field[Any]] = {f.name: f for f in fields(kind)}  # type: ignore[arg-type]
    for key in values:
        if key not in known:
            raise unknown_name(f"key in {place}", str(key), known)
    missing = [name for name, f in known.items() if name not in values and not _has_default(f)]
    if missing:
        raise UsageError(f"{place} lacks {', '.join(missing)}; found only {sorted(values)}")
    hints = _hints_of(kind)  # type: ignore[arg-type]  # a class can be hashed
    return kind(**{key: _converted(hints[key], value, f"{place}.{key}") for key, value in values.items()})


@cache
def _hints_of(kind: type[Any]) -> dict[str, Any]:
    """Kept, as they are looked up anew for each of many thousand headers otherwise."""
    return get_type_hints(kind)


def _has_default(f: Field[Any]) -> bool:
    return f.default is not MISSING or f.default_factory is not MISSING


def _converted(hint: Any, value: Any, place: str) -> Any:
    origin = get_origin(hint)
    if hint is Any:
        return value
    if origin in (Union, types.UnionType):
        return _one_of(get_args(hint), value, place)
    if origin is tuple:
        return _tuple(get_args(hint), value, place)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return _mapping(get_args(hint), value, place)
    if is_dataclass(hint) and isinstance(hint, type):
        return from_plain(hint, value, place)
    return _scalar(hint, value, place)


def _scalar(hint: Any, value: Any, place: str) -> Any:
    if get_origin(hint) is Literal:
        return _checked(value in get_args(hint), value, f"one of {list(get_args(hint))}", place)
    if isinstance(hint, type) and issubclass(hint, Enum):
        known = [member.value for member in hint]
        return hint(_checked(value in known, value, f"one of {known}", place))
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    # True is an int to Python, and a mistake here.
    fits = isinstance(value, hint) and (hint is bool or not isinstance(value, bool))
    return _checked(fits, value, f"a {getattr(hint, '__name__', hint)}", place)


def _one_of(hints: tuple[Any, ...], value: Any, place: str) -> Any:
    if value is None and type(None) in hints:
        return None
    choices = [hint for hint in hints if hint is not type(None)]
    errors = []
    for hint in choices:
        try:
            return _converted(hint, value, place)
        except UsageError as error:
            errors.append(str(error))
    raise UsageError("; or ".join(errors))


def _tuple(hints: tuple[Any, ...], value: Any, place: str) -> tuple[Any, ...]:
    _checked(isinstance(value, list | tuple), value, "a list", place)
    if len(hints) == 2 and hints[1] is Ellipsis:
        hints = (hints[0],) * len(value)
    _checked(len(value) == len(hints), value, f"a list of {len(hints)}", place)
    items = zip(hints, value, strict=True)
    return tuple(_converted(hint, item, f"{place}[{index}]") for index, (hint, item) in enumerate(items))


def _mapping(hints: tuple[Any, ...], value: Any, place: str) -> dict[Any, Any]:
    _checked(isinstance(value, Mapping), value, "a mapping", place)
    key_hint, item_hint = hints
    return {
        _converted(key_hint, key, f"a key of {place}"): _converted(item_hint, item, f"{place}.{key}")
        for key, item in value.items()
    }


def _checked(fits: bool, value: Any, expected: str, place: str) -> Any:
    if not fits:
        raise UsageError(f"{place} is {value!r}; expected {expected}")
    return value
