"""Packed files in the folder of a study: zips in place of images are read, those beside images are reported.

Archives hand out a study as one zip, or as one of each series or view; UK Biobank's are one of short-axis and one of
long-axis images.
"""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from cinema_cmr.core.errors import InputError
from cinema_cmr.core.study import Issue
from cinema_cmr.io.names import is_nifti_name

__all__ = ["is_packed", "packed_issues", "zips_in_place_of_images"]

_ENDINGS = (".zip", ".tar", ".tgz", ".gz", ".7z", ".rar", ".bz2", ".xz")

_MAX_ZIPS = 200
"""Zips of one study: of each series at most."""
_MAX_DEPTH = 1
"""Zips around a zip that is still unpacked."""


def is_packed(path: Path) -> bool:
    """Return True for an archive or a compressed file by its name, other than a NIfTI image."""
    return path.suffix.lower() in _ENDINGS and not is_nifti_name(path)


def zips_in_place_of_images(files: Sequence[Path], *, name: str, depth: int = 0) -> list[Path]:
    """Return the zips among the files of a folder without an image; `depth` is the number of zips that it lay in.

    Raises `InputError` for more zips than a study has series, for zips within zips within zips, and for packed files
    of other kinds alone.
    """
    zips = [path for path in files if path.suffix.lower() == ".zip"]
    if len(zips) > _MAX_ZIPS:
        raise InputError(
            f"'{name}' holds {len(zips)} zips and no image; expected one study of at most {_MAX_ZIPS}: pass the zips of"
            " each study alone, or in a folder of their own"
        )
    if zips and depth > _MAX_DEPTH:
        raise InputError(f"'{name}' holds zips within zips within zips; expected the images of one study: unpack them")
    packed = [path for path in files if is_packed(path)]
    if packed and not zips:
        raise InputError(
            f"'{name}' holds no image but {len(packed)} packed files ('{packed[0].name}'); expected a DICOM folder,"
            " NIfTI files or zips of them: unpack them"
        )
    return zips


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
