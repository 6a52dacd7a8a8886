"""Packed files beside the images of a study: what they hold is not read, unless its copy lies there unpacked."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from cinema_cmr.core.study import Issue
from cinema_cmr.io.names import is_nifti_name

__all__ = ["is_packed", "packed_issues"]

_ENDINGS = (".zip", ".tar", ".tgz", ".gz", ".7z", ".rar", ".bz2", ".xz")


def is_packed(path: Path) -> bool:
    """Return True for an archive or a compressed file by its name, other than a NIfTI image."""
    return path.suffix.lower() in _ENDINGS and not is_nifti_name(path)


def packed_issues(files: Sequence[Path]) -> list[Issue]:
    """Return a warning on the packed files among the files of a study, as a part of the stack may be in them.

    A zip whose members all lie among the files as well, by name and size, is that of the study itself: no warning.
    """
    packed = [path for path in files if is_packed(path)]
    if not packed:
        return []
    unpacked = {(path.name, path.stat().st_size) for path in files}
    others = [path for path in packed if not _is_copy(path, unpacked)]
    if not others:
        return []
    message = (
        f"{len(others)} packed files (zip, tar, gz and the like) beside the images were not read: if they hold images"
        " of this examination, slices or views are missing; unpack them and read the study again"
    )
    return [Issue(code="packed-files-ignored", severity="warning", message=message, evidence={"files": len(others)})]


def _is_copy(path: Path, unpacked: set[tuple[str, int]]) -> bool:
    if path.suffix.lower() != ".zip":
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError):
        return False
    return all((PurePosixPath(one.filename).name, one.file_size) in unpacked for one in members)
