"""JSON Schema of measurements.json, generated from the types of `report.record`.

`python -m cinema_cmr.report.schema` writes `measurements.schema.json` beside this module.
"""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_args, get_type_hints

import docstring_parser
import msgspec

from cinema_cmr.report.record import StudyRecord

__all__ = ["SCHEMA_FILE", "schema_text"]

SCHEMA_FILE = Path(__file__).with_name("measurements.schema.json")


def schema_text() -> str:
    """Return the schema (draft 2020-12): every key is required, no other is allowed, docstrings describe them."""
    schema = msgspec.json.schema(StudyRecord)
    for kind in _dataclasses_in(StudyRecord):
        definition = schema["$defs"][kind.__name__]
        definition["required"] = [field.name for field in fields(kind)]
        definition["additionalProperties"] = False
        for parameter in docstring_parser.parse_from_object(kind).params:
            definition["properties"][parameter.arg_name]["description"] = parameter.description
        for each in definition["properties"].values():
            each.pop("default", None)
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "cinema-cmr measurements of one study"}
    return json.dumps({**head, **schema}, indent=2, ensure_ascii=False) + "\n"


def _dataclasses_in(hint: Any) -> set[type[Any]]:
    """Return all dataclasses that a type is built from, itself included."""
    if not is_dataclass(hint):
        return {kind for part in get_args(hint) for kind in _dataclasses_in(part)}
    kind: Any = hint
    return {kind, *(inner for part in get_type_hints(kind).values() for inner in _dataclasses_in(part))}


if __name__ == "__main__":
    SCHEMA_FILE.write_text(schema_text(), encoding="utf-8")
