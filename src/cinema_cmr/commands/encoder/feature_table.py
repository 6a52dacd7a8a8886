"""Tables of features as files: CSV for everyone, parquet where the library for it is installed."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from cinema_cmr.core.errors import UsageError
from cinema_cmr.core.safe_text import csv_cell
from cinema_cmr.io.atomic import atomic_path

if TYPE_CHECKING:
    from cinema_cmr.inference.features import FeatureRow

__all__ = ["check_table", "write_table"]

_FACTS = ("study", "frame", "tokens")


def check_table(path: Path) -> None:
    """Raise `UsageError` if a table of this name cannot be written, before any work is done."""
    if path.suffix not in (".csv", ".parquet"):
        raise UsageError(f"'{path.name}' is no table; expected a name that ends in .csv or .parquet")
    if path.suffix == ".parquet":
        _parquet()


def write_table(rows: Sequence[FeatureRow], path: Path, *, overwrite: bool = False) -> None:
    """Write `FeatureRow`s: columns study, frame (empty for the mean over the cycle), tokens, f0, f1, ...

    Cells of a row that is shorter than the longest stay empty.
    """
    check_table(path)
    with atomic_path(path, overwrite=overwrite) as sibling:
        if path.suffix == ".csv":
            _write_csv(rows, sibling)
        else:
            _write_parquet(rows, sibling)


def _write_csv(rows: Sequence[FeatureRow], path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        names = _names(rows)
        writer.writerow([*_FACTS, *names])
        for row in rows:
            frame = "" if row.frame is None else row.frame
            cells = [f"{value:.7g}" for value in row.values]
            empty = [""] * (len(names) - len(cells))
            writer.writerow([csv_cell(row.study), frame, row.tokens, *cells, *empty])


def _write_parquet(rows: Sequence[FeatureRow], path: Path) -> None:
    arrow, parquet = _parquet()
    columns: dict[str, list[object]] = {name: [getattr(row, name) for row in rows] for name in _FACTS}
    columns |= {
        name: [float(row.values[i]) if i < len(row.values) else None for row in rows]
        for i, name in enumerate(_names(rows))
    }
    parquet.write_table(arrow.table(columns), path)


def _names(rows: Sequence[FeatureRow]) -> list[str]:
    return [f"f{i}" for i in range(max((len(row.values) for row in rows), default=0))]


def _parquet() -> tuple[ModuleType, ModuleType]:
    """The library, which is no dependency of ours."""
    try:
        return import_module("pyarrow"), import_module("pyarrow.parquet")
    except ImportError as error:
        raise UsageError("parquet needs pyarrow, which is not installed; give a name that ends in .csv") from error
