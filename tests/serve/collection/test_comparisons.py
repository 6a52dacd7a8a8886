"""Comparisons: model and reader of one study, and two studies; the pages are in a sandbox, and the latest are kept."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from serving import client_of

from cinema_cmr.report.record.review import read_review
from cinema_cmr.serve.guard import REPORT_POLICY
from cinema_cmr.serve.library import study_key

pytestmark = pytest.mark.medium

EMPTIED = {"slices": [{"view": "sax", "frame": 0, "slice": 2, "runs": [0, 56 * 46]}]}


def test_model_and_reader_of_one_study(results: Path, tmp_path: Path) -> None:
    with client_of(tmp_path / "home", results) as client:
        key = study_key(results)
        refused = client.post("/api/comparisons", json={"first": key})
        assert refused.status_code == 422 and "correct a slice first" in refused.json()["detail"]
        client.post(f"/api/studies/{key}/changes", json=EMPTIED)
        made = client.post("/api/comparisons", json={"first": key})
        assert made.status_code == 201
        page = client.get(f"/api/comparisons/{made.json()['id']}")
        assert page.headers["content-security-policy"] == REPORT_POLICY
        assert "reader" in page.text and "model" in page.text and "<svg" in page.text
        assert json.loads((results / "measurements.json").read_text())["edits"]["masks"]  # brought up to date
        assert not read_review(results).signed_off


def test_two_studies_of_the_list(results: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(results, tmp_path / "other"))
    shutil.rmtree(other / "images")  # results of NIfTI have none: nothing is opened that has no review
    with client_of(tmp_path / "home", results, other) as client:
        keys = {"first": study_key(results), "second": study_key(other)}
        made = client.post("/api/comparisons", json=keys)
        assert made.status_code == 201, made.text
        for same in ({**keys, "second": keys["first"]}, {**keys, "second": "0" * 16}):
            assert client.post("/api/comparisons", json=same).status_code in (404, 422)
        assert client.get("/api/comparisons/" + "0" * 16).status_code == 404
        for _ in range(8):
            client.post("/api/comparisons", json=keys)
        assert client.get(f"/api/comparisons/{made.json()['id']}").status_code == 404
