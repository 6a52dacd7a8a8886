"""The application: its description, its files, and errors that show nothing of this machine."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from serving import client_of

from cinema_cmr.serve.application import STATIC


def test_the_api_is_described_and_needs_no_network(tmp_path: Path) -> None:
    with client_of(tmp_path / "home") as client:
        description = client.get("/api/openapi.json").json()
        assert {"/api/jobs/{key}/submit", "/api/studies/{key}/numbers"} <= set(description["paths"])
        assert "not for diagnosis" in description["info"]["description"]
        assert client.get("/docs").status_code == 404 and client.get("/redoc").status_code == 404
        page = client.get("/")
        assert page.headers["content-type"].startswith("text/html") and "<script type=" in page.text


@pytest.mark.parametrize("path", sorted(STATIC.iterdir()), ids=lambda path: path.name)
def test_pages_hold_nothing_inline_and_nothing_from_elsewhere(path: Path) -> None:
    text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
    assert "://" not in text and "innerHTML" not in text and "eval(" not in text and "style=" not in text
    assert "onclick=" not in text and "@import" not in text


def test_the_style_sheet_says_nothing_twice() -> None:
    """Of two rules for one selector with the same declarations, one is a leftover."""
    text = re.sub(r"/\*.*?\*/|@media.*", "", (STATIC / "style.css").read_text(encoding="utf-8"), flags=re.DOTALL)
    rules = [(place.strip(), given.strip()) for place, given in re.findall(r"([^{}]+)\{([^{}]*)\}", text)]
    assert len(rules) > 100 and sorted(rules) == sorted(set(rules))


def test_an_error_of_the_system_shows_no_path(tmp_path: Path, results: Path) -> None:
    with client_of(tmp_path / "home", results) as client:
        key = client.get("/api/studies").json()[0]["id"]
        (results / "images/sax.nii.gz").write_bytes(b"damaged")
        answer = client.get(f"/api/studies/{key}")
        assert answer.status_code == 422 and str(tmp_path) not in answer.text
        (results / "report.html").unlink()
        assert client.get(f"/api/studies/{key}/report").status_code == 404
