"""Tables as spreadsheets of several countries save them."""

from __future__ import annotations

import pytest

from cinema_cmr.io.delimiter import detect_delimiter


@pytest.mark.parametrize(
    ("header", "mark"), [("name,group", ","), ("name;group", ";"), ("name\tgroup", "\t"), ("name", ","), ("a,b;c", ",")]
)
def test_the_mark_between_columns(header: str, mark: str) -> None:
    assert detect_delimiter(header) == mark
