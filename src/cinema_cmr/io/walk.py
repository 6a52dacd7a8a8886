"""Recursive listing of a folder, following links: a study or dataset may lie on another disk."""

from __future__ import annotations

import os
from fnmatch import fnmatchcase
from pathlib import Path

from cinema_cmr.core.errors import UnreadableFileError

__all__ = ["paths_below"]


def paths_below(folder: Path | str, pattern: str = "*") -> list[Path]:
    """Return the files and folders below `folder` whose name matches `pattern`, sorted.

    Links to folders are followed and each folder is visited once: under its own name if it also lies below `folder`,
    and never through a link back to a parent of `folder`. Raises `UnreadableFileError` for a folder that may not be
    read, except hidden ones and lost+found: half of a study would be missing.
    """
    root = Path(folder)
    visited = {key for place in root.resolve().parents if (key := _key(place))}
    found: list[Path] = []
    # Links are followed last, so that folders below `folder` keep their own names.
    pending = [root]
    for start in pending:
        for place, folders, files in os.walk(start, onerror=_refuse):
            if (key := _key(Path(place))) is None or key in visited:
                folders.clear()
                continue
            visited.add(key)
            here = Path(place)
            found += [here / name for name in (*folders, *files)]
            pending += [here / name for name in sorted(folders) if (here / name).is_symlink()]
    return sorted(path for path in found if fnmatchcase(path.name, pattern))


def _refuse(error: OSError) -> None:
    folder = Path(os.fsdecode(error.filename or ""))
    if folder.name == "lost+found" or any(part.startswith(".") for part in folder.parts[-1:]):
        return
    raise UnreadableFileError(
        f"folder '{folder.name}' may not be read ({error.strerror}); expected a readable folder, as half of a study may"
        " lie in it: change its rights, or pass the other folders"
    )


def _key(folder: Path) -> tuple[int, int] | None:
    """Return device and inode, which identify a folder whatever path leads to it."""
    try:
        stat = folder.stat()
    except OSError:
        return None
    return stat.st_dev, stat.st_ino
