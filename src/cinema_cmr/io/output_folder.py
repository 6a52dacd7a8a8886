"""Folders that appear whole or not at all: filled under another name, renamed when complete.

`atomic_folder` writes a folder of its own; `results_folder` adds results to one that may hold other things.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cinema_cmr.core.errors import InputError, OutputExistsError

__all__ = ["atomic_folder", "check_new_files", "check_writable", "results_folder"]


@contextmanager
def atomic_folder(path: Path | str, *, overwrite: bool = False) -> Iterator[Path]:
    """An empty hidden sibling to fill; it becomes `path` when the block ends well, else it is removed.

    An empty folder at `path` counts as free. With `overwrite` what stood there goes only once the new folder
    is complete. Raises `OutputExistsError` where `path` is a file, or a folder with something in it and
    `overwrite` is False.
    """
    path = Path(path)
    _check_free(path, overwrite=overwrite)
    with _draft(path) as draft:
        yield draft
        _check_free(path, overwrite=overwrite)
        _take_place(draft, path)


@contextmanager
def results_folder(path: Path | str, *, last: str, overwrite: bool = False) -> Iterator[Path]:
    """An empty hidden folder to fill; when the block ends well its files become those of `path`.

    A folder that was not there appears at once. Into one that is there, files are moved one by one, the one
    named `last` at the end: where it stands, the others are complete. Files of other names are left alone.
    Raises `OutputExistsError` before anything is written where `last` or, after the block, any other file is
    there already and `overwrite` is False.
    """
    path = Path(os.path.abspath(path))
    _check_no_file(path)
    if (path / last).exists() and not overwrite:
        raise OutputExistsError(f"'{path.name}' holds results already; give --overwrite to replace them")
    # Inside of a folder that is there: it may be another disk than its parent.
    with _draft(path / "results" if path.exists() else path) as draft:
        yield draft
        if path.exists():
            _move_files(draft, path, last=last, overwrite=overwrite)
        else:
            os.replace(draft, path)


def check_writable(path: Path | str) -> None:
    """Raise `InputError` where a folder `path` could not be written or made, before any work is done for it."""
    path = Path(os.path.abspath(path))
    _check_no_file(path)
    nearest = next(place for place in (path, *path.parents) if place.exists())
    if not nearest.is_dir():
        raise InputError(f"'{nearest.name}' is a file; no folder '{path.name}' can be made in it")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise InputError(f"folder '{nearest.name or nearest}' may not be written to; choose another output")


def check_new_files(folder: Path | str, names: Iterable[str], *, overwrite: bool = False) -> None:
    """Raise before any work where these files could not be written into `folder`.

    `InputError` as `check_writable`; `OutputExistsError` where one is there and `overwrite` is False, or is a folder.
    """
    check_writable(folder)
    for file in (Path(folder) / name for name in names):
        if file.is_dir():
            raise OutputExistsError(f"'{file.name}' is a folder; expected the name of a file to write")
        if file.exists() and not overwrite:
            raise OutputExistsError(f"'{file.name}' exists already; give --overwrite to replace it")


@contextmanager
def _draft(path: Path) -> Iterator[Path]:
    """A hidden empty folder beside `path`, on the same disk, that is gone at the end."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{secrets.token_hex(8)}")
    draft.mkdir()
    try:
        yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _check_no_file(path: Path) -> None:
    if path.exists() and not path.is_dir():
        raise OutputExistsError(f"'{path.name}' is a file; expected the name of a folder to write")


def _check_free(path: Path, *, overwrite: bool) -> None:
    _check_no_file(path)
    if not overwrite and path.is_dir() and any(path.iterdir()):
        raise OutputExistsError(f"folder '{path.name}' exists already; give --overwrite to replace it")


def _take_place(draft: Path, path: Path) -> None:
    """Rename the new folder to `path`; an old one steps aside first and comes back if that fails."""
    if not path.exists():
        os.replace(draft, path)
        return
    aside = path.with_name(f".{secrets.token_hex(8)}")
    os.replace(path, aside)
    try:
        os.replace(draft, path)
    except OSError:
        os.replace(aside, path)
        raise
    shutil.rmtree(aside)


def _move_files(draft: Path, path: Path, *, last: str, overwrite: bool) -> None:
    files = sorted(file.relative_to(draft) for file in draft.rglob("*") if file.is_file())
    there = [file.as_posix() for file in files if (path / file).exists()]
    if there and not overwrite:
        raise OutputExistsError(f"'{path.name}' holds {there[0]} already; give --overwrite to replace it")
    (path / last).unlink(missing_ok=True)
    for file in sorted(files, key=lambda file: file == Path(last)):
        (path / file).parent.mkdir(parents=True, exist_ok=True)
        os.replace(draft / file, path / file)
