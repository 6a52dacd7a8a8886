"""Foreign text where it is shown: terminals, spreadsheets, Markdown."""

from __future__ import annotations

import json

import pytest

from cinema_cmr.core.safe_text import csv_cell, csv_row, json_line, markdown_cell, plain_name, printable

HOSTILE = [
    "\x1b[2J\x1b]0;owned\x07x",
    "ok\rcinema: all is well",
    "a\nb",
    "abc\u202egpj",
    "\x9b31m",
    "\udcff\udcfe",
    "\x00",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_that_a_terminal_acts_on_is_printed(text: str) -> None:
    for shown in (printable(text), plain_name(text), json_line({"name": text}), markdown_cell(text)):
        assert not any(ord(one) < 32 or 127 <= ord(one) < 160 or one == "\u202e" for one in shown)
        shown.encode("utf-8")
    assert json.loads(json_line({"name": text})) == {"name": text}


def test_ordinary_names_stay_as_they_are() -> None:
    for name in ("patient001_frame01", "Müller", "患者", "a\u00a0b", "\U0001f600", "نام\u200cها"):
        assert printable(name) == plain_name(name) == name
        assert json_line(name) == json.dumps(name, ensure_ascii=False)
    assert printable("two\nlines", keep="\n") == "two\nlines"


@pytest.mark.parametrize("text", ["=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1"])
def test_a_formula_is_text_in_a_spreadsheet(text: str) -> None:
    assert csv_cell(text) == f"'{text}"
    assert csv_row({"name": text, "value": -1.5}) == {"name": f"'{text}", "value": -1.5}


@pytest.mark.parametrize("value", ["", "-", "-3.5", "+1e-4", "sax", None, -2, 0.5])
def test_other_cells_are_unchanged(value: object) -> None:
    assert csv_cell(value) == value


def test_markup_in_a_cell_is_text() -> None:
    assert markdown_cell("a|b") == "a\\|b"
    assert markdown_cell("<img src=x>") == "\\<img src=x>" and markdown_cell("<0.001") == "<0.001"
    assert markdown_cell("[x](javascript:1)\n# head") == "\\[x\\](javascript:1) # head"
