"""Finds the DICOM files in a folder of any layout, reads their headers once, says what was set aside."""

from __future__ import annotations

import hashlib
import logging
import re
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cinema_cmr.core.errors import GeometryError, UnreadableFileError
from cinema_cmr.core.study import Issue, Subject
from cinema_cmr.io.dicom.header import HEADER_TAGS, MR_CLASSES, FrameHeader, frame_headers, why_left_out
from cinema_cmr.io.dicom.subject import filled_from_dataset
from cinema_cmr.io.dicom.values import integer_of, text_of, value_of
from cinema_cmr.io.walk import paths_below

__all__ = ["FoundFiles", "SeriesFiles", "is_dicom", "pixel_digests", "quiet_pydicom", "read_headers"]

_DIRECTORY_CLASS = "1.2.840.10008.1.3.10"
_FOLDER_NAME = re.compile(r"(?i)se(r|ries)?[ _-]?\d{1,6}")


@dataclass(kw_only=True)
class SeriesFiles:
    """What a folder holds of one series: its number of images and, by reason, those that cannot be a cine."""

    number: int | None
    folder: str | None
    """Its folder's name if that is of the kind "Se6"; None else, since folder names may hold anything."""
    n_images: int = 0
    left_out: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, kw_only=True)
class FoundFiles:
    """All that was found in the input, by what it is."""

    paths: tuple[Path, ...]
    """DICOM files; `FrameHeader.file` is an index into them."""
    headers: tuple[FrameHeader, ...]
    series: Mapping[str, SeriesFiles]
    """Label -> what the input holds of the series."""
    broken: tuple[str, ...]
    """Stems of DICOM files whose header cannot be read."""
    n_other_files: int
    n_directories: int
    """DICOMDIR index files, which hold no image."""
    subject: Subject
    issues: tuple[Issue, ...]


@contextmanager
def quiet_pydicom() -> Iterator[None]:
    """Keeps pydicom's warnings off the screen: they quote values of the file, which may be personal."""
    logger = logging.getLogger("pydicom")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def is_dicom(path: Path) -> bool:
    """True for a file that begins as DICOM does: the magic word or, in old files, group 2 or 8."""
    try:
        with path.open("rb") as file:
            start = file.read(132)
    except OSError:
        return False
    if start[128:132] == b"DICM":
        return True
    explicit = start[4:6] in (b"UI", b"CS", b"SH", b"UL", b"DA", b"TM", b"LO")
    implicit = len(start) >= 8 and int.from_bytes(start[4:8], "little") <= 64
    return len(start) == 132 and start[:2] in (b"\x08\x00", b"\x02\x00") and (explicit or implicit)


def read_headers(source: Path | Iterable[Path]) -> FoundFiles:
    """Headers of all DICOM files of a folder (with its sub-folders), of one file, or of a list of files.

    Raises `UnreadableFileError` when there are DICOM files and none of them can be read.
    """
    files = _all_files(source) if isinstance(source, Path) else sorted(source)
    found = _Collected()
    with quiet_pydicom():
        for path in files:
            found.add(path)
    if found.broken and not (found.headers or found.series):
        raise UnreadableFileError(
            f"none of the {len(found.broken)} DICOM files can be read (first: '{found.broken[0]}'); "
            "they are truncated or corrupt: copy them again from their source"
        )
    return found.finished()


def _all_files(source: Path) -> list[Path]:
    if not source.is_dir():
        return [source]
    return [path for path in paths_below(source) if not path.is_dir()]


