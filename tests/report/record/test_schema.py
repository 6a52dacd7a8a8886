"""The schema of measurements.json: current, strict, and true of every record."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from cinema_cmr.core.analysis import Analysis
from cinema_cmr.core.serialise import json_values
from cinema_cmr.report.record.build import build_record
from cinema_cmr.report.record.schema import SCHEMA_FILE, schema_text
from cinema_cmr.report.record.study_record import SCHEMA_VERSION

VALIDATOR = Draft202012Validator(json.loads(schema_text()))


@pytest.fixture
def values(analysis: Analysis) -> dict[str, Any]:
    return dict(json_values(build_record(analysis)))


def test_stored_schema_is_current() -> None:
    message = "run `python -m cinema_cmr.report.record.schema`; does SCHEMA_VERSION rise?"
    assert SCHEMA_FILE.read_text(encoding="utf-8") == schema_text(), message


def test_schema_is_valid_and_describes_the_keys() -> None:
    schema = json.loads(schema_text())
    Draft202012Validator.check_schema(schema)
    definitions = schema["$defs"]
    assert definitions["StudyRecord"]["properties"]["schema_version"] == {"enum": [SCHEMA_VERSION]}
    assert "counted from 0" in definitions["Summary"]["properties"]["ed_frame"]["description"]
    assert "late enhancement" in definitions["Summary"]["description"]


def test_records_match_the_schema(values: dict[str, Any], bare: Analysis) -> None:
    VALIDATOR.validate(values)
    VALIDATOR.validate(json_values(build_record(bare)))


@pytest.mark.parametrize(
    ("change", "path"),
    [
        (lambda d: d.update(schema_version="1.4"), "$.schema_version"),
        (lambda d: d["summary"].pop("lv_edv_ml"), "$.summary"),
        (lambda d: d["summary"].update(extra=1), "$.summary"),
        (lambda d: d["summary"].update(lv_edv_ml="100"), "$.summary.lv_edv_ml"),
        (lambda d: d["summary"].update(lv_edv_ml=True), "$.summary.lv_edv_ml"),
        (lambda d: d["summary"].update(ed_frame=-1), "$.summary.ed_frame"),
        (lambda d: d["flags"][0].update(severity="bad"), "$.flags[0].severity"),
        (lambda d: d["views"][0].update(view="5c"), "$.views[0].view"),
        (lambda d: d["views"][0]["evidence"].update(a=[1]), "$.views[0].evidence.a"),
        (lambda d: d["curves"]["values"].update(x=["a"]), "$.curves.values.x[0]"),
        (lambda d: d.update(measurements={}), "$.measurements"),
    ],
)
def test_each_departure_is_found(values: dict[str, Any], change: Callable[[dict[str, Any]], object], path: str) -> None:
    changed = copy.deepcopy(values)
    change(changed)
    assert [error.json_path for error in VALIDATOR.iter_errors(changed)] == [path]
