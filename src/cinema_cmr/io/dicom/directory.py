"""DICOMDIR: the index of a disc, checked against the files that lie beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from cinema_cmr.core.study import Issue
from cinema_cmr.io.dicom.decoding.bounded_file import read_dataset
from cinema_cmr.io.dicom.values import value_of

__all__ = ["directory_issues"]


def directory_issues(directories: Sequence[Path], *, n_images: int) -> list[Issue]:
    """Return an issue for each DICOMDIR that lists files which are absent: a copy of the disc is then incomplete.

    Where there are as many images as it lists, they were only renamed.
    """
    return [issue for path in directories if (issue := _missing_issue(path, n_images)) is not None]


def _missing_issue(path: Path, n_images: int) -> Issue | None:
    listed = list(_listed_files(path))
    missing = [parts for parts in listed if not _exists(path.parent, parts)]
    if not missing or n_images >= len(listed):
        return None
    message = (
        f"the DICOMDIR lists {len(listed)} files, of which {len(missing)} are missing; the study was read without them:"
        " copy the whole disc again"
    )
    evidence = {"listed": len(listed), "missing": len(missing)}
    return Issue(code="listed-files-missing", severity="warning", message=message, evidence=evidence)


def _listed_files(path: Path) -> Iterator[tuple[str, ...]]:
    """Yield the path of each file in a DICOMDIR, relative to it, in parts; nothing for a damaged index."""
    try:
        records: Any = value_of(read_dataset(path), "DirectoryRecordSequence") or []
        for record in records:
            parts = value_of(record, "ReferencedFileID")
            if parts:
                yield (parts,) if isinstance(parts, str) else tuple(map(str, parts))
    except Exception:
        # The index is a convenience: whatever is wrong with it, the files themselves are read.
        return


def _exists(folder: Path, parts: Sequence[str]) -> bool:
    """Return True if the file is there under its name, in lower case, or with the version suffix of ISO 9660."""
    for names in (parts, [part.lower() for part in parts]):
        file = folder.joinpath(*names)
        if file.exists() or file.with_name(f"{file.name};1").exists() or file.with_name(f"{file.name}.dcm").exists():
            return True
    return False
