"""Tables by column: what is appended comes back, as CSV and as Parquet."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from cinema_cmr.core.errors import UsageError
from cinema_cmr.core.study import Fact
from cinema_cmr.report.wide.columns import Columns


@pytest.fixture
def table() -> Columns:
    made = Columns(("study",), ("seconds",))
    made.append({"seconds": 1.5, "ef": 60.0, "study": "a"})
    made.append({"study": "b", "ef": None, "group": "=x", "n": 2})
    made.append({"study": "c", "edv": 150.25, "group": None, "n": 3})
    return made


def test_rows_have_every_column_in_a_fixed_place(table: Columns) -> None:
    assert table.names == ["study", "ef", "group", "n", "edv", "seconds"]
    assert table.values("ef") == [60.0, None, None]
    assert table.values("group") == [None, "=x", None]
    assert list(table.numbers("n"))[1:] == [2.0, 3.0]
    assert all(math.isnan(value) for value in table.numbers("absent"))


def test_csv_has_empty_cells_and_no_formula(table: Columns, tmp_path: Path) -> None:
    table.write_csv(tmp_path / "t.csv")
    assert (tmp_path / "t.csv").read_text() == (
        "study,ef,group,n,edv,seconds\na,60.0,,,,1.5\nb,,'=x,2,,\nc,,,3,150.25,\n"
    )


def test_the_digest_leaves_out_what_differs_from_run_to_run(table: Columns) -> None:
    other = table.reordered([0, 1, 2], table.names)
    assert other.digest() == table.digest()
    assert table.reordered([1, 0, 2], table.names).digest() != table.digest()
    assert table.digest(without=("seconds",)) != table.digest()


def test_parquet_has_types_and_units(table: Columns, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    table.write_parquet(tmp_path / "t.parquet", {"ef": "%"}, {"hash": "x"})
    read = parquet.read_table(tmp_path / "t.parquet")
    assert [str(field.type) for field in read.schema] == ["string", "double", "string", "int64", "double", "double"]
    assert read.schema.field("ef").metadata == {b"unit": b"%"} and read.schema.metadata[b"hash"] == b"x"
    assert read["ef"].to_pylist() == [60.0, None, None]


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        ([1, 2, "A", None], "string", ["1", "2", "A", None]),
        ([1.5, "A", None, 2], "string", ["1.5", "A", None, "2"]),
        ([None, "A", True], "string", [None, "A", "True"]),
        ([True, 2, None], "string", ["True", "2", None]),
        ([True, 2.5], "string", ["True", "2.5"]),
        ([1, 2.5, None], "double", [1.0, 2.5, None]),
        ([True, None, False], "bool", [True, None, False]),
        ([1, 1 << 70], "string", ["1", str(1 << 70)]),
        ([0.5, (1 << 53) + 1], "string", ["0.5", str((1 << 53) + 1)]),
        (["a\udcff"], "string", ["a\\udcff"]),
        ([None, None], "double", [None, None]),
    ],
)
def test_a_column_of_several_kinds_is_text(
    values: list[Fact], kind: str, expected: list[object], tmp_path: Path
) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    made = Columns()
    for value in values:
        made.append({"fact": value})
    made.write_csv(tmp_path / "t.csv")
    made.write_parquet(tmp_path / "t.parquet", {}, {})
    column = parquet.read_table(tmp_path / "t.parquet")["fact"]
    assert (str(column.type), column.to_pylist()) == (kind, expected)


def test_without_pyarrow_the_error_names_the_extra(
    table: Columns, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr("cinema_cmr.report.wide.columns.import_module", absent)
    with pytest.raises(UsageError, match=r"cinema-cmr\[population\]"):
        table.write_parquet(tmp_path / "t.parquet", {}, {})


def test_a_table_is_read_by_column_by_row_and_as_arrow(table: Columns) -> None:
    assert table["ef"] == [60.0, None, None] and "ef" in table and "absent" not in table
    with pytest.raises(UsageError, match="unknown column 'efs'; did you mean 'ef'"):
        table["efs"]
    assert list(table)[1] == {"study": "b", "ef": None, "group": "=x", "n": 2, "edv": None, "seconds": None}
    assert dict(table)["study"] == ["a", "b", "c"] and len(table) == 3
    assert repr(table) == "Columns(3 rows: study, ef, group, n, edv, seconds)"
    pytest.importorskip("pyarrow")
    arrow = table.to_arrow({"ef": "%"})
    assert arrow.to_pylist() == list(table) and arrow.schema.field("ef").metadata == {b"unit": b"%"}
