"""Sending studies: progress, results, cancel, and everything that is refused."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from serving import client_of

from cinema_cmr.serve.server_settings import Limits

pytestmark = pytest.mark.medium


@pytest.fixture
def client(template: Path, tmp_path: Path) -> Iterator[TestClient]:
    shutil.copytree(template, tmp_path / "home" / "template")
    with client_of(tmp_path / "home", limits=Limits(job_bytes=1000, free_bytes=0)) as client:
        yield client


def sent(client: TestClient, name: str = "study.zip") -> str:
    key = str(client.post("/api/jobs", json={"name": name}).json()["id"])
    assert client.put(f"/api/jobs/{key}/files/{name}", content=b"zip").status_code == 204
    return key


def ended(client: TestClient, key: str) -> dict[str, str]:
    for _ in range(200):
        job: dict[str, str] = client.get(f"/api/jobs/{key}").json()
        if job["status"] in ("done", "failed"):
            return job
        time.sleep(0.05)
    raise AssertionError(job)


def test_a_study_is_sent_analysed_and_listed(client: TestClient) -> None:
    key = sent(client)
    assert client.get("/api/studies").json() == []
    assert client.post(f"/api/jobs/{key}/submit").json()["status"] == "queued"
    job = ended(client, key)
    assert job["status"] == "done" and [one["id"] for one in client.get("/api/studies").json()] == [job["study"]]
    assert client.delete(f"/api/jobs/{key}").status_code == 409
    assert client.put(f"/api/jobs/{key}/files/more.dcm", content=b"x").status_code == 409


def test_a_failed_study_says_why_and_can_be_removed(client: TestClient) -> None:
    key = sent(client, "broken.zip")
    client.post(f"/api/jobs/{key}/submit")
    assert ended(client, key)["error"] == "the zip is damaged"
    assert client.delete(f"/api/jobs/{key}").status_code == 204
    assert client.get("/api/jobs").json() == []


def test_a_waiting_study_is_cancelled_with_its_files(client: TestClient, tmp_path: Path) -> None:
    key = sent(client)
    assert client.delete(f"/api/jobs/{key}").status_code == 204
    assert client.get(f"/api/jobs/{key}").status_code == 404
    assert not (tmp_path / "home/studies" / key).exists()


@pytest.mark.parametrize("name", ["..%2f..%2fx", "%2e%2e/x", "a%00b", "a%5cb", ".ssh", "%2fetc%2fpasswd", "a//b"])
def test_names_that_climb_are_refused(client: TestClient, tmp_path: Path, name: str) -> None:
    key = client.post("/api/jobs", json={"name": "a"}).json()["id"]
    before = sorted(tmp_path.rglob("*"))
    assert client.put(f"/api/jobs/{key}/files/{name}", content=b"x").status_code in (404, 405, 422)
    assert sorted(tmp_path.rglob("*")) == before


def test_more_than_a_study_may_have_is_refused_and_leaves_nothing(client: TestClient, tmp_path: Path) -> None:
    key = client.post("/api/jobs", json={"name": "a"}).json()["id"]
    assert client.put(f"/api/jobs/{key}/files/a", content=b"x" * 600).status_code == 204
    assert client.put(f"/api/jobs/{key}/files/b", content=b"x" * 600).status_code == 413
    assert [path.name for path in (tmp_path / "home/studies" / key / "input").iterdir()] == ["a"]
    assert client.get(f"/api/jobs/{key}").json()["n_files"] == 1
    assert client.put(f"/api/jobs/{key}/files/b", content=b"x" * 300).status_code == 204
    assert client.post(f"/api/jobs/{key}/submit").json()["n_files"] == 2


@pytest.mark.parametrize("name", ["", "x" * 121, 3, None])
def test_names_of_jobs_are_text(client: TestClient, name: object) -> None:
    assert client.post("/api/jobs", json={"name": name}).status_code == 422
    assert client.post("/api/jobs", content=b"{").status_code == 422