@dataclass
class _Collected:
    """The state of one walk over the files."""

    paths: list[Path] = field(default_factory=list)
    headers: list[FrameHeader] = field(default_factory=list)
    series: dict[str, SeriesFiles] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)
    n_other_files: int = 0
    n_directories: int = 0
    subject: Subject = field(default_factory=Subject)
    issues: dict[str, Issue] = field(default_factory=dict)

    def add(self, path: Path) -> None:
        """Sorts one file in: an image, an index, broken, or something else."""
        says_dicom = path.suffix.lower() in (".dcm", ".ima") and not path.name.startswith(".")
        if not (is_dicom(path) or says_dicom):
            self.n_other_files += 1
            return
        dataset = _header_of(path) if is_dicom(path) else None
        kind = "" if dataset is None else _class_of(dataset)
        if kind == _DIRECTORY_CLASS:
            self.n_directories += 1
        elif dataset is None or not kind or _lost_its_end(kind, dataset):
            self.broken.append(path.stem)
        else:
            self._add_object(path, dataset)

    def _add_object(self, path: Path, dataset: Any) -> None:
        number = integer_of(dataset, "SeriesNumber")
        key = f"{text_of(dataset, 'SeriesInstanceUID') or path.parent}|{number}"
        folder = path.parent.name if _FOLDER_NAME.fullmatch(path.parent.name) else None
        own = SeriesFiles(number=number, folder=folder)
        series = self.series.setdefault(key, own)
        series.n_images += 1
        reason = why_left_out(dataset)
        if reason:
            series.left_out[reason] += 1
            return
        self.subject = filled_from_dataset(self.subject, dataset, issues=self.issues)
        try:
            headers = frame_headers(dataset, file=len(self.paths), series=key)
        except GeometryError as error:
            series.left_out[f"images with {error}"] += 1
            return
        except Exception:
            # A corrupt file can fail anywhere in its sequences; whatever it is, this one file is not usable.
            self.broken.append(path.stem)
            return
        self.paths.append(path)
        self.headers.extend(headers)

    def finished(self) -> FoundFiles:
        labels = _labels(self.series)
        return FoundFiles(
            paths=tuple(self.paths),
            headers=tuple(replace(header, series=labels[header.series]) for header in self.headers),
            series={labels[key]: series for key, series in self.series.items()},
            broken=tuple(self.broken),
            n_other_files=self.n_other_files,
            n_directories=self.n_directories,
            subject=self.subject,
            issues=tuple(self.issues.values()),
        )


def _header_of(path: Path) -> Any | None:
    from pydicom import dcmread

    try:
        return dcmread(path, stop_before_pixels=True, force=True, specific_tags=list(HEADER_TAGS))
    except Exception:
        # pydicom raises whatever a corrupt byte leads to; the file counts as broken, by its stem.
        return None


def _class_of(dataset: Any) -> str:
    """The object's class: from the meta header, which a cut file has whole, else from the object itself."""
    return text_of(dataset.file_meta, "MediaStorageSOPClassUID") or text_of(dataset, "SOPClassUID")


def _lost_its_end(kind: str, dataset: Any) -> bool:
    """True for an MR image that stops before its matrix size: the file is cut within its header."""
    return kind in MR_CLASSES and value_of(dataset, "Rows") is None


def _labels(series: Mapping[str, SeriesFiles]) -> dict[str, str]:
    """Key -> "series 6"; series that share a number, or have none, get a letter each, in reading order."""
    by_number = defaultdict(list)
    for key, found in series.items():
        by_number[found.number].append(key)
    labels = {}
    for number, keys in by_number.items():
        name = "series without number" if number is None else f"series {number}"
        for k, key in enumerate(keys):
            labels[key] = name if len(keys) == 1 else f"{name}{_letters(k)}"
    return labels


def _letters(k: int) -> str:
    """a, b, ..., z, aa, ab, ..."""
    return (_letters(k // 26 - 1) if k >= 26 else "") + chr(ord("a") + k % 26)


def pixel_digests(found: FoundFiles, frames: Sequence[int]) -> dict[int, str]:
    """Header index -> digest of the stored pixel bytes of its file (and its frame number there)."""
    from pydicom import dcmread

    digests = {}
    for index in frames:
        header = found.headers[index]
        try:
            with quiet_pydicom():
                dataset = dcmread(found.paths[header.file], force=True, specific_tags=["PixelData"])
            stored = hashlib.sha256(dataset.PixelData).hexdigest()
        except Exception:
            # Whatever cannot be read here is reported when its pixels are wanted.
            continue
        digests[index] = f"{stored}/{header.frame}"
    return digests
