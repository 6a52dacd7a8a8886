"""A table of many rows in little memory: typed columns, written as CSV and as Parquet with units in the schema."""

from __future__ import annotations

import csv
import hashlib
import io
import math
from array import array
from collections.abc import Collection, Iterator, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from cinema_cmr.core.errors import UsageError, unknown_name
from cinema_cmr.core.safe_text import csv_cell
from cinema_cmr.core.study import Fact
from cinema_cmr.io.atomic import atomic_path

__all__ = ["Columns", "has_parquet"]

_PARQUET_ROWS = 1 << 16
"""Of a row group."""
_SHOWN_NAMES = 6
"""Columns that `repr` names."""
_NO_UTF8 = "backslashreplace"
"""What stands for bytes of a file name that are no text."""


def has_parquet() -> bool:
    """Whether the library of Parquet is installed."""
    return find_spec("pyarrow") is not None


class Columns:
    """Rows by column: numbers as float64, whole numbers and text as they are; None where a row lacks a column.

    `table["lv_ef_percent"]` is a column, `for row in table` its rows as dicts, `dict(table)` all columns by name, as a
    data frame takes them, and `table.to_arrow()` a pyarrow table.
    """

    def __init__(self, first: Sequence[str] = (), last: Sequence[str] = ()) -> None:
        self._first, self._last = tuple(first), tuple(last)
        self._numbers: dict[str, array[float]] = {}
        self._others: dict[str, list[Fact]] = {}
        self._order: list[str] = []
        self._n = 0

    def __len__(self) -> int:
        return self._n

    def __iter__(self) -> Iterator[dict[str, Fact]]:
        names = self.names
        for cells in zip(*map(self.values, names), strict=True):
            yield dict(zip(names, cells, strict=True))

    def __getitem__(self, name: str) -> list[Fact]:
        if not self._has(name):
            raise unknown_name("column", name, self.names)
        return self.values(name)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._has(name)

    def __repr__(self) -> str:
        names = self.names
        more = f", ... ({len(names)} columns)" if len(names) > _SHOWN_NAMES else ""
        return f"Columns({self._n} rows: {', '.join(names[:_SHOWN_NAMES])}{more})"

    def _repr_html_(self) -> str:
        from cinema_cmr.report.notebook import columns_html

        return columns_html(self)

    def keys(self) -> list[str]:
        """Return the names of the columns."""
        return self.names

    def append(self, row: Mapping[str, Fact]) -> None:
        """Add a row; a column that is new is empty in the rows before."""
        for name, value in row.items():
            if not self._has(name):
                self._order.append(name)
            self._append(name, value)
        self._n += 1
        for numbers in self._numbers.values():
            numbers.extend([math.nan] * (self._n - len(numbers)))
        for others in self._others.values():
            others.extend([None] * (self._n - len(others)))

    @property
    def names(self) -> list[str]:
        """The columns: those that stand first, the others as they came, those that stand last."""
        fixed = {*self._first, *self._last}
        middle = [name for name in self._order if name not in fixed]
        first, last = ([name for name in part if self._has(name)] for part in (self._first, self._last))
        return [*first, *middle, *last]

    def values(self, name: str) -> list[Fact]:
        """Return a column, None where there is no value; all None for a column that no row has."""
        if name in self._others:
            return list(self._others[name])
        return [None if math.isnan(value) else value for value in self._numbers.get(name, [math.nan] * self._n)]

    def numbers(self, name: str) -> array[float]:
        """Return a column as numbers, NaN where there is none."""
        if name in self._numbers:
            return self._numbers[name]
        return array("d", [math.nan if isinstance(v, str | None) else float(v) for v in self.values(name)])

    def reordered(self, order: Sequence[int], names: Sequence[str]) -> Columns:
        """Return the table with its rows in this order, and its columns; those that stand first or last do so still."""
        made = Columns(self._first, self._last)
        made._n = len(order)
        for name in names:
            numbers = self._numbers.get(name)
            if numbers is None:
                made._others[name] = [self._others[name][row] for row in order]
            else:
                made._numbers[name] = array("d", [numbers[row] for row in order])
        made._order = list(names)
        return made

    def write_csv(self, path: Path) -> None:
        """Write the table, replacing an older one; empty cells where there is no value."""
        with (
            atomic_path(path, overwrite=True) as draft,
            draft.open("w", newline="", encoding="utf-8", errors=_NO_UTF8) as file,
        ):
            self._write(file, self.names)

    def write_parquet(self, path: Path, units: Mapping[str, str], facts: Mapping[str, str]) -> None:
        """Write the table with units as metadata of its fields, and facts as metadata of its schema.

        Raises `UsageError` without pyarrow.
        """
        _, parquet = _arrow(f"'{path.name}'")
        table = self.to_arrow(units, facts)
        with atomic_path(path, overwrite=True) as draft:
            parquet.write_table(table, draft, compression="zstd", row_group_size=_PARQUET_ROWS)

    def to_arrow(self, units: Mapping[str, str] | None = None, facts: Mapping[str, str] | None = None) -> Any:
        """Return a pyarrow.Table, with units as metadata of its fields, and facts as metadata of its schema.

        Raises `UsageError` without pyarrow.
        """
        arrow, _ = _arrow("a table of Arrow")
        fields, columns = [], []
        for name in self.names:
            data = self._numbers[name] if name in self._numbers else self._others[name]
            kind = _kind(arrow, data)
            if kind == arrow.string():
                data = [None if value is None else _text(value) for value in data]
            columns.append(arrow.array(data, type=kind, from_pandas=name in self._numbers))
            unit = (units or {}).get(name)
            fields.append(arrow.field(name, kind, metadata={"unit": unit} if unit else None))
        return arrow.Table.from_arrays(columns, schema=arrow.schema(fields, metadata=dict(facts or {})))

    def digest(self, *, without: Collection[str] = ()) -> str:
        """Return the SHA-256 of the table as CSV, without some columns."""
        content, text = hashlib.sha256(), io.StringIO()
        names = [name for name in self.names if name not in without]
        self._write(text, names)
        content.update(text.getvalue().encode("utf-8", errors=_NO_UTF8))
        return content.hexdigest()

    def _has(self, name: str) -> bool:
        return name in self._numbers or name in self._others

    def _append(self, name: str, value: Fact) -> None:
        if value is None and name not in self._others:
            self._numbers.setdefault(name, array("d", [math.nan] * self._n)).append(math.nan)
        elif isinstance(value, float) and name not in self._others:
            self._numbers.setdefault(name, array("d", [math.nan] * self._n)).append(value)
        else:
            if name in self._numbers:  # its first rows were empty, or it mixes numbers and text
                before = self._numbers.pop(name)
                self._others[name] = [None if math.isnan(one) else one for one in before]
            self._others.setdefault(name, [None] * self._n).append(value)

    def _write(self, file: io.TextIOBase, names: Sequence[str]) -> None:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(names)
        writer.writerows(self._rows(names))

    def _rows(self, names: Sequence[str]) -> Iterator[list[object]]:
        columns = [self._numbers.get(name, self._others.get(name, [])) for name in names]
        for row in zip(*columns, strict=True):
            yield [_cell(value) for value in row]


