"""Conversion between dataclasses and JSON values, by msgspec: configurations are checked, results may have gaps.

One rule for numbers that JSON cannot hold: in a result NaN and infinity mean "unknown" and become null; in a
configuration they are an error, as is any key or value that the dataclass does not declare. Read back, the null of a
result is NaN again where a number is declared.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import cache
from typing import NoReturn, TypeAlias, TypeVar

import msgspec
import numpy as np
from msgspec import inspect

from cinema_cmr.core.errors import UsageError, unknown_name

__all__ = ["Json", "from_dict", "from_result", "json_text", "json_values", "to_dict", "to_json"]

T = TypeVar("T")
Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
"""A value that JSON can hold."""

_SIGNIFICANT_DIGITS = 6
_CONVERT_ERROR = re.compile(r"Expected `(?P<expected>[^`]+)`(?: of length (?P<length>\d+))?, got")
_ERROR_PATH = re.compile(r" - at (?P<key>`key` in )?`\$(?P<path>[^`]*)`")
_JSON_NAMES = {
    "array": "a list",
    "object": "a mapping",
    "int": "a whole number",
    "float": "a number",
    "str": "text",
    "bool": "true or false",
}


def json_values(result: object) -> dict[str, Json]:
    """Return a result (dataclasses, mappings, arrays) as JSON values: NaN as null, floats to six significant digits.

    >>> json_values({"volumes": np.array([1.0, np.nan]), "n": np.int64(3), 4: (True, "a")})
    {'volumes': [1.0, None], 'n': 3, '4': [True, 'a']}
    """
    return _require_mapping(_result_values(result), "result")


def json_text(result: object) -> str:
    """Return the JSON text of a result, indented, with a final newline; NaN is written as null."""
    return json.dumps(_result_values(result), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def to_dict(config: object, place: str = "value") -> dict[str, Json]:
    """Return a configuration as JSON values that `from_dict` reads back; raises `UsageError` as `to_json` does."""
    return _require_mapping(to_json(config, place), place)


def to_json(value: object, place: str = "value") -> Json:
    """Return a value of any type that JSON has, or a dataclass, as JSON values.

    Raises `UsageError` that names the place of a number that is not finite, or of a type that JSON lacks.
    """
    try:
        values = msgspec.to_builtins(value, str_keys=True)
    except TypeError as error:
        raise UsageError(
            f"{place} cannot be written as JSON ({error}); expected numbers, text, lists or mappings"
        ) from error
    return _json_value(values, _finite, place)


def from_dict(kind: type[T], values: object, place: str = "") -> T:
    """Build a dataclass from JSON values; `place` names the whole in error messages.

    Raises `UsageError` for an unknown key or choice (with the nearest known one), a missing key, or a value of
    another type.
    """
    place = place or kind.__name__
    _check_names(_type_info(kind), values, place)  # type: ignore[arg-type]  # a class is hashable
    try:
        return _with_defaults_set(msgspec.convert(values, kind))
    except msgspec.ValidationError as error:
        _raise_usage_error(str(error), values, place, error)


def from_result(kind: type[T], values: object, place: str = "") -> T:
    """Build a dataclass from the JSON values of a result: null becomes NaN wherever only a number is declared.

    Keys that the dataclass does not declare are left out. Raises `UsageError` for a missing key or a value of another
    type.
    """
    place = place or kind.__name__
    filled = _with_nan(_type_info(kind), values)  # type: ignore[arg-type]  # a class is hashable
    try:
        return _with_defaults_set(msgspec.convert(filled, kind))
    except msgspec.ValidationError as error:
        _raise_usage_error(str(error), values, place, error)


def _with_defaults_set(value: T) -> T:
    """Return a value with the defaults of absent keys in its dataclasses, which msgspec leaves to the class.

    It would leave them out when it writes the value again.
    """
    if is_dataclass(value) and not isinstance(value, type):
        for each in fields(value):
            own = getattr(value, each.name)
            if each.name not in getattr(value, "__dict__", {each.name: own}):
                object.__setattr__(value, each.name, own)
            _with_defaults_set(own)
    elif isinstance(value, Mapping):
        for item in value.values():
            _with_defaults_set(item)
    elif isinstance(value, list | tuple):
        for item in value:
            _with_defaults_set(item)
    return value


def _with_nan(info: inspect.Type, value: object) -> object:
    match info:
        case inspect.FloatType() if value is None:
            return math.nan
        case inspect.DataclassType() if isinstance(value, Mapping):
            types = {field.encode_name: field.type for field in info.fields}
            return {key: _with_nan(types.get(key, inspect.AnyType()), item) for key, item in value.items()}
        case inspect.DictType() if isinstance(value, Mapping):
            return {key: _with_nan(info.value_type, item) for key, item in value.items()}
        case inspect.VarTupleType() | inspect.ListType() if isinstance(value, list | tuple):
            return [_with_nan(info.item_type, item) for item in value]
        case inspect.TupleType() if isinstance(value, list | tuple) and len(value) == len(info.item_types):
            return [_with_nan(kind, item) for kind, item in zip(info.item_types, value, strict=True)]
        case inspect.UnionType() if value is not None:
            for choice in info.types:
                value = _with_nan(choice, value)
    return value


def _result_values(result: object) -> Json:
    return _json_value(msgspec.to_builtins(result, enc_hook=_builtin, str_keys=True), _rounded, "result")


def _require_mapping(values: Json, place: str) -> dict[str, Json]:
    if not isinstance(values, dict):
        raise UsageError(f"{place} is a {type(values).__name__}; expected a dataclass or a mapping")
    return values


def _json_value(value: Json, number: Callable[[float, str], float | None], place: str) -> Json:
    """Apply the rule for numbers everywhere; tuples become lists."""
    if isinstance(value, float):
        return number(value, place)
    if isinstance(value, Mapping):
        return {key: _json_value(item, number, f"{place}.{key}") for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_json_value(item, number, f"{place}[{index}]") for index, item in enumerate(value)]
    return value


def _rounded(value: float, place: str) -> float | None:
    return float(f"{value:.{_SIGNIFICANT_DIGITS}g}") if math.isfinite(value) else None


def _finite(value: float, place: str) -> float:
    if not math.isfinite(value):
        raise UsageError(f"{place} is {value}, expected a finite number; use null for an unknown one")
    return value


def _builtin(value: object) -> object:
    """Encode what msgspec does not: numpy arrays and scalars, mappings other than dict, sequences other than list."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Sequence):
        return list(value)
    raise TypeError(f"{type(value).__name__} cannot be written as JSON; expected text, numbers, lists or mappings")


