"""Temporary names with the process they belong to, so that what a killed run left is removed by the next one."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cinema_cmr.files.owner import Owner, this_process

__all__ = ["committed_files", "errors_named", "is_abandoned", "remove_leftovers", "temporary_folder", "temporary_name"]

_NAME = re.compile(
    r"\.?cinema-(?P<host>[0-9a-f]{12})-(?P<pid>[0-9a-f]+)-(?P<started>[0-9a-f]+)-[0-9a-f]{16}"
    r"(?P<committed>\.commit)?(?P<suffix>\..*)?"
)
_ABANDONED_S = 7 * 24 * 3600.0
"""Age at which a leftover of another machine, whose processes cannot be seen from here, counts as abandoned."""


@contextmanager
def errors_named(path: Path, *, draft: Path) -> Iterator[None]:
    """Let an error of the system name the file that was to be written, and not its draft, which the user never sees."""
    try:
        yield
    except OSError as error:
        if error.filename is not None and os.fsdecode(error.filename) == str(draft):
            error.filename = str(path)
        raise


def temporary_name(suffix: str = "", *, committed: str | None = None) -> str:
    """Return a hidden random name that holds its process; `suffix` ends it, as ".nii.gz".

    `committed` names the last file (or "") of a folder that is complete and waits to be moved: never a leftover.
    """
    return f".{_stem()}{suffix if committed is None else f'.commit.{committed}'}"


def committed_files(name: str) -> str | None:
    """Return the last file of a committed folder, from the folder's name; None for other names."""
    match = _NAME.fullmatch(name)
    return match["suffix"].removeprefix(".") if match and match["committed"] and match["suffix"] else None


def remove_leftovers(folder: Path | str) -> int:
    """Remove from a folder, not from those below, what processes that are gone left; return how many there were.

    Nothing is followed, only files and folders of this user are removed, and a failure is no error: the next call
    tries again.
    """
    removed = 0
    try:
        found = [Path(entry.path) for entry in os.scandir(folder) if _NAME.fullmatch(entry.name)]
    except OSError:
        return 0
    for path in found:
        if committed_files(path.name) is None and is_abandoned(path):
            _remove(path)
            removed += not os.path.lexists(path)
    return removed


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Yield an empty private folder in the system's temporary folder, removed at the end.

    What killed processes left there, unpacked images of patients, is removed first.
    """
    root = Path(tempfile.gettempdir())
    remove_leftovers(root)
    folder = root / _stem()
    folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _stem() -> str:
    owner = this_process()
    return f"cinema-{owner.host}-{owner.pid:x}-{owner.started:x}-{secrets.token_hex(8)}"


def is_abandoned(path: Path) -> bool:
    """Return whether a temporary file or folder is of this user, and of a process that is gone."""
    match = _NAME.fullmatch(path.name)
    if match is None:
        return False
    owner = Owner(host=match["host"], pid=int(match["pid"], 16), started=int(match["started"], 16))
    try:
        state = path.lstat()
    except OSError:
        return False
    if hasattr(os, "getuid") and state.st_uid != os.getuid():
        return False
    return not owner.lives(time.time() - state.st_mtime, _ABANDONED_S)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
        return
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return
