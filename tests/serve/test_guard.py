"""Requests from elsewhere, without the token or too large are refused; every answer has its headers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from serving import HOST, ORIGIN, TOKEN, client_of

from cinema_cmr.serve.guard import CONTENT_POLICY
from cinema_cmr.serve.server_settings import Limits


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    with client_of(tmp_path / "home", bearer=False, limits=Limits(document_bytes=2000, job_bytes=5000)) as client:
        yield client


BEARER = {"authorization": f"Bearer {TOKEN}"}


@pytest.mark.parametrize(
    "host", ["evil.example:8420", "127.0.0.1", "127.0.0.1:80", "localhost:8421", "127.0.0.1:8420.evil.example", ""]
)
def test_another_host_name_is_refused(client: TestClient, host: str) -> None:
    assert client.get("/api/studies", headers={**BEARER, "host": host}).status_code == 403


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:9999", f"https://{HOST}"])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "OPTIONS"])
def test_another_origin_is_refused_even_with_the_token(client: TestClient, origin: str, method: str) -> None:
    answer = client.request(method, "/api/jobs", headers={**BEARER, "origin": origin})
    assert answer.status_code == 403
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_a_page_of_another_site_may_link_to_the_first_page_alone(client: TestClient) -> None:
    site = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert client.get("/api/studies.csv", headers={**BEARER, **site}).status_code == 403
    assert client.get("/", headers={**BEARER, **site}).status_code == 200
    assert client.get("/", headers={**BEARER, **site, "sec-fetch-mode": "no-cors"}).status_code == 403


@pytest.mark.parametrize("path", ["/", "/static/main.js", "/api/studies", "/api/openapi.json", "/api/jobs"])
def test_nothing_is_open_without_the_token(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 401
    assert client.get(path, headers={"authorization": "Bearer wrong"}).status_code == 401
    assert client.get(f"{path}?token=wrong").status_code == 401


def test_the_printed_address_gives_a_strict_cookie_and_leaves_no_token_in_the_address(client: TestClient) -> None:
    answer = client.get(f"/?token={TOKEN}", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie and "samesite=strict" in cookie
    assert client.get("/api/studies").status_code == 200


def test_a_cookie_alone_changes_nothing_without_an_origin(client: TestClient) -> None:
    client.get(f"/?token={TOKEN}")
    assert client.post("/api/jobs", json={"name": "a"}).status_code == 401
    assert client.post("/api/jobs", json={"name": "a"}, headers={"origin": ORIGIN}).status_code == 201


def test_bodies_over_the_limit_are_refused_whatever_their_header_says(client: TestClient) -> None:
    assert client.post("/api/jobs", content=b"x" * 3000, headers=BEARER).status_code == 413
    chunks = (b"x" * 500 for _ in range(8))
    assert client.post("/api/jobs", content=chunks, headers=BEARER).status_code == 413
    job = client.post("/api/jobs", json={"name": "a"}, headers=BEARER).json()["id"]
    path = f"/api/jobs/{job}/files/a.dcm"
    assert client.put(path, content=b"", headers={**BEARER, "content-length": str(10 << 30)}).status_code == 413
    assert client.put(path, content=(b"x" * 1000 for _ in range(8)), headers=BEARER).status_code == 413
    assert client.put(path, content=b"x" * 4000, headers=BEARER).status_code == 204


def test_every_answer_has_the_strict_headers(client: TestClient) -> None:
    for answer in (client.get("/", headers=BEARER), client.get("/api/none", headers=BEARER), client.get("/")):
        assert answer.headers["content-security-policy"] == CONTENT_POLICY
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert "unsafe" not in CONTENT_POLICY and "default-src 'none'" in CONTENT_POLICY
