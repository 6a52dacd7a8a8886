"""Writing files whole or not at all: a temporary sibling takes the final name only when it is complete."""

from __future__ import annotations

import json
import math
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from cinema_cmr.core.errors import OutputExistsError

__all__ = ["atomic_path", "write_bytes", "write_json", "write_text"]


@contextmanager
def atomic_path(path: Path | str, *, overwrite: bool = False) -> Iterator[Path]:
    """A temporary sibling to write to; it becomes `path` when the block ends well, else it is removed.

    The sibling has the same suffix and a name of its own, so that two runs do not meet. Missing folders are
    made. Raises `OutputExistsError` where `path` exists and `overwrite` is False, or where it is a folder.
    """
    path = Path(path)
    _check_free(path, overwrite=overwrite)
    path.parent.mkdir(parents=True, exist_ok=True)
    suffix = ".nii.gz" if path.name.endswith(".nii.gz") else path.suffix
    sibling = path.with_name(f".{secrets.token_hex(8)}{suffix}")
    try:
        yield sibling
        _to_disk(sibling)
        _check_free(path, overwrite=overwrite)
        os.replace(sibling, path)
        if os.name == "posix":
            _to_disk(path.parent)
    finally:
        sibling.unlink(missing_ok=True)


def write_bytes(path: Path | str, data: bytes, *, overwrite: bool = False) -> None:
    """Write `data` whole or not at all; raises `OutputExistsError` like `atomic_path`."""
    with atomic_path(path, overwrite=overwrite) as sibling:
        sibling.write_bytes(data)


def write_text(path: Path | str, text: str, *, overwrite: bool = False) -> None:
    """Write `text` as UTF-8, line ends as they are, whole or not at all; errors as in `atomic_path`."""
    write_bytes(path, text.encode("utf-8"), overwrite=overwrite)


def write_json(path: Path | str, value: object, *, overwrite: bool = False) -> None:
    """Write sorted, indented JSON; NumPy numbers and arrays become plain ones.

    Raises `ValueError` that names the place of a NaN or an infinite number (unknown is None in JSON),
    `TypeError` for what JSON cannot hold, `OutputExistsError` like `atomic_path`; nothing is written then.
    """
    text = json.dumps(_plain(value, "value"), indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    write_text(path, text + "\n", overwrite=overwrite)


def _check_free(path: Path, *, overwrite: bool) -> None:
    if path.is_dir():
        raise OutputExistsError(f"'{path.name}' is a folder; expected the name of a file to write")
    if not overwrite and path.exists():
        raise OutputExistsError(f"'{path.name}' exists already; give --overwrite to replace it")


def _to_disk(path: Path) -> None:
    """Flush to the disk, so that a name never points at a file that a power cut left empty."""
    # Windows flushes only what is open for writing; a folder opens for reading only.
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _plain(value: object, place: str) -> object:
    if isinstance(value, np.generic | np.ndarray):
        return _plain(value.tolist(), place)
    if isinstance(value, Mapping):
        return {_key(key, place): _plain(item, f"{place}.{key}") for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, f"{place}[{index}]") for index, item in enumerate(value)]
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{place} is {value}, which JSON cannot hold; write None for an unknown number")
    if value is None or isinstance(value, str | bool | int | float):
        return value
    raise TypeError(f"{place} is a {type(value).__name__}, which JSON cannot hold")


def _key(key: object, place: str) -> str:
    """Text as it is, whole numbers as text; others are mistakes."""
    if isinstance(key, str | int | np.integer) and not isinstance(key, bool):
        return str(key)
    raise TypeError(f"{place} has the key {key!r}; JSON keys are text")
