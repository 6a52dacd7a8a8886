"""Cells of a table: delimiters, lists of paths, and files that are none."""

from __future__ import annotations

from pathlib import Path

import pytest

from cinema_cmr.core.errors import InputError, UnreadableFileError, UsageError
from cinema_cmr.io.manifest_table import manifest_table

AS_TEXT = ("path", "weight")


def cells(folder: Path, text: str, name: str = "list.csv") -> tuple[list[str], list[list[object]]]:
    (folder / name).write_text(text, encoding="utf-8")
    heads, rows = manifest_table(folder / name, as_text=AS_TEXT)
    return heads, [list(row) for _, row in rows]


def test_lines_without_a_table_are_paths(tmp_path: Path) -> None:
    assert cells(tmp_path, "a.nii\n\nDoe, J/b.nii\n") == (["path"], [["a.nii"], ["Doe, J/b.nii"]])


def test_a_comma_is_decimal_where_it_is_no_delimiter(tmp_path: Path) -> None:
    heads, rows = cells(tmp_path, "\ufeffPath;dose;Site-Id;;\na;2,5;1;;\n;;;;\nb;NA\n")
    assert heads == ["path", "dose", "site_id", "", ""]
    assert rows == [["a", 2.5, 1, None, None], ["b", None, None, None, None]]


def test_a_row_that_is_too_long_is_refused(tmp_path: Path) -> None:
    assert cells(tmp_path, "path,weight\na,60,\n")[1] == [["a", "60"]]
    with pytest.raises(InputError, match="row 2 has 4 cells; expected 3: quote"):
        cells(tmp_path, "path,weight,group\na,60,5,DCM\n")


def test_columns_stay_text_that_the_caller_names(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("path,weight,id\n007,60.0,007\n")
    assert manifest_table(tmp_path / "list.csv", as_text=("weight",))[1] == [(2, ["007", "60.0", "007"])]
    assert manifest_table(tmp_path / "list.csv", as_text=())[1] == [(2, ["007", 60.0, "007"])]


def test_what_is_no_table_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        manifest_table(tmp_path / "none.csv", as_text=AS_TEXT)
    with pytest.raises(UnreadableFileError, match="binary"):
        cells(tmp_path, "path\na\0b\n")
    pytest.importorskip("pyarrow")
    with pytest.raises(InputError, match="expected a Parquet table"):
        cells(tmp_path, "path\na\n", "list.parquet")
    monkeypatch.setattr("cinema_cmr.io.manifest_table.import_module", _absent)
    with pytest.raises(UsageError, match=r"cinema-cmr\[population\]"):
        manifest_table(tmp_path / "list.parquet", as_text=AS_TEXT)


def test_parquet_needs_a_path_and_keeps_what_it_can(tmp_path: Path) -> None:
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    parquet.write_table(arrow.table({"file": ["a"]}), tmp_path / "none.parquet")
    with pytest.raises(InputError, match="no column 'path'"):
        manifest_table(tmp_path / "none.parquet", as_text=AS_TEXT)
    days = arrow.array([19000], arrow.date32())
    table = arrow.table({"path": ["a"], "x": [float("nan")], "day": days, "empty": [""]})
    parquet.write_table(table, tmp_path / "list.parquet")
    assert manifest_table(tmp_path / "list.parquet", as_text=AS_TEXT)[1] == [(1, ["a", None, "2022-01-08", None])]


def _absent(name: str) -> None:
    raise ImportError(name)
