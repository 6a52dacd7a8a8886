"""Deep, huge and binary text is refused at once, in words that quote nothing of it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cinema_cmr.core.errors import UnreadableFileError
from cinema_cmr.files.text import parse_json, parse_rows, parse_yaml, read_json, read_json_lines, read_text, read_yaml

SECRET = "doe_jane"

BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("content", "read", "told"),
    [
        (b"[" * 100_000, read_json, "nested more than 64 levels"),
        (b"[" * 65 + b"]" * 65, read_json, "nested more than 64 levels"),
        (b'{"a":' * 100_000, read_json, "nested more than 64 levels"),
        (b'{"' + SECRET.encode() + b'": 1', read_json, r"is not JSON \(line 1, column"),
        (b"[NaN]", read_json, "NaN, infinite"),
        (b"[" + b"9" * 5000 + b"]", read_json, "thousands of digits"),
        (b"[[]," * 1 + b"[]," * 2_000_001, read_json, "lists and mappings"),
        (b"\xff\xfe{}", read_json, "is not UTF-8"),
        (b"[" * 100_000, read_yaml, "nested more than 64 levels"),
        (BOMB.encode(), read_yaml, "stands for more than 100000 values"),
        (b"a: &a [*a]\n", read_yaml, "stands for more than 100000 values"),
        (b"a: " + b"b" * 300_000, read_yaml, "has more than 262144 bytes"),
        (b"a: !!python/object/apply:os.system [echo]\n", read_yaml, r"is not YAML \(line 1\)"),
        (f"{SECRET}: [1, 2".encode(), read_yaml, r"is not YAML \(line"),
        ("Müller;1\n".encode("latin-1"), read_text, "is not UTF-8"),
        (b"{}\n" + b"1" * (1 << 20) + b"1\n", read_json_lines, "has a line of more than"),
    ],
)
def test_hostile_text_is_refused_within_a_second(
    content: bytes, read: Callable[[Path], object], told: str, tmp_path: Path
) -> None:
    path = tmp_path / "run.json"
    path.write_bytes(content)
    started = time.process_time()
    with pytest.raises(UnreadableFileError, match=told) as caught:
        read(path)
    assert time.process_time() - started < 1.0
    assert SECRET not in str(caught.value) and len(str(caught.value)) < 200


def test_a_sparse_file_of_a_terabyte_is_refused_by_what_was_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.json"
    with path.open("wb") as stream:
        os.truncate(stream.fileno(), 1 << 40)
    with pytest.raises(UnreadableFileError, match="has more than 1000 bytes"):
        read_text(path, max_bytes=1000)


def test_good_text_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b'\xef\xbb\xbf{"a": [1, 2.5, null]}')
    assert read_json(path) == {"a": [1, 2.5, None]} == parse_json('{"a": [1, 2.5, null]}', "a")
    path.write_text("a: &one [1, 2]\nb: *one\nc: 1.0e-4\n")
    assert read_yaml(path) == {"a": [1, 2], "b": [1, 2], "c": 1e-4} and parse_yaml("", "a") is None
    path.write_text('{"a": 1}\n\n{"a": 2}\n')
    assert read_json_lines(path) == [{"a": 1}, {"a": 2}]


def test_a_table_keeps_its_cells_and_a_cell_of_a_megabyte_is_refused() -> None:
    assert parse_rows('a;b\n"1;2";"line\nbreak"\n', "t.csv", delimiter=";") == [["a", "b"], ["1;2", "line\nbreak"]]
    with pytest.raises(UnreadableFileError, match="a cell of over 128 KB"):
        parse_rows("a\n" + "x" * (1 << 20), "t.csv")
