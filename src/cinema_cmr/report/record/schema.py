"""JSON Schema of measurements.json, generated from the types of `report.record.study_record`.

`python -m cinema_cmr.report.record.schema` writes `measurements.schema.json` beside this module.
"""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, get_args, get_type_hints

import msgspec

from cinema_cmr.core.field_docs import field_docs
from cinema_cmr.report.record.study_record import StudyRecord

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = ["SCHEMA_FILE", "schema_text"]

SCHEMA_FILE = Path(__file__).with_name("measurements.schema.json")


def schema_text() -> str:
    """Return the schema (draft 2020-12): every key is required, no other is allowed, docstrings describe them."""
    schema = msgspec.json.schema(StudyRecord)
    for kind in _dataclasses_in(StudyRecord):
        definition = schema["$defs"][kind.__name__]
        definition["required"] = [field.name for field in fields(kind)]
        definition["additionalProperties"] = False
        for name, text in field_docs(kind).items():
            definition["properties"][name]["description"] = text
        for each in definition["properties"].values():
            each.pop("default", None)
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "cinema-cmr measurements of one study"}
    return json.dumps({**head, **schema}, indent=2, ensure_ascii=False) + "\n"


def _dataclasses_in(hint: object) -> set[type[DataclassInstance]]:
    """Return all dataclasses that a type is built from, itself included."""
    if not (isinstance(hint, type) and is_dataclass(hint)):
        return {kind for part in get_args(hint) for kind in _dataclasses_in(part)}
    return {hint, *(inner for part in get_type_hints(hint).values() for inner in _dataclasses_in(part))}


if __name__ == "__main__":
    SCHEMA_FILE.write_text(schema_text(), encoding="utf-8")
