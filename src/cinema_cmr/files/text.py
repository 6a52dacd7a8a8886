"""Bounded reading of text: JSON, YAML and tables from anywhere, refused before they cost memory or time.

Size, depth, number of containers and aliases are limited, the encoding is UTF-8, and no message quotes the content,
which may be another file than the one that was meant.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NoReturn

from cinema_cmr.core.errors import UnreadableFileError
from cinema_cmr.files.regular import open_regular

if TYPE_CHECKING:
    import yaml

    from cinema_cmr.core.serialise import Json

__all__ = ["parse_json", "parse_rows", "parse_yaml", "read_json", "read_json_lines", "read_text", "read_yaml"]

_MAX_BYTES = 64 << 20
"""Of a text file; our largest, of an evaluation of some thousand studies, has a few MB."""
_MAX_LINE_BYTES = 1 << 20
_MAX_YAML_BYTES = 256 << 10
"""A configuration has 5 KB; the parser reads some 100 KB a second."""
_MAX_DEPTH = 64
_MAX_CONTAINERS = 2_000_000
"""Lists and mappings of a JSON text: some 200 MB once parsed."""
_MAX_VALUES = 100_000
"""Values of a YAML file once its aliases are written out."""


def read_text(path: Path | str, *, max_bytes: int = _MAX_BYTES, errors: Literal["strict", "replace"] = "strict") -> str:
    """Read a regular file of at most `max_bytes` as UTF-8, without its byte order mark; `errors` is as for `str`.

    Raises `OSError` for a missing file, `UnreadableFileError` for one that is too large or not UTF-8.
    """
    path = Path(path)
    with open_regular(path) as stream:
        content = stream.read(max_bytes + 1)
    if len(content) > max_bytes:
        _refuse(path.name, f"has more than {max_bytes} bytes", "expected a smaller text file")
    try:
        return content.decode("utf-8-sig", errors)
    except UnicodeDecodeError:
        _refuse(path.name, "is not UTF-8 text", "expected UTF-8: save it in that encoding")


def read_json(path: Path | str, *, max_bytes: int = _MAX_BYTES) -> Json:
    """Read a JSON file; raises as `read_text` and `parse_json` do."""
    return parse_json(read_text(path, max_bytes=max_bytes), Path(path).name)


def read_json_lines(path: Path | str) -> list[Json]:
    """Read a file of one JSON value a line, of at most 1 MB each, any number of them; raises as `read_json` does."""
    name = Path(path).name
    with open_regular(path) as stream:
        lines = iter(lambda: stream.readline(_MAX_LINE_BYTES + 1), b"")
        return [parse_json(_checked_line(line, name), name) for line in lines if line.strip()]


def read_yaml(path: Path | str) -> Json:
    """Read a YAML file as plain values; raises as `read_text` and `parse_yaml` do."""
    return parse_yaml(read_text(path, max_bytes=_MAX_YAML_BYTES), Path(path).name)


def parse_json(text: str, name: str) -> Json:
    """Return the values of a JSON text; `name` stands for it in errors.

    Raises `UnreadableFileError` for text that is not JSON, NaN and infinity, and more than 64 levels.
    """
    if text.count("[") + text.count("{") > _MAX_CONTAINERS:
        _refuse(name, f"holds more than {_MAX_CONTAINERS} lists and mappings", "expected fewer")
    try:
        values: Json = json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        _refuse(name, f"is not JSON (line {error.lineno}, column {error.colno})", "expected JSON")
    except RecursionError:
        _refuse_depth(name)
    except ValueError:
        _refuse(name, "holds a number that is NaN, infinite or of thousands of digits", "expected finite numbers")
    _check_depth(values, name)
    return values


def parse_yaml(text: str, name: str) -> Json:
    """Return the plain values of a YAML text of at most 100,000 values, aliases written out; errors as in JSON."""
    import yaml

    loader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        _check_yaml_depth(text, name, loader)
        values: Json = yaml.load(text, Loader=loader)  # a safe loader makes plain values only
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = "" if mark is None else f" (line {mark.line + 1})"
        _refuse(name, f"is not YAML{where}", "expected names and values")
    except (RecursionError, ValueError, TypeError):
        _refuse(name, "holds values that are not plain", "expected names, text, numbers and lists")
    _count_values(values, name, {})
    return values


def parse_rows(text: str, name: str, *, delimiter: str = ",") -> list[list[str]]:
    """Return the rows of a table; raises `UnreadableFileError` for a cell of over 128 KB and other faults."""
    try:
        return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    except csv.Error:
        _refuse(name, "is no table (a cell of over 128 KB, or a quote that is not closed)", "expected CSV")


def _checked_line(line: bytes, name: str) -> str:
    if len(line) > _MAX_LINE_BYTES:
        _refuse(name, f"has a line of more than {_MAX_LINE_BYTES} bytes", "expected one JSON value a line")
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        _refuse(name, "is not UTF-8 text", "expected UTF-8: save it in that encoding")


def _check_depth(values: Json, name: str) -> None:
    """Go down level by level, so that no depth can exhaust the interpreter's stack."""
    level = [values]
    for _ in range(_MAX_DEPTH):
        level = [item for value in level for item in _items(value) if isinstance(item, list | dict)]
        if not level:
            return
    _refuse_depth(name)


def _check_yaml_depth(text: str, name: str, loader: type[yaml.SafeLoader]) -> None:
    import yaml

    depth = 0
    for event in yaml.parse(text, Loader=loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _MAX_DEPTH:
            _refuse_depth(name)


def _count_values(value: Json, name: str, counted: dict[int, int]) -> int:
    """Count values with aliases written out; each list or mapping is entered once, and none inside itself."""
    if not isinstance(value, list | dict):
        return 1
    if id(value) not in counted:
        counted[id(value)] = _MAX_VALUES + 1  # until it is complete: an alias to itself has no end
        counted[id(value)] = 1 + sum(_count_values(item, name, counted) for item in _items(value))
    if counted[id(value)] > _MAX_VALUES:
        _refuse(name, f"stands for more than {_MAX_VALUES} values", "expected a configuration without such aliases")
    return counted[id(value)]


def _items(value: Json) -> list[Json]:
    if isinstance(value, Mapping):
        return list(value.values())
    return value if isinstance(value, list) else []


def _refuse_constant(_: str) -> NoReturn:
    raise ValueError("not finite")


def _refuse_depth(name: str) -> NoReturn:
    _refuse(name, f"is nested more than {_MAX_DEPTH} levels deep", "expected fewer levels")


def _refuse(name: str, found: str, expected: str) -> NoReturn:
    raise UnreadableFileError(f"'{name}' {found}; {expected}") from None
