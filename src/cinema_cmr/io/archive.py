"""Zip archives unpacked with care: checked as a whole first, into a folder that is always removed."""

from __future__ import annotations

import re
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from cinema_cmr.core.errors import InputError, NoCineError, UnreadableFileError

__all__ = ["ArchiveLimits", "extracted"]

_CHUNK_BYTES = 1 << 20
_ENCRYPTED = 0x1
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError)


@dataclass(frozen=True, kw_only=True)
class ArchiveLimits:
    """What a zip may unpack to; a study of 11 cines is 275 files and 30 MB, the largest in use a few GB."""

    max_members: int = 100_000
    """Files and folders."""
    max_bytes: int = 16 << 30
    """All files together, unpacked; counted while unpacking too, since the directory of a zip can lie."""
    max_ratio: float = 200.0
    """Unpacked over packed bytes; images reach 2 to 20, a file made to fill a disk 1000."""
    ratio_counts_above_bytes: int = 64 << 20
    """Small archives may have any ratio: an empty image packs well."""

    def __post_init__(self) -> None:
        if min(self.max_members, self.max_bytes, self.max_ratio) <= 0:
            raise ValueError(f"limits must be above 0, found {self}")


@contextmanager
def extracted(path: Path | str, *, limits: ArchiveLimits | None = None) -> Iterator[Path]:
    """A temporary folder with the files of a zip, removed when the block ends, whatever happens in it.

    Archives inside it are left packed. Raises `UnreadableFileError` for what is no zip or is damaged,
    `NoCineError` for one without files, and `InputError` for encryption, for members that lie outside of the
    folder (`..`, absolute, drive letters, links) and for more than `limits` allow.
    """
    path, limits = Path(path), limits or ArchiveLimits()
    with tempfile.TemporaryDirectory(prefix="cinema-") as folder:
        try:
            with zipfile.ZipFile(path) as archive:
                members = _checked_members(archive, path.name, limits)
                _unpack(archive, members, Path(folder), limits)
        except _DAMAGED as error:
            raise UnreadableFileError(
                f"'{path.name}' is not a zip that can be read ({error}); expected a whole zip: copy it again"
            ) from error
        except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
            raise UnreadableFileError(f"'{path.name}' holds two members of one name; pack the folder again") from error
        yield Path(folder)


def _checked_members(
    archive: zipfile.ZipFile, name: str, limits: ArchiveLimits
) -> Sequence[tuple[zipfile.ZipInfo, PurePosixPath]]:
    members = archive.infolist()
    if len(members) > limits.max_members:
        raise InputError(f"'{name}' has {len(members)} members; at most {limits.max_members} are unpacked: split it")
    _check_size(sum(m.file_size for m in members), sum(m.compress_size for m in members), name, limits)
    files = [(member, _safe_place(member, name)) for member in members]
    files = [(member, place) for member, place in files if not _is_folder(member)]
    if not files:
        raise NoCineError(f"'{name}' is an empty zip; expected the files of a study in it")
    if any(member.flag_bits & _ENCRYPTED for member, _ in files):
        raise InputError(f"'{name}' is encrypted; unpack it with its password and give the folder")
    return files


def _is_folder(member: zipfile.ZipInfo) -> bool:
    return member.filename.endswith(("/", "\\"))


def _safe_place(member: zipfile.ZipInfo, name: str) -> PurePosixPath:
    """Where a member goes below the folder; raises `InputError` for one that would leave it or is a link."""
    # Windows tools of old wrote back-slashes, which are separators there and part of a name here.
    text = member.filename.replace("\\", "/")
    place = PurePosixPath(text)
    if place.is_absolute() or ".." in place.parts or re.match(r"[A-Za-z]:", text):
        raise InputError(f"'{name}' has a member that climbs out of its folder; refused, nothing was unpacked")
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise InputError(f"'{name}' has a member that is a link or a device; pack the files themselves")
    return place


def _check_size(unpacked: int, packed: int, name: str, limits: ArchiveLimits) -> None:
    if unpacked > limits.max_bytes:
        raise InputError(
            f"'{name}' unpacks to more than the limit of {limits.max_bytes} bytes; give the unpacked folder"
        )
    if unpacked > limits.ratio_counts_above_bytes and unpacked > limits.max_ratio * packed:
        raise InputError(
            f"'{name}' unpacks to over {limits.max_ratio:g} times its size, as no images do; refused as bomb"
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
    for member, place in members:
        target = folder / place
        target.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(member) as source, target.open("xb") as sink:
            while chunk := source.read(_CHUNK_BYTES):
                written += len(chunk)
                _check_size(written, packed, name, limits)
                sink.write(chunk)
