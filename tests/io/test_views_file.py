"""The views file: written, edited and read back."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from cinema_cmr.core.choices import SeriesChoice
from cinema_cmr.core.errors import InputError, OutputExistsError, UnknownNameError, UsageError
from cinema_cmr.core.study import SeriesDecision, Study
from cinema_cmr.core.vocabulary import View
from cinema_cmr.io.views_file import read_views_file, view_pairs, write_views_file

STUDY = Study(
    name="one",
    cines=(),
    decisions=(
        SeriesDecision(series="series 1", view=View.SAX, kept=True, reason="parallel, across"),
        SeriesDecision(series="series 2", view=None, kept=False, reason="described as flow"),
    ),
    descriptions={"series 1": "cine SA", "series 2": 'cine "PC", basal'},
)


@pytest.mark.parametrize("name", ["views.csv", "views.json"])
def test_the_file_says_what_was_decided_and_reads_back(tmp_path: Path, name: str) -> None:
    write_views_file(STUDY, tmp_path / name)
    text = (tmp_path / name).read_text(encoding="utf-8")
    assert "short axis" in text and "cine SA" not in text and "basal" not in text and "described as flow" in text
    assert read_views_file(tmp_path / name) == (
        ("series 1", SeriesChoice(use=True, view=View.SAX)),
        ("series 2", SeriesChoice(use=False)),
    )
    with pytest.raises(OutputExistsError):
        write_views_file(STUDY, tmp_path / name)


def test_a_description_is_no_formula_and_odd_names_read_back(tmp_path: Path) -> None:
    names = ["=1+1", "'=1+1", "-dark\nblood-", "@sax\x1c", "-3", "'quoted'"]
    decisions = [SeriesDecision(series=name, view=View.SAX, kept=True, reason="across") for name in names]
    study = Study(name="one", cines=(), decisions=tuple(decisions), descriptions={names[0]: '=HYPERLINK("x")'})
    write_views_file(study, tmp_path / "views.csv", full_descriptions=True)
    with (tmp_path / "views.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))[1:]
    assert rows[0][1] == '\'=HYPERLINK("x")'
    assert not [cell for row in rows for cell in row if cell.startswith(("=", "@")) or cell.startswith("-dark")]
    assert [series for series, _ in read_views_file(tmp_path / "views.csv")] == names


def test_columns_of_a_spreadsheet_may_be_few_and_separated_by_semicolons(tmp_path: Path) -> None:
    path = tmp_path / "edited.csv"
    path.write_text("Order;Series;View;Use\n2;7;short axis;YES\n;cine SA PC;;\n", encoding="utf-8-sig")
    assert read_views_file(path) == (
        ("7", SeriesChoice(use=True, view=View.SAX, order=2)),
        ("cine SA PC", SeriesChoice()),
    )


@pytest.mark.parametrize(
    ("text", "error", "match"),
    [
        ("series,use\n1,maybe\n", UsageError, "row 1 .* use 'maybe'"),
        ("series,order\n1,first\n", UsageError, "row 1 .* order 'first'"),
        ("series,view\n1,saxx\n", UnknownNameError, "did you mean 'sax'"),
        ("name,view\n1,sax\n", InputError, "no column 'series'"),
    ],
)
def test_a_row_that_cannot_be_read_is_an_error(tmp_path: Path, text: str, error: type[Exception], match: str) -> None:
    (tmp_path / "views.csv").write_text(text)
    with pytest.raises(error, match=match):
        read_views_file(tmp_path / "views.csv")


def test_views_of_series_as_text_or_mapping() -> None:
    assert view_pairs(["cine=late=sax"]) == {"cine=late": View.SAX} == view_pairs({"cine=late": "sax"})
    with pytest.raises(UsageError, match="SERIES=VIEW"):
        view_pairs(["sax"])
    with pytest.raises(InputError, match="cannot be read"):
        read_views_file("absent.csv")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("views.json", b"[" * 100_000 + b"]" * 100_000),
        ("views.json", b'[{"series": NaN}]'),
        ("views.csv", b"series,use\n" + b"x" * 1_100_000),
        ("views.csv", "series,use\nMüller,no\n".encode("latin-1")),
        ("views.csv", bytes(range(256)) * 20),
    ],
    ids=["deep", "nan", "megabyte", "latin-1", "binary"],
)
def test_deep_huge_or_binary_text_is_refused_unquoted(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=f"'{name}' cannot be read") as error:
        read_views_file(tmp_path / name)
    assert len(str(error.value)) < 200


def test_rows_shorter_or_longer_than_the_header_are_read(tmp_path: Path) -> None:
    (tmp_path / "views.csv").write_text("series,view,use\n7\n8,sax,no,more\n\n", encoding="utf-8")
    assert read_views_file(tmp_path / "views.csv") == (("7", SeriesChoice()), ("8", SeriesChoice(use=False)))
