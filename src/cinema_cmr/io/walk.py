"""Everything below a folder, linked folders included: a study or dataset may lie on another disk."""

from __future__ import annotations

import os
from fnmatch import fnmatchcase
from pathlib import Path

__all__ = ["paths_below"]


def paths_below(folder: Path | str, pattern: str = "*") -> list[Path]:
    """Files and folders below `folder` whose name fits `pattern`, sorted.

    Links to folders are followed, each folder is visited once: by its own name where it lies below `folder` too,
    and never where a link leads back up to a folder that holds `folder`.
    """
    root = Path(folder)
    visited = {key for place in root.resolve().parents if (key := _key(place))}
    found: list[Path] = []
    # Links wait until all that lies here itself has been visited, so that it keeps its own names.
    waiting = [root]
    for start in waiting:
        for place, folders, files in os.walk(start):
            if (key := _key(Path(place))) is None or key in visited:
                folders.clear()
                continue
            visited.add(key)
            here = Path(place)
            found += [here / name for name in (*folders, *files)]
            waiting += [here / name for name in sorted(folders) if (here / name).is_symlink()]
    return sorted(path for path in found if fnmatchcase(path.name, pattern))


def _key(folder: Path) -> tuple[int, int] | None:
    """Device and inode, which are equal by whatever name a folder is reached."""
    try:
        stat = folder.stat()
    except OSError:
        return None
    return stat.st_dev, stat.st_ino
