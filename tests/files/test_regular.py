"""Only regular files are opened; nothing waits."""

from __future__ import annotations

import errno
import os
import socket
import zipfile
from pathlib import Path

import pytest

from cinema_cmr.core.errors import UnreadableFileError
from cinema_cmr.files.regular import check_regular, is_damage, open_regular


def pipe(folder: Path) -> Path:
    os.mkfifo(folder / "pipe")
    return folder / "pipe"


def link_to_device(folder: Path) -> Path:
    (folder / "zero").symlink_to("/dev/zero")
    return folder / "zero"


def bound_socket(folder: Path) -> Path:
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(os.path.relpath(folder / "s"))
    return folder / "s"


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (pipe, "a pipe"),
        (link_to_device, "a device"),
        (bound_socket, "a socket"),
        (lambda folder: folder, "a folder"),
        (lambda _: Path("/dev/null"), "a device"),
    ],
)
def test_everything_else_is_told_and_not_waited_for(make, kind: str, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    path = make(tmp_path)
    for refuse in (open_regular, check_regular):
        with pytest.raises(UnreadableFileError, match=rf"is {kind}; expected a file"):
            refuse(path)


def test_a_file_and_a_link_to_it_are_read_and_a_missing_one_is_a_system_error(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"content")
    (tmp_path / "link").symlink_to("a")
    for name in ("a", "link"):
        with open_regular(tmp_path / name) as stream:
            assert stream.read() == b"content"
    with pytest.raises(FileNotFoundError):
        open_regular(tmp_path / "none")


@pytest.mark.parametrize(
    ("error", "damage"),
    [
        (OSError(errno.EINVAL, "seek"), True),
        (EOFError("end"), True),
        (zipfile.BadZipFile("directory"), True),
        (PermissionError(errno.EACCES, "rights"), False),
        (OSError(errno.EIO, "disk"), False),
        (MemoryError(), False),
    ],
)
def test_only_errors_of_the_bytes_are_damage(error: Exception, damage: bool) -> None:
    assert is_damage(error) is damage
