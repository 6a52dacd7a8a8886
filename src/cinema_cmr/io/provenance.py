"""What a result was made from, told by hashes, so that a finished one is never taken for that of another input."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from pathlib import Path

from cinema_cmr.core.errors import InputError
from cinema_cmr.io.read import input_files

__all__ = ["input_digest", "mask_note", "read_mask_note"]

_NOTE = slice(148, 228)
"""Where a NIfTI-1 header has its description; NIfTI-2 has it elsewhere, see `read_mask_note`."""
_NOTE_OF_2 = slice(240, 320)


def input_digest(path: Path | str) -> str:
    """SHA-256 of all that a study is read from: a file's content, or a folder's files with their places.

    What else lies in a folder does not count, results that were written into it for instance. Raises
    `InputError` for a path that cannot be read.
    """
    path = Path(path)
    try:
        if not path.is_dir():
            return _digest_of(path)
        whole = hashlib.sha256()
        for file in input_files(path):
            whole.update(f"{file.relative_to(path).as_posix()}\0{_digest_of(file)}\n".encode())
    except OSError as error:
        raise InputError(f"'{path.name}' cannot be read ({error.strerror}); check the path") from error
    return whole.hexdigest()


def mask_note(*, input_sha256: str, model_sha256: str, options: str = "") -> str:
    """What stands in a mask's header: enough of both hashes to know them again, and the options.

    >>> mask_note(input_sha256="ab" * 32, model_sha256="cd" * 32, options="turns 1")
    'cinema-cmr input abababababababab model cdcdcdcdcdcdcdcd turns 1'
    """
    return f"cinema-cmr input {input_sha256[:16]} model {model_sha256[:16]} {options}".strip()


def read_mask_note(path: Path | str) -> str:
    """The description in the header of a NIfTI file; empty where there is none or the file cannot be read."""
    try:
        with gzip.open(path) if str(path).lower().endswith(".gz") else Path(path).open("rb") as stream:
            start = stream.read(540)
    except (OSError, EOFError, zlib.error):
        return ""
    is_second = 540 in (int.from_bytes(start[:4], "little"), int.from_bytes(start[:4], "big"))
    text = start[_NOTE_OF_2 if is_second else _NOTE]
    return text.partition(b"\0")[0].decode("ascii", errors="replace")


def _digest_of(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
