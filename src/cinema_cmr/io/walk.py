"""Recursive listing of a folder, following links: a study or dataset may lie on another disk."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

from cinema_cmr.core.errors import UnreadableFileError

__all__ = ["paths_below", "special_files_below"]


def paths_below(folder: Path | str, pattern: str = "*") -> list[Path]:
    """Return the files and folders below `folder` whose name matches `pattern`, sorted.

    Links to folders are followed and each folder is visited once: under its own name if it also lies below `folder`,
    and never through a link back to a parent of `folder`. Pipes, sockets and devices are left out, as to open one may
    wait for ever. Raises `UnreadableFileError` for a folder that may not be read, except hidden ones and lost+found:
    half of a study would be missing.
    """
    return sorted(path for path in _walk(Path(folder)) if fnmatchcase(path.name, pattern) and not _is_special(path))


def special_files_below(folder: Path | str) -> list[Path]:
    """Return the pipes, sockets and devices below `folder`, and the links to them, which `paths_below` leaves out."""
    return sorted(path for path in _walk(Path(folder)) if _is_special(path))


def _walk(root: Path) -> Iterator[Path]:
    visited = {key for place in root.resolve().parents if (key := _key(place))}
    # Links are followed last, so that folders below the root keep their own names.
    pending = [root]
    for start in pending:
        for place, folders, files in os.walk(start, onerror=_refuse):
            if (key := _key(Path(place))) is None or key in visited:
                folders.clear()
                continue
            visited.add(key)
            here = Path(place)
            yield from (here / name for name in (*folders, *files))
            pending += [here / name for name in sorted(folders) if (here / name).is_symlink()]


def _is_special(path: Path) -> bool:
    try:
        mode = path.stat().st_mode
    except OSError:  # a link to nothing
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def _refuse(error: OSError) -> None:
    folder = Path(os.fsdecode(error.filename or ""))
    if error.errno in (errno.ELOOP, errno.ENOENT, errno.ENOTDIR):  # a link to itself or to nothing
        return
    if folder.name == "lost+found" or folder.name.startswith("."):
        return
    raise UnreadableFileError(
        f"folder '{folder.name}' may not be read ({error.strerror}); expected a readable folder, as half of a study may"
        " lie in it: change its rights, or pass the other folders"
    )


def _key(folder: Path) -> tuple[int, int] | None:
    """Return device and inode, which identify a folder whatever path leads to it."""
    try:
        state = folder.stat()
    except OSError:
        return None
    return state.st_dev, state.st_ino