def _cell(value: Fact) -> object:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return csv_cell(value)


def _kind(arrow: ModuleType, data: Sequence[Fact]) -> object:
    """Return the type of a column; text for one that mixes kinds, or holds whole numbers that no number type holds."""
    if isinstance(data, array):
        return arrow.float64()
    kinds = {type(value) for value in data if value is not None}
    largest = max((abs(value) for value in data if isinstance(value, int)), default=0)
    if kinds == {bool}:
        return arrow.bool_()
    if kinds == {int} and largest < 1 << 63:
        return arrow.int64()
    if kinds and kinds <= {int, float} and largest <= 1 << 53:
        return arrow.float64()
    return arrow.string()


def _text(value: Fact) -> str:
    """Return the text of a value, unguarded: no spreadsheet opens Parquet, the CSV has `csv_cell`'s form of it.

    Bytes of a file name that are no UTF-8 are escaped, as in the CSV.
    """
    return str(value).encode("utf-8", errors=_NO_UTF8).decode("utf-8")


def _arrow(what: str) -> tuple[ModuleType, ModuleType]:
    try:
        return import_module("pyarrow"), import_module("pyarrow.parquet")
    except ImportError as error:
        raise UsageError(
            f"{what} needs pyarrow, which is not installed; expected cinema-cmr[population]: install it, or use"
            " the CSV or the columns themselves"
        ) from error
