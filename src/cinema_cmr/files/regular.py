"""Opening of regular files only: a pipe, a socket or a device in their place would wait, or never end."""

from __future__ import annotations

import errno
import os
import stat
from io import BufferedReader
from pathlib import Path

from cinema_cmr.core.errors import UnreadableFileError

__all__ = ["check_regular", "is_damage", "open_regular"]

_KINDS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a folder",
}


def open_regular(path: Path | str) -> BufferedReader:
    """Open a regular file, or a link to one, for reading in binary.

    Never waits: a pipe is opened without blocking and refused. Raises `OSError` for a file that is missing or closed
    to the user, `UnreadableFileError` for anything but a file.
    """
    path = Path(path)
    if path.is_dir():
        _check_kind(path, stat.S_IFDIR)
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except OSError:
        check_regular(path)  # a socket cannot be opened at all
        raise
    try:
        _check_kind(path, stat.S_IFMT(os.fstat(descriptor).st_mode))
    except UnreadableFileError:
        os.close(descriptor)
        raise
    return os.fdopen(descriptor, "rb")


def check_regular(path: Path | str) -> None:
    """Raise `UnreadableFileError` for anything but a file or a link to one, `OSError` for a missing file."""
    _check_kind(Path(path), stat.S_IFMT(os.stat(path).st_mode))


def is_damage(error: Exception) -> bool:
    """Return whether an error of a reader is due to the bytes of the file, not to rights, disk, network or memory.

    An invalid argument is that of a seek to a place before the file, which a damaged directory of a zip names.
    """
    if isinstance(error, OSError):
        return error.errno in (None, errno.EINVAL)
    return not isinstance(error, MemoryError)


def _check_kind(path: Path, kind: int) -> None:
    if kind != stat.S_IFREG:
        raise UnreadableFileError(
            f"'{path.name or path}' is {_KINDS.get(kind, 'no regular file')}; expected a file: check the path"
        )
