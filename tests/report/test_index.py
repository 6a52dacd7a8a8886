"""The page over several studies."""

from __future__ import annotations

import csv
import re
from dataclasses import fields
from pathlib import Path

import pytest

from cinema_cmr.core.analysis import Analysis
from cinema_cmr.core.errors import OutputExistsError
from cinema_cmr.core.vocabulary import NOTICE
from cinema_cmr.measure.scar import SCAR_SUMMARY
from cinema_cmr.report.index import IndexRow, write_index
from cinema_cmr.report.record.build import build_record
from cinema_cmr.report.record.study_record import Summary


@pytest.fixture
def rows(analysis: Analysis) -> list[IndexRow]:
    record = build_record(analysis)
    return [
        IndexRow(name="a & b", report="a & b/report.html", record=record),
        IndexRow(name="<script>alert(1)</script>", report="javascript:alert(1)", record=record),
        IndexRow(name="broken", error="truncated <file>"),
    ]


def test_page_has_a_line_a_study_and_is_harmless(rows: list[IndexRow], tmp_path: Path) -> None:
    write_index(rows, tmp_path / "index.html")
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert page.count("<tr") == 1 + len(rows)
    assert page.index("truncated &lt;file") < page.index("a &amp; b"), "the worst first"
    assert re.search(r"<details[^>]*><summary>\d notes?</summary>", page) is None or "flag info" in page
    assert page.count(NOTICE) == 2
    assert "3 studies, 1 without results" in page
    assert 'href="a%20%26%20b/report.html"' in page
    assert 'href="javascript%3Aalert%281%29"' in page
    assert page.count("<script") == 1, "ours, which sorts"
    assert "alert(1)</script>" not in page
    assert "truncated &lt;file&gt;" in page
    assert "sv mismatch" in page
    assert "http://" not in page
    assert "https://" not in page


def test_table_has_the_summaries(rows: list[IndexRow], tmp_path: Path) -> None:
    write_index(rows, tmp_path / "index.html")
    with (tmp_path / "index.csv").open(encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    names = [field.name for field in fields(Summary) if field.name not in SCAR_SUMMARY]
    assert list(table[0]) == ["study", *names, "flags", "report", "error"]
    assert (table[0]["lv_ef_percent"], table[0]["rv_ef_percent"]) == ("40.0", "")
    assert table[0]["flags"] == "few-slices sv-mismatch"
    assert (table[2]["study"], table[2]["error"], table[2]["report"]) == ("broken", "truncated <file>", "")


def test_nothing_is_overwritten_unasked(rows: list[IndexRow], tmp_path: Path) -> None:
    write_index(rows, tmp_path / "index.html")
    with pytest.raises(OutputExistsError):
        write_index(rows, tmp_path / "index.html")
    write_index(rows[:1], tmp_path / "index.html", overwrite=True)
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    model = rows[0].record.model if rows[0].record else None
    assert model is not None and model.hash is not None and f"1 study; model {model.name} {model.hash[:12]}<" in page
