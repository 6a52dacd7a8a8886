"""Safe extraction of zip archives: the archive is validated as a whole, then unpacked into a temporary folder."""

from __future__ import annotations

import errno
import lzma
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from cinema_cmr.core.errors import InputError, NoCineError, UnreadableFileError
from cinema_cmr.files.leftovers import temporary_folder
from cinema_cmr.files.regular import check_regular

__all__ = ["ArchiveLimits", "extract_archive", "extract_archives"]

_CHUNK_BYTES = 1 << 20
_ENCRYPTED = 0x1
_MAX_DEPTH = 64
_DAMAGED = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error),
    *(EOFError, RuntimeError, ValueError, OverflowError, MemoryError),
)
"""What zipfile and its decoders raise for damaged bytes; `NotImplementedError` is a `RuntimeError`."""


@dataclass(frozen=True, kw_only=True)
class ArchiveLimits:
    """Limits on what a zip may unpack to. A study of 11 cines is 275 files and 30 MB, the largest in use a few GB."""

    max_members: int = 30_000
    """Number of files and folders."""
    max_bytes: int = 16 << 30
    """Total unpacked size. Counted again while unpacking, since the sizes in the zip directory may be false."""
    max_ratio: float = 50.0
    """Unpacked over packed bytes; images reach 2 to 20, a decompression bomb 1000."""
    ratio_counts_above_bytes: int = 64 << 20
    """The ratio is checked above this size only: a small blank image compresses extremely well."""

    def __post_init__(self) -> None:
        if min(self.max_members, self.max_bytes, self.max_ratio) <= 0:
            raise ValueError(f"limits must be above 0, found {self}")


@contextmanager
def extract_archive(path: Path | str, *, limits: ArchiveLimits | None = None) -> Iterator[Path]:
    """Unpack a zip into a temporary folder, which is removed when the context exits.

    Nested archives stay packed. Raises `UnreadableFileError` for a file that is not a zip or is damaged, `NoCineError`
    for a zip without files, and `InputError` for encryption, for members outside the folder (`..`, absolute paths,
    drive letters, links) and for contents beyond `limits`.
    """
    path, limits = Path(path), limits or ArchiveLimits()
    check_regular(path)
    with temporary_folder() as folder:
        _unpack_archive(path, folder, limits)
        yield folder


@contextmanager
def extract_archives(paths: Sequence[Path], *, limits: ArchiveLimits | None = None) -> Iterator[Path]:
    """Unpack several zips into one temporary folder, each into a subfolder of its own; they share the limits.

    Raises the errors of `extract_archive`, and `InputError` for contents that together are beyond `limits`.
    """
    limits = limits or ArchiveLimits()
    left = limits
    with temporary_folder() as folder:
        for k, path in enumerate(paths):
            check_regular(path)
            place = folder / f"{k + 1:04d}" / path.stem
            place.mkdir(parents=True)
            n_members, n_bytes = _unpack_archive(path, place, left)
            if n_members >= left.max_members or n_bytes >= left.max_bytes:
                raise InputError(
                    f"the {len(paths)} zips hold over {limits.max_members} files or {limits.max_bytes} bytes; expected"
                    " one study: pass the zips of each study alone"
                )
            left = replace(left, max_members=left.max_members - n_members, max_bytes=left.max_bytes - n_bytes)
        yield folder


def _unpack_archive(path: Path, folder: Path, limits: ArchiveLimits) -> tuple[int, int]:
    """Unpack a zip into a folder; return the number of its members and of their bytes."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = _validate_members(archive, path.name, limits)
            _unpack(archive, members, folder, limits)
            return len(members), sum(member.file_size for member, _ in members)
    except _DAMAGED as error:
        raise UnreadableFileError(
            f"'{path.name}' is not a readable zip; expected a complete archive: copy it again"
        ) from error
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise UnreadableFileError(
            f"'{path.name}' contains two members with the same name; expected unique names: create the archive again"
        ) from error
    except OSError as error:
        if error.errno not in (None, errno.EINVAL, errno.ENAMETOOLONG):
            raise
        too_long = error.errno == errno.ENAMETOOLONG
        found = "has a member whose name is too long" if too_long else "is not a readable zip"
        raise UnreadableFileError(f"'{path.name}' {found}; expected a complete archive: create it again") from error


def _validate_members(
    archive: zipfile.ZipFile, name: str, limits: ArchiveLimits
) -> Sequence[tuple[zipfile.ZipInfo, PurePosixPath]]:
    members = archive.infolist()
    if len(members) > limits.max_members:
        raise InputError(
            f"'{name}' has {len(members)} members; expected at most {limits.max_members}: split the archive"
        )
    _check_size(sum(m.file_size for m in members), sum(m.compress_size for m in members), name, limits)
    if sum(m.compress_size for m in members) > Path(archive.filename or "").stat().st_size:
        raise InputError(
            f"'{name}' has members that overlap; expected each packed once: refused as a decompression bomb"
        )
    files = [(member, _safe_path(member, name)) for member in members]
    files = [(member, inner) for member, inner in files if not _is_folder(member)]
    if not files:
        raise NoCineError(f"'{name}' is an empty zip; expected the files of one study: create the archive again")
    if any(member.flag_bits & _ENCRYPTED for member, _ in files):
        raise InputError(f"'{name}' is encrypted; expected a zip without password: unpack it and pass the folder")
    return files


def _is_folder(member: zipfile.ZipInfo) -> bool:
    return member.filename.endswith(("/", "\\"))


def _safe_path(member: zipfile.ZipInfo, name: str) -> PurePosixPath:
    """Return the member's path relative to the folder; raise `InputError` for a link or a path outside it."""
    # Old Windows tools wrote backslashes, which are path separators there but part of the name on POSIX.
    text = member.filename.replace("\\", "/")
    inner = PurePosixPath(text)
    if len(inner.parts) > _MAX_DEPTH:
        raise InputError(
            f"'{name}' has a member {len(inner.parts)} folders deep; expected at most {_MAX_DEPTH}: nothing was"
            " unpacked"
        )
    if inner.is_absolute() or ".." in inner.parts or re.match(r"[A-Za-z]:", text):
        raise InputError(
            f"'{name}' has a member that would be written outside its folder; expected relative paths: nothing was"
            " unpacked"
        )
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise InputError(
            f"'{name}' has a member that is a link or a device; expected regular files: pack the files themselves"
        )
    return inner


def _check_size(unpacked: int, packed: int, name: str, limits: ArchiveLimits) -> None:
    if unpacked > limits.max_bytes:
        raise InputError(
            f"'{name}' unpacks to more than {limits.max_bytes} bytes, the limit; pass the unpacked folder instead"
        )
    if unpacked > limits.ratio_counts_above_bytes and unpacked > limits.max_ratio * packed:
        raise InputError(
            f"'{name}' unpacks to over {limits.max_ratio:g} times its size; expected at most that ratio for images:"
            " refused as a decompression bomb"
        )


def _unpack(
    archive: zipfile.ZipFile,
    members: Sequence[tuple[zipfile.ZipInfo, PurePosixPath]],
    folder: Path,
    limits: ArchiveLimits,
) -> None:
    name = Path(archive.filename or "").name
    packed = sum(member.compress_size for member, _ in members)
    written = 0
    for place in {folder / inner.parent for _, inner in members}:
        place.mkdir(parents=True, exist_ok=True)
    for member, inner in members:
        target = folder / inner
        with archive.open(member) as source, target.open("xb") as sink:
            while chunk := source.read(_CHUNK_BYTES):
                written += len(chunk)
                _check_size(written, packed, name, limits)
                sink.write(chunk)
