"""The versioned schema of measurements.json, and a check of documents against it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

__all__ = ["SCHEMA_VERSION", "check_document", "measurements_schema", "mismatches"]

SCHEMA_VERSION = "1.4"
"""Second number: something was added. First number: something changed its meaning or went."""

_TYPES: dict[str, type | tuple[type, ...]] = {
    "object": Mapping,
    "array": list,
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
    "null": type(None),
}


@cache
def measurements_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) that comes with the package."""
    text = files("cinema_cmr.report").joinpath("measurements.schema.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


def check_document(document: Mapping[str, Any]) -> None:
    """Raise `ValueError` that lists what in a measurements document does not match the schema."""
    found = list(mismatches(document, measurements_schema()))
    if found:
        raise ValueError(f"measurements document does not match schema {SCHEMA_VERSION}: {'; '.join(found)}")


def mismatches(value: Any, schema: Mapping[str, Any], *, at: str = "document") -> Iterator[str]:
    """Where a value departs from a schema.

    Understood are type, const, enum, minimum, required, properties, additionalProperties, items, and
    references to the `$defs` of the measurements schema.
    """
    if "$ref" in schema:
        schema = measurements_schema()["$defs"][schema["$ref"].rpartition("/")[2]]
    if "type" in schema and not _has_type(value, schema["type"]):
        yield f"{at} is {type(value).__name__}, expected {schema['type']}"
        return
    if "const" in schema and value != schema["const"]:
        yield f"{at} is {value!r}, expected {schema['const']!r}"
    if "enum" in schema and value not in schema["enum"]:
        yield f"{at} is {value!r}, expected one of {schema['enum']}"
    if "minimum" in schema and value is not None and value < schema["minimum"]:
        yield f"{at} is {value}, expected at least {schema['minimum']}"
    if isinstance(value, Mapping):
        yield from _mismatches_of_object(value, schema, at=at)
    elif isinstance(value, list) and "items" in schema:
        for index, item in enumerate(value):
            yield from mismatches(item, schema["items"], at=f"{at}[{index}]")


def _mismatches_of_object(value: Mapping[str, Any], schema: Mapping[str, Any], *, at: str) -> Iterator[str]:
    properties = schema.get("properties", {})
    for name in schema.get("required", ()):
        if name not in value:
            yield f"{at}.{name} is missing"
    for name, item in value.items():
        inner = properties.get(name, schema.get("additionalProperties", True))
        if inner is False:
            yield f"{at}.{name} is not in the schema"
        elif isinstance(inner, Mapping):
            yield from mismatches(item, inner, at=f"{at}.{name}")


def _has_type(value: Any, names: str | list[str]) -> bool:
    wanted = [names] if isinstance(names, str) else names
    if isinstance(value, bool):
        return "boolean" in wanted
    return any(isinstance(value, _TYPES[name]) for name in wanted)
