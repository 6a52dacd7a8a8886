"""The description names everything that is there: models, measurements as documented, flags, schemas."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from cinema_cmr.core.serialise import Json
from cinema_cmr.models.catalogue import list_weights
from cinema_cmr.pipeline.about.description import info, measurement_kinds
from cinema_cmr.report.record.schema import SCHEMA_FILE

RESULTS = Path(__file__).parents[3] / "docs" / "results.md"


@pytest.fixture(scope="module")
def document() -> dict[str, Json]:
    return info().to_dict()


def test_it_is_json_and_names_every_model(document: dict[str, Json]) -> None:
    read = json.loads(json.dumps(document))
    assert [model["name"] for model in read["models"]] == [entry.name for entry in list_weights()]
    sax = next(model for model in read["models"] if model["name"] == "cinema-sax")
    assert sax["bundled"] and sax["licence"] and sax["grids"]["sax"]["spacing_mm"] > 0
    assert read["commands"]["analyse"].startswith("one or many studies")
    assert read["label_schemes"]["cine"][2]["name"] == "lv" and read["flags"][0]["levels"] == ["warning"]


def test_schemas_that_it_names_are_in_the_package(document: dict[str, Json]) -> None:
    schema = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    named = {one["document"]: one for one in document["schemas"]}  # type: ignore[union-attr,index,call-overload]
    assert named["measurements.json"]["version"] in json.dumps(schema)  # type: ignore[index,call-overload,operator]
    assert str(SCHEMA_FILE).endswith(str(named["measurements.json"]["schema"]))  # type: ignore[index,call-overload]


def documented() -> set[str]:
    """Names of the tables of docs/results.md, `NAME01` to `16` and "the same of rv_" written out."""
    text = RESULTS.read_text(encoding="utf-8").split("## What is measured")[1].split("## Normal ranges")[0]
    names: set[str] = set()
    for line in text.splitlines():
        cell = line.split("|")[1] if line.startswith("| `") else ""
        found = re.findall(r"`([a-z]\w+)`", cell)
        for name in found:
            lv_only = f"`{name}` (LV only)" in cell or ("(LV only)" in cell and "mass" not in cell)
            both = {name} | (set() if lv_only else {re.sub("^lv_", "rv_", name)})
            names |= {f"{one[:-2]}{k:02d}" for one in both for k in range(1, 17)} if name.endswith("aha01") else both
    return names


def test_measurements_are_those_of_the_documentation() -> None:
    kinds = measurement_kinds()
    listed = {kind.name for kind in kinds}
    assert len(listed) == len(kinds)
    assert sorted(documented() - listed - {"rv_mass_g", "rv_mass_es_g"}) == []
    assert sorted(listed - documented()) == []
    assert all(kind.unit and kind.title and kind.modality in ("cine", "lge") for kind in kinds)


@pytest.mark.medium
def test_it_is_short_to_print_and_a_table_of_models_in_a_notebook() -> None:
    found = info()
    assert "population" in found.commands and len(repr(found)) < 200
    assert found._repr_html_().count("<tr>") == len(found.models) + 1
