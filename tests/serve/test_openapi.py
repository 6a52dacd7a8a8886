"""The API against its own description: no request, in the form of its schema or not, is a server error."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from serving import client_of

if TYPE_CHECKING:
    from fastapi.testclient import TestClient

Schema = Mapping[str, Any]

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
REFUSED = {401, 403, 404, 405, 409, 413, 422, 507}


@pytest.fixture
def client(results: Path, late: Path, tmp_path: Path) -> Iterator[TestClient]:
    with client_of(tmp_path / "home", results, late) as client:
        yield client


def resolved(schema: Schema, spec: Schema) -> Schema:
    """A schema, or the one that it refers to."""
    name = schema.get("$ref", "").rpartition("/")[2]
    found: Schema = spec["components"]["schemas"][name] if name else schema
    return found


def values(given_schema: Schema, spec: Schema) -> st.SearchStrategy[Any]:
    """Values that a schema allows."""
    schema = resolved(given_schema, spec)
    for word in ("anyOf", "oneOf"):
        if word in schema:
            return st.one_of(*(values(one, spec) for one in schema[word]))
    if "enum" in schema or "const" in schema:
        return st.sampled_from(schema.get("enum") or [schema["const"]])
    return {
        "string": _texts,
        "integer": lambda one, _: st.integers(one.get("minimum"), one.get("maximum")),
        "number": lambda one, _: st.floats(one.get("minimum"), one.get("maximum"), allow_nan=False),
        "boolean": lambda *_: st.booleans(),
        "null": lambda *_: st.none(),
        "array": _lists,
        "object": _objects,
    }.get(schema.get("type", ""), lambda *_: ANYTHING)(schema, spec)


def _texts(schema: Schema, _: Schema) -> st.SearchStrategy[str]:
    if "pattern" in schema:
        return st.from_regex(schema["pattern"]).map(lambda text: text[: schema.get("maxLength", 60)])
    return st.text(min_size=schema.get("minLength", 0), max_size=min(schema.get("maxLength", 60), 60))


def _lists(schema: Schema, spec: Schema) -> st.SearchStrategy[list[Any]]:
    if "prefixItems" in schema:
        return st.tuples(*(values(one, spec) for one in schema["prefixItems"])).map(list)
    return st.lists(values(schema.get("items", {}), spec), max_size=4)


def _objects(schema: Schema, spec: Schema) -> st.SearchStrategy[dict[str, Any]]:
    fields = {name: values(one, spec) for name, one in schema.get("properties", {}).items()}
    required = set(schema.get("required", ()))
    return st.fixed_dictionaries(
        {name: one for name, one in fields.items() if name in required},
        optional={name: one for name, one in fields.items() if name not in required},
    )


def _request(data: st.DataObject, spec: Schema, operation: tuple[str, str], keys: list[str]) -> dict[str, Any]:
    """A request for an operation: keys that exist or not, and a body of its schema, of another, or no JSON at all."""
    path, method = operation
    described = spec["paths"][path][method]
    query = {}
    for one in described.get("parameters", ()):
        sent = data.draw(values(one["schema"], spec) | st.text(max_size=12), one["name"])
        if one["in"] == "query":
            query[one["name"]] = str(sent)
        else:
            sent = (
                data.draw(st.sampled_from(keys), "key") if one["name"] == "key" and data.draw(st.booleans()) else sent
            )
            path = path.replace(f"{{{one['name']}}}", quote(str(sent), safe="") or "-")
    request: dict[str, Any] = {"method": method, "url": path, "params": query}
    if "requestBody" in described:
        schema = described["requestBody"]["content"]["application/json"]["schema"]
        body = data.draw(values(schema, spec).map(json.dumps) | ANYTHING.map(json.dumps) | st.text(), "body")
        request |= {"content": body.encode("utf-8", "replace"), "headers": {"content-type": "application/json"}}
    elif method == "put":
        request["content"] = data.draw(st.binary(max_size=50), "file")
    return request


def _send_drawn(client: TestClient, spec: dict[str, Any], operation: tuple[str, str]) -> None:
    """Send eight drawn requests of one operation; each is served or refused."""

    @settings(max_examples=8, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None)
    @given(st.data())
    def send(data: st.DataObject) -> None:
        keys = [one["id"] for name in ("studies", "jobs") for one in client.get(f"/api/{name}").json()]
        answer = client.request(**_request(data, spec, operation, keys))
        assert answer.is_success or answer.status_code in REFUSED, (operation, answer.status_code, answer.text[:300])

    send()


@pytest.mark.medium
def test_no_request_is_a_server_error(client: TestClient) -> None:
    spec = client.get("/api/openapi.json").json()
    operations = sorted((path, method) for path, of_path in spec["paths"].items() for method in of_path)
    assert len(operations) >= 20
    for operation in operations:
        _send_drawn(client, spec, operation)