@cache
def _type_info(kind: type[object]) -> inspect.Type:
    return inspect.type_info(kind)


def _check_names(info: inspect.Type, value: object, place: str) -> None:
    """Raise `UsageError` for a key or a choice that the type does not declare; msgspec would ignore such a key."""
    match info:
        case inspect.DataclassType() if isinstance(value, Mapping):
            _check_fields(info, value, place)
        case inspect.DictType() if isinstance(value, Mapping):
            for key, item in value.items():
                _check_names(info.key_type, key, f"a key of {place}")
                _check_names(info.value_type, item, f"{place}.{key}")
        case inspect.VarTupleType() | inspect.ListType() if isinstance(value, list | tuple):
            for index, item in enumerate(value):
                _check_names(info.item_type, item, f"{place}[{index}]")
        case inspect.UnionType():
            for choice in (each for each in info.types if value is not None and not _is_choice(each)):
                _check_names(choice, value, place)
        case inspect.LiteralType() | inspect.EnumType():
            _check_choice(info, value, place)


def _check_fields(info: inspect.DataclassType, value: Mapping[str, object], place: str) -> None:
    fields = {field.encode_name: field for field in info.fields}
    for key in value:
        if key not in fields:
            raise unknown_name(f"key in {place}", str(key), fields)
    missing = [name for name, field in fields.items() if field.required and name not in value]
    if missing:
        raise UsageError(f"{place} lacks {', '.join(missing)}; found only {sorted(value)}")
    for key, item in value.items():
        _check_names(fields[key].type, item, f"{place}.{key}")


def _is_choice(info: inspect.Type) -> bool:
    return isinstance(info, inspect.LiteralType | inspect.EnumType)


def _check_choice(info: inspect.LiteralType | inspect.EnumType, value: object, place: str) -> None:
    known = list(info.values) if isinstance(info, inspect.LiteralType) else [member.value for member in info.cls]
    if value not in known:
        raise UsageError(f"{place} is {value!r}; expected one of {known}")


def _raise_usage_error(message: str, values: object, place: str, cause: Exception) -> NoReturn:
    """Say what was found where, and what was expected, from an error text of msgspec."""
    path = _ERROR_PATH.search(message)
    where = path["path"] if path else ""
    found = _CONVERT_ERROR.search(message)
    if found is None or (path and path["key"]) or "[...]" in where:
        raise UsageError(f"{place}{where}: {message}") from cause
    words = " or ".join(_JSON_NAMES.get(word, word) for word in found["expected"].split(" | "))
    expected = f"{words} of {found['length']}" if found["length"] else words
    raise UsageError(f"{place}{where} is {_value_at(values, where)!r}; expected {expected}") from cause


def _value_at(values: object, path: str) -> object:
    """Look up the value at a path such as ".inner.sizes[1]"."""
    for key, index in re.findall(r"\.(\w+)|\[(\d+)\]", path):
        if key and isinstance(values, Mapping):
            values = values[key]
        elif index and isinstance(values, Sequence):
            values = values[int(index)]
    return values
