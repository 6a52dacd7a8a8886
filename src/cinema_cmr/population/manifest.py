"""The studies of a population: paths, identifiers and facts, from the command line or from one table."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from importlib import import_module
from pathlib import Path

from cinema_cmr.core.errors import InputError, UsageError
from cinema_cmr.core.safe_text import plain_name
from cinema_cmr.core.study import Fact, Facts, Subject
from cinema_cmr.files.text import parse_rows, read_text
from cinema_cmr.io.delimiter import detect_delimiter
from cinema_cmr.io.names import unique_names

__all__ = ["ListedStudy", "list_studies", "parse_shard", "read_manifest", "shard_of"]

_MAX_BYTES = 512 << 20
"""Of a CSV: 100,000 studies with some 50 facts have 50 MB."""
_SUBJECT = {field.name for field in fields(Subject)}
_SHORT = {"age": "age_years", "height": "height_cm", "weight": "weight_kg", "heart_rate": "heart_rate_bpm"}
_UNKNOWN = ("", "na", "nan", "none", "null")


@dataclass(frozen=True, kw_only=True)
class ListedStudy:
    """One study of a manifest."""

    name: str
    """Unique in the population; the column `id`, else from the path."""
    path: Path
    facts: Facts = field(default_factory=dict)
    """All other columns. Those named as the fields of `Subject` are used in measurements."""

    @property
    def subject(self) -> Subject:
        """The facts that measurements use."""
        return Subject(**{name: value for name, value in self.facts.items() if name in _SUBJECT})  # type: ignore[arg-type]


def list_studies(inputs: Sequence[Path], manifest: Path | None = None) -> list[ListedStudy]:
    """Return the studies of a command line and of a manifest, each name once.

    Raises `UsageError` for no input, or a name that is given twice.
    """
    listed = read_manifest(manifest) if manifest is not None else []
    listed += [ListedStudy(name=name, path=path) for name, path in zip(unique_names(list(inputs)), inputs, strict=True)]
    if not listed:
        raise UsageError("no input given; expected studies, or --manifest FILE with a column 'path'")
    names: set[str] = set()
    for study in listed:
        if study.name.casefold() in names:
            raise UsageError(f"study '{study.name}' is listed twice; expected each id once: remove or rename one")
        names.add(study.name.casefold())
    return listed


def read_manifest(path: Path) -> list[ListedStudy]:
    """Read a CSV or Parquet table with the column `path`, an optional `id`, and facts; or a list of one path a line.

    Relative paths start at the table's own folder. Raises `InputError` for a table without `path` or with a fact of a
    subject that is none, `UnreadableFileError` for a file that is no table.
    """
    rows = _parquet_rows(path) if path.suffix.lower() == ".parquet" else _csv_rows(path)
    paths = [path.parent / str(row["path"]) for row in rows]
    has_ids = any("id" in row for row in rows)
    if has_ids and not all(row.get("id") not in (None, "") for row in rows):
        raise InputError(f"manifest '{path.name}' has rows without id; expected one in each row, or no such column")
    names = [_safe_id(row["id"]) for row in rows] if has_ids else unique_names(paths)
    return [
        ListedStudy(name=name, path=place, facts=_facts(row, name))
        for name, place, row in zip(names, paths, rows, strict=True)
    ]


def parse_shard(text: str | None) -> tuple[int, int]:
    """Return number (from 1) and count of a shard written "i/n"; 1/1 for None.

    >>> parse_shard("3/16"), parse_shard(None)
    ((3, 16), (1, 1))
    """
    if text is None:
        return 1, 1
    number, _, count = text.partition("/")
    if not (number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count)):
        raise UsageError(f"shard '{text}'; expected i/n with i from 1 to n, e.g. 3/16")
    return int(number), int(count)


def shard_of(studies: Sequence[ListedStudy], shard: tuple[int, int]) -> list[ListedStudy]:
    """Return every n-th study, from the i-th: neighbours in a manifest, often of like size, go to different shards."""
    return list(studies[shard[0] - 1 :: shard[1]])


def _csv_rows(path: Path) -> list[dict[str, Fact]]:
    try:
        lines = [line for line in read_text(path, max_bytes=_MAX_BYTES).splitlines() if line.strip()]
    except OSError as error:
        raise InputError(
            f"manifest '{path.name}' cannot be read ({error.strerror}); expected a CSV with a column 'path'"
        ) from error
    table = parse_rows("\n".join(lines), path.name, delimiter=detect_delimiter(lines[0] if lines else ""))
    heads = [_head(cell) for cell in table[0]] if table else []
    if "path" not in heads:
        return [{"path": line.strip()} for line in lines]
    rows = [dict(zip(heads, row, strict=False)) for row in table[1:]]
    _check_paths(path, rows)
    return [{name: _value(cell) if name not in ("id", "path") else cell for name, cell in row.items()} for row in rows]


def _parquet_rows(path: Path) -> list[dict[str, Fact]]:
    try:
        parquet = import_module("pyarrow.parquet")
    except ImportError as error:
        raise UsageError(
            "a Parquet manifest needs pyarrow, which is not installed; give a CSV, or install cinema-cmr[population]"
        ) from error
    try:
        table = parquet.read_table(path)
    except (OSError, ValueError) as error:
        raise InputError(f"manifest '{path.name}' cannot be read; expected a Parquet table: check the file") from error
    rows = [{_head(name): value for name, value in row.items()} for row in table.to_pylist()]
    _check_paths(path, rows)
    return [{name: _plain(value) for name, value in row.items()} for row in rows]


def _check_paths(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    for number, row in enumerate(rows, 1):
        if not str(row.get("path") or "").strip() or "\0" in str(row["path"]):
            raise InputError(f"row {number} of manifest '{path.name}' has no path; expected a column 'path', filled")


def _head(cell: str) -> str:
    name = cell.strip().casefold().replace(" ", "_")
    return _SHORT.get(name, name)


def _safe_id(value: object) -> str:
    """Return an identifier that is a file name everywhere."""
    text = str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
    name = plain_name(text.strip()).replace("/", "_").replace("\\", "_").replace(":", "_")
    if name.strip(".") == "" or len(name) > 200:
        raise InputError(f"id '{name[:40]}' is no name; expected 1 to 200 characters other than dots")
    return name


def _value(cell: str) -> Fact:
    text = cell.strip()
    if text.casefold() in _UNKNOWN:
        return None
    try:
        number = float(text)
    except ValueError:
        return text
    return (int(number) if number.is_integer() else number) if math.isfinite(number) else None


def _plain(value: object) -> Fact:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int | str) else str(value)


def _facts(row: Mapping[str, Fact], name: str) -> Facts:
    facts = {column: value for column, value in row.items() if column not in ("path", "id") and value is not None}
    if "sex" in facts:
        facts["sex"] = _sex(facts["sex"], name)
    for column in _SUBJECT - {"sex"}:
        value = facts.get(column)
        if value is None:
            continue
        if isinstance(value, str | bool) or value <= 0:
            raise InputError(f"study '{name}' has {column} '{value}'; expected a number above 0, or nothing")
        facts[column] = float(value)
    return facts


def _sex(value: Fact, name: str) -> str:
    sex = {"f": "F", "female": "F", "m": "M", "male": "M"}.get(str(value).casefold())
    if sex is None:
        raise InputError(f"study '{name}' has sex '{value}'; expected F, M or nothing")
    return sex
