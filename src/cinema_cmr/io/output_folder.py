"""Atomic output folders: filled under a temporary name and renamed once complete.

`atomic_folder` creates a folder of its own; `results_folder` adds results to one that may hold other files.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cinema_cmr.core.errors import InputError, OutputExistsError
from cinema_cmr.io.atomic import check_new_file

__all__ = ["atomic_folder", "check_new_files", "check_writable", "results_folder"]


@contextmanager
def atomic_folder(path: Path | str, *, overwrite: bool = False) -> Iterator[Path]:
    """Yield an empty hidden sibling to fill; it replaces `path` if the block succeeds and is removed otherwise.

    An empty folder at `path` counts as free. With `overwrite`, an existing folder is removed only after the new one is
    complete. Raises `OutputExistsError` if `path` is a file, or a non-empty folder and `overwrite` is False.
    """
    path = Path(path)
    _check_free(path, overwrite=overwrite)
    with _draft(path) as draft:
        yield draft
        _check_free(path, overwrite=overwrite)
        _replace_folder(draft, path)


@contextmanager
def results_folder(path: Path | str, *, last: str, overwrite: bool = False) -> Iterator[Path]:
    """Yield an empty hidden folder to fill; if the block succeeds, its files are moved to `path`.

    A new folder appears in one step. Into an existing folder, files are moved one by one, the file named `last` at the
    end: its presence means that the others are complete. Files with other names are left alone. Raises
    `OutputExistsError` before anything is written if `last`, or after the block if any other file, exists and
    `overwrite` is False.
    """
    path = Path(os.path.abspath(path))
    _check_no_file(path)
    if (path / last).exists() and not overwrite:
        raise OutputExistsError(
            f"'{path.name}' already holds results; expected a new folder: pass --overwrite to replace them"
        )
    # Inside an existing folder, which may be on another disk than its parent.
    with _draft(path / "results" if path.exists() else path) as draft:
        yield draft
        if path.exists():
            _move_files(draft, path, last=last, overwrite=overwrite)
        else:
            os.replace(draft, path)


def check_writable(path: Path | str) -> None:
    """Raise `InputError` if the folder `path` cannot be created or written to; call it before long work."""
    path = Path(os.path.abspath(path))
    _check_no_file(path)
    nearest = next(place for place in (path, *path.parents) if place.exists())
    if not nearest.is_dir():
        raise InputError(
            f"'{nearest.name}' is a file; expected a folder to create '{path.name}' in: choose another output"
        )
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise InputError(
            f"folder '{nearest.name or nearest}' is not writable; expected a writable folder: choose another output"
        )


def check_new_files(folder: Path | str, names: Iterable[str], *, overwrite: bool = False) -> None:
    """Raise if these files could not be written into `folder`; call it before long work.

    `InputError` as for `check_writable`; `OutputExistsError` if one is a folder, or exists and `overwrite` is False.
    """
    check_writable(folder)
    for name in names:
        check_new_file(Path(folder) / name, overwrite=overwrite)


@contextmanager
def _draft(path: Path) -> Iterator[Path]:
    """Yield a hidden empty folder beside `path`, on the same disk, and remove it at the end."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{secrets.token_hex(8)}")
    draft.mkdir()
    try:
        yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _check_no_file(path: Path) -> None:
    if path.exists() and not path.is_dir():
        raise OutputExistsError(f"'{path.name}' is a file; expected a folder name: choose another output")


def _check_free(path: Path, *, overwrite: bool) -> None:
    _check_no_file(path)
    if not overwrite and path.is_dir() and any(path.iterdir()):
        raise OutputExistsError(
            f"folder '{path.name}' already exists; expected a new or empty folder: pass --overwrite to replace it"
        )


def _replace_folder(draft: Path, path: Path) -> None:
    """Rename the new folder to `path`; an existing folder is moved aside first and restored on failure."""
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
    existing = [file.as_posix() for file in files if (path / file).exists()]
    if existing and not overwrite:
        raise OutputExistsError(
            f"'{path.name}' already holds {existing[0]}; expected no such file: pass --overwrite to replace it"
        )
    (path / last).unlink(missing_ok=True)
    for file in sorted(files, key=lambda file: file == Path(last)):
        (path / file).parent.mkdir(parents=True, exist_ok=True)
        os.replace(draft / file, path / file)
