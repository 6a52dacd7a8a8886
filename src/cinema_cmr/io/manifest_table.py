"""The cells of a table of studies, from CSV, Parquet or a list of paths."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from importlib import import_module
from pathlib import Path

from cinema_cmr.core.errors import InputError, UnreadableFileError, UsageError
from cinema_cmr.core.study import Fact
from cinema_cmr.files.text import parse_rows, read_text
from cinema_cmr.io.delimiter import detect_delimiter
from cinema_cmr.io.fact_cells import fact_of_text, fact_of_value

__all__ = ["manifest_table"]

_MAX_BYTES = 512 << 20
"""Of a CSV: 100,000 studies with some 50 facts have 50 MB."""
_Rows = list[tuple[int, list[Fact]]]


def manifest_table(file: Path, *, as_text: Collection[str]) -> tuple[list[str], _Rows]:
    """Return the names of the columns, among them `path`, and the rows with their numbers; empty ones are left out.

    The cells of the columns `as_text` of a CSV stay text, which the caller reads by rules of their own; all others are
    facts. Raises `InputError` for a file that cannot be read or has no column `path`, `UnreadableFileError` for one
    that is none, `UsageError` for Parquet without pyarrow.
    """
    heads, rows = _parquet(file) if file.suffix.lower() == ".parquet" else _csv(file, as_text)
    return heads, [(number, cells) for number, cells in rows if any(cell not in (None, "") for cell in cells)]


def _csv(file: Path, as_text: Collection[str]) -> tuple[list[str], _Rows]:
    lines = _lines(file)
    delimiter = detect_delimiter(lines[0] if lines else "")
    table = parse_rows("\n".join(lines), file.name, delimiter=delimiter)
    heads = [_head(cell) for cell in table[0]] if table else []
    if "path" not in heads:
        return ["path"], [(number, [line.strip()]) for number, line in enumerate(lines, 1)]
    rows: _Rows = []
    for number, cells in enumerate(table[1:], 2):
        _check_width(cells, len(heads), f"manifest '{file.name}', row {number}")
        padded = [*cells[: len(heads)], *[""] * (len(heads) - len(cells))]
        one = [
            cell.strip() if head in as_text else fact_of_text(cell, decimal_comma=delimiter != ",")
            for head, cell in zip(heads, padded, strict=True)
        ]
        rows.append((number, one))
    return heads, rows


def _lines(file: Path) -> list[str]:
    try:
        lines = [line for line in read_text(file, max_bytes=_MAX_BYTES).splitlines() if line.strip()]
    except OSError as error:
        raise InputError(
            f"manifest '{file.name}' cannot be read ({error.strerror}); expected a text file: check the path"
        ) from error
    if any("\0" in line for line in lines):
        raise UnreadableFileError(f"manifest '{file.name}' is binary; expected one path a line, or a CSV")
    return lines


def _check_width(cells: Sequence[str], n: int, place: str) -> None:
    """Refuse cells beyond the last column: those before may have moved, as by a comma that is not quoted."""
    if any(cell.strip() for cell in cells[n:]):
        raise InputError(f"{place} has {len(cells)} cells; expected {n}: quote a cell that holds the delimiter")


def _parquet(file: Path) -> tuple[list[str], _Rows]:
    try:
        parquet = import_module("pyarrow.parquet")
    except ImportError as error:
        raise UsageError(
            "a Parquet manifest needs pyarrow, which is not installed; give a CSV, or install cinema-cmr[population]"
        ) from error
    try:
        table = parquet.read_table(file)
    except (OSError, ValueError) as error:
        raise InputError(f"manifest '{file.name}' cannot be read; expected a Parquet table: check the file") from error
    heads = [_head(name) for name in table.column_names]
    if "path" not in heads:
        raise InputError(f"manifest '{file.name}' has no column 'path'; expected one with the paths of the studies")
    columns = [column.to_pylist() for column in table.columns]
    rows = zip(*columns, strict=True)
    return heads, [(number, [fact_of_value(value) for value in row]) for number, row in enumerate(rows, 1)]


def _head(cell: str) -> str:
    return cell.strip().lstrip("\ufeff").casefold().replace(" ", "_").replace("-", "_")
