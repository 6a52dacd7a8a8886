"""Atomic writing of files: a temporary sibling takes the final name only once it is complete."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from cinema_cmr.core.errors import OutputExistsError
from cinema_cmr.core.serialise import to_json
from cinema_cmr.files.leftovers import errors_named, remove_leftovers, temporary_name

__all__ = ["atomic_path", "check_new_file", "flush_to_disk", "write_bytes", "write_json", "write_text"]


@contextmanager
def atomic_path(path: Path | str, *, overwrite: bool = False) -> Iterator[Path]:
    """Yield a temporary sibling to write to; it replaces `path` if the block succeeds and is removed otherwise.

    The sibling has the same suffix and a random name, so that concurrent runs do not collide; those of killed processes
    are removed, once in each folder. Missing folders are created. Raises `OutputExistsError` if `path` is a folder, or
    exists and `overwrite` is False.
    """
    path = Path(path)
    check_new_file(path, overwrite=overwrite)
    path.parent.mkdir(parents=True, exist_ok=True)
    _clean_once(path.parent.resolve())
    suffix = ".nii.gz" if path.name.endswith(".nii.gz") else path.suffix
    sibling = path.with_name(temporary_name(suffix))
    with errors_named(path, draft=sibling):
        try:
            yield sibling
            flush_to_disk(sibling)
            check_new_file(path, overwrite=overwrite)
            os.replace(sibling, path)
            flush_to_disk(path.parent)
        finally:
            sibling.unlink(missing_ok=True)


def write_bytes(path: Path | str, data: bytes, *, overwrite: bool = False) -> None:
    """Write `data` atomically; raises `OutputExistsError` as `atomic_path` does."""
    with atomic_path(path, overwrite=overwrite) as sibling:
        sibling.write_bytes(data)


def write_text(path: Path | str, text: str, *, overwrite: bool = False) -> None:
    """Write `text` atomically as UTF-8, with line endings unchanged; raises as `atomic_path` does.

    A byte of a file name that is not UTF-8 is written as an escape, `\\udcff`, which JSON reads back.
    """
    write_bytes(path, text.encode("utf-8", errors="backslashreplace"), overwrite=overwrite)


def write_json(path: Path | str, value: object, *, overwrite: bool = False) -> None:
    """Write plain values or a dataclass as sorted, indented JSON, atomically.

    Raises `UsageError` for NaN or infinity, with its location in the value (use None for an unknown number), and for a
    type that JSON cannot represent; `OutputExistsError` as `atomic_path` does. Nothing is written in these cases.
    """
    values = to_json(value)
    write_text(path, json.dumps(values, indent=2, sort_keys=True, ensure_ascii=False) + "\n", overwrite=overwrite)


def check_new_file(path: Path, *, overwrite: bool) -> None:
    """Raise `OutputExistsError` if `path` is a folder, or exists and `overwrite` is False."""
    if path.is_dir():
        raise OutputExistsError(f"'{path.name}' is a folder; expected a file name: choose another output")
    if not overwrite and os.path.lexists(path):
        raise OutputExistsError(
            f"'{path.name}' already exists; expected a new file name: pass --overwrite to replace it"
        )


@cache
def _clean_once(folder: Path) -> None:
    """Remove leftovers from a folder, once in this process: a store of 100,000 studies is not listed for each."""
    remove_leftovers(folder)


def flush_to_disk(path: Path) -> None:
    """Flush a file or the names of a folder: no power failure can then leave a name that points to an empty file."""
    if os.name != "posix" and path.is_dir():  # Windows opens no folder
        return
    # Windows flushes only files open for writing; a folder can only be opened for reading.
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
