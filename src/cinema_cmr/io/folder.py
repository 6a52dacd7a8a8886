"""Writing a folder whole or not at all: it is filled under another name and renamed when complete."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cinema_cmr.core.errors import OutputExistsError

__all__ = ["atomic_folder"]


@contextmanager
def atomic_folder(path: Path | str, *, overwrite: bool = False) -> Iterator[Path]:
    """An empty hidden sibling to fill; it becomes `path` when the block ends well, else it is removed.

    An empty folder at `path` counts as free. With `overwrite` what stood there goes only once the new folder
    is complete. Raises `OutputExistsError` where `path` is a file, or a folder with something in it and
    `overwrite` is False.
    """
    path = Path(path)
    _check_free(path, overwrite=overwrite)
    path.parent.mkdir(parents=True, exist_ok=True)
    sibling = path.with_name(f".{secrets.token_hex(8)}")
    sibling.mkdir()
    try:
        yield sibling
        _check_free(path, overwrite=overwrite)
        _take_place(sibling, path)
    finally:
        shutil.rmtree(sibling, ignore_errors=True)


def _check_free(path: Path, *, overwrite: bool) -> None:
    if path.exists() and not path.is_dir():
        raise OutputExistsError(f"'{path.name}' is a file; expected the name of a folder to write")
    if not overwrite and path.is_dir() and any(path.iterdir()):
        raise OutputExistsError(f"folder '{path.name}' exists already; give --overwrite to replace it")


def _take_place(sibling: Path, path: Path) -> None:
    """Rename the new folder to `path`; an old one steps aside first and comes back if that fails."""
    if not path.exists():
        os.replace(sibling, path)
        return
    aside = path.with_name(f".{secrets.token_hex(8)}")
    os.replace(path, aside)
    try:
        os.replace(sibling, path)
    except OSError:
        os.replace(aside, path)
        raise
    shutil.rmtree(aside)
