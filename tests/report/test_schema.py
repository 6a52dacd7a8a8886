"""The schema of the measurements document."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from cinema_cmr.core.results import Measurements, Prediction
from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import View
from cinema_cmr.report.build import SUMMARY_NAMES, build_document
from cinema_cmr.report.run import RunFacts
from cinema_cmr.report.schema import SCHEMA_VERSION, measurements_schema, mismatches

Change = Callable[[dict[str, Any]], object]


@pytest.fixture
def document(
    study: Study, predictions: dict[View, Prediction], measurements: Measurements, run: RunFacts
) -> dict[str, Any]:
    return build_document(study, predictions, measurements=measurements, run=run)


def test_schema_says_its_version_and_the_summarys_keys() -> None:
    properties = measurements_schema()["properties"]
    assert properties["schema_version"] == {"const": SCHEMA_VERSION}
    assert tuple(properties["summary"]["required"]) == SUMMARY_NAMES


def test_schema_uses_no_word_that_the_check_does_not_know() -> None:
    words = {
        "type",
        "const",
        "enum",
        "minimum",
        "required",
        "properties",
        "additionalProperties",
        "items",
        "$ref",
    }
    silent = {"title", "description", "$schema", "$defs"}

    def walk(schema: dict[str, Any]) -> None:
        assert set(schema) <= words | silent
        inner = [*schema.get("properties", {}).values(), *schema.get("$defs", {}).values()]
        inner += [schema[name] for name in ("items", "additionalProperties") if isinstance(schema.get(name), dict)]
        for each in inner:
            walk(each)

    walk(measurements_schema())


def test_a_built_document_has_no_mismatch(document: dict[str, Any]) -> None:
    assert list(mismatches(document, measurements_schema())) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d: d.update(schema_version="2.0"), "document.schema_version is '2.0', expected '1.4'"),
        (lambda d: d["summary"].pop("lv_edv_ml"), "document.summary.lv_edv_ml is missing"),
        (lambda d: d["summary"].update(extra=1), "document.summary.extra is not in the schema"),
        (lambda d: d["summary"].update(lv_edv_ml="100"), "document.summary.lv_edv_ml is str"),
        (lambda d: d["summary"].update(lv_edv_ml=True), "document.summary.lv_edv_ml is bool"),
        (lambda d: d["summary"].update(ed_frame=-1), "document.summary.ed_frame is -1, expected at least 0"),
        (lambda d: d["summary"].update(ed_frame=1.5), "document.summary.ed_frame is float"),
        (lambda d: d["flags"][0].update(severity="bad"), "document.flags[0].severity is 'bad'"),
        (lambda d: d["views"][0].update(view="5c"), "document.views[0].view is '5c'"),
        (lambda d: d["views"][0]["evidence"].update(a=[1]), "document.views[0].evidence.a is list"),
        (lambda d: d["curves"]["values"].update(x=["a"]), "document.curves.values.x[0] is str"),
        (lambda d: d.update(measurements={}), "document.measurements is dict"),
    ],
)
def test_each_departure_is_found_where_it_is(document: dict[str, Any], change: Change, said: str) -> None:
    changed = copy.deepcopy(document)
    change(changed)
    found = list(mismatches(changed, measurements_schema()))
    assert len(found) == 1
    assert found[0].startswith(said)
