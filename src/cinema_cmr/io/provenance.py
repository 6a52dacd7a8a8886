"""Provenance of results by hash, so that a finished result is never mistaken for that of another input."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from pathlib import Path

from cinema_cmr.core.errors import InputError, UnreadableFileError
from cinema_cmr.files.regular import open_regular
from cinema_cmr.io.read import input_files

__all__ = ["file_digest", "folder_digests", "input_digest", "mask_note", "read_mask_note"]

_NOTE = slice(148, 228)
"""Bytes of the description in a NIfTI-1 header."""
_NOTE_NIFTI2 = slice(240, 320)
"""Bytes of the description in a NIfTI-2 header."""


def input_digest(path: Path | str) -> str:
    """Return the SHA-256 of the data a study is read from: a file's content, or the files of a folder with their paths.

    Unrelated files in a folder, such as results written into it, do not count. Raises `InputError` for a path that
    cannot be read.
    """
    path = Path(path)
    try:
        if not path.is_dir():
            return file_digest(path)
        combined = hashlib.sha256()
        for file in input_files(path):
            combined.update(
                f"{file.relative_to(path).as_posix()}\0{file_digest(file)}\n".encode(errors="surrogateescape")
            )
    except OSError as error:
        raise InputError(
            f"'{path.name}' cannot be read ({error.strerror}); expected a readable file or folder: check the path"
        ) from error
    return combined.hexdigest()


def mask_note(*, input_sha256: str, model_sha256: str, options: str = "") -> str:
    """Return the description for a mask's header: the start of both hashes, and the options.

    >>> mask_note(input_sha256="ab" * 32, model_sha256="cd" * 32, options="tta 1")
    'cinema-cmr input abababababababab model cdcdcdcdcdcdcdcd tta 1'
    """
    return f"cinema-cmr input {input_sha256[:16]} model {model_sha256[:16]} {options}".strip()


def read_mask_note(path: Path | str) -> str:
    """Return the description in a NIfTI header; empty if it has none or the file cannot be read."""
    try:
        with open_regular(path) as file:
            start = gzip.GzipFile(fileobj=file).read(540) if str(path).lower().endswith(".gz") else file.read(540)
    except (OSError, EOFError, UnreadableFileError, zlib.error):
        return ""
    is_nifti2 = 540 in (int.from_bytes(start[:4], "little"), int.from_bytes(start[:4], "big"))
    text = start[_NOTE_NIFTI2 if is_nifti2 else _NOTE]
    return text.partition(b"\0")[0].decode("ascii", errors="replace")


def file_digest(file: Path) -> str:
    """Return the SHA-256 of a regular file; raises `OSError` or `UnreadableFileError` as `open_regular` does."""
    with open_regular(file) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def folder_digests(folder: Path) -> dict[str, str]:
    """Return path -> SHA-256 of the files in a folder, paths relative to it and with forward slashes."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {file.relative_to(folder).as_posix(): file_digest(file) for file in files}
