"""Atomic output folders: filled under a temporary name and put in place once complete.

`atomic_folder` creates a folder of its own; `results_folder` adds results to one that may hold other files.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cinema_cmr.core.errors import InputError, OutputExistsError
from cinema_cmr.files.exchange import draft_folder, finish_commits, put_in_place
from cinema_cmr.files.leftovers import remove_leftovers
from cinema_cmr.io.atomic import check_new_file

__all__ = ["atomic_folder", "check_new_files", "check_writable", "results_folder"]


@contextmanager
def atomic_folder(path: Path | str, *, overwrite: bool = False) -> Iterator[Path]:
    """Yield an empty hidden folder to fill; it becomes `path` if the block succeeds and is removed otherwise.

    An empty folder at `path` counts as free. With `overwrite`, the files of an existing folder that the new one lacks
    go. Raises `OutputExistsError` if `path` is a file, or a non-empty folder and `overwrite` is False.
    """
    path = Path(path)
    _check_free(path, overwrite=overwrite)
    with draft_folder(path) as draft:
        yield draft
        _check_free(path, overwrite=overwrite)
        put_in_place(draft, path, replaced=None)


@contextmanager
def results_folder(
    path: Path | str, *, last: str, overwrite: bool = False, replaced: Collection[str] = ()
) -> Iterator[Path]:
    """Yield an empty hidden folder to fill; if the block succeeds, its files are put into `path`, in one step.

    A kill at any moment leaves the old results or the new, whole (`files.exchange`). The file named `last` says that
    the others are complete. Files with other names are left alone, but for those named in `replaced`, which are earlier
    results. Raises `OutputExistsError` before anything is written if `last`, or after the block if any other file,
    exists and `overwrite` is False.
    """
    path = Path(os.path.abspath(path))
    _check_no_file(path)
    finish_commits(path)
    if os.path.lexists(path / last) and not overwrite:
        raise OutputExistsError(
            f"'{path.name}' already holds results; expected a new folder: pass --overwrite to replace them"
        )
    with draft_folder(path) as draft:
        yield draft
        if not overwrite:
            _check_no_results(draft, path)
        put_in_place(draft, path, last=last, replaced=replaced)


def check_writable(path: Path | str) -> None:
    """Raise `InputError` if the folder `path` cannot be created or written to; call it before long work.

    What killed processes left in it, and beside it, is finished or removed.
    """
    path = Path(os.path.abspath(path))
    _check_no_file(path)
    for each in (path, path.parent):
        finish_commits(each)
        remove_leftovers(each)
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


def _check_no_file(path: Path) -> None:
    if path.exists() and not path.is_dir():
        raise OutputExistsError(f"'{path.name}' is a file; expected a folder name: choose another output")


def _check_free(path: Path, *, overwrite: bool) -> None:
    _check_no_file(path)
    if not overwrite and path.is_dir() and any(path.iterdir()):
        raise OutputExistsError(
            f"folder '{path.name}' already exists; expected a new or empty folder: pass --overwrite to replace it"
        )


def _check_no_results(draft: Path, path: Path) -> None:
    files = sorted(file.relative_to(draft) for file in draft.rglob("*") if file.is_file())
    existing = [file.as_posix() for file in files if os.path.lexists(path / file)]
    if existing:
        raise OutputExistsError(
            f"'{path.name}' already holds {existing[0]}; expected no such file: pass --overwrite to replace it"
        )
