"""Finds the DICOM files in a folder of any layout, reads their headers once and records what was excluded."""

from __future__ import annotations

import hashlib
import logging
import re
import warnings
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cinema_cmr.core.errors import GeometryError, InputError, UnreadableFileError
from cinema_cmr.core.study import Issue, Subject
from cinema_cmr.io.dicom.decoding.bounded_file import read_dataset, read_pixel_bytes_and_header
from cinema_cmr.io.dicom.decoding.decoder import PixelDecoder
from cinema_cmr.io.dicom.decoding.limits import check_claims, is_compressed
from cinema_cmr.io.dicom.directory import directory_issues
from cinema_cmr.io.dicom.header import (
    HEADER_TAGS,
    NUMBER_KEYWORDS,
    FrameHeader,
    frame_headers,
)
from cinema_cmr.io.dicom.image_kind import MR_CLASSES, claimed_kind, exclusion_reason
from cinema_cmr.io.dicom.patient.subject import fill_subject
from cinema_cmr.io.dicom.places.lost_positions import UNUSABLE, restore_positions
from cinema_cmr.io.dicom.places.position_scale import scaled_positions
from cinema_cmr.io.dicom.series_groups import ImageFile, group_series, without_shared_instance_uids
from cinema_cmr.io.dicom.values import integer_of, text_number_keywords, text_of, value_of
from cinema_cmr.io.names import natural_key
from cinema_cmr.io.walk import paths_below

__all__ = [
    "FoundFiles",
    "SeriesFiles",
    "is_dicom",
    "pixel_digests",
    "place_of",
    "quiet_pydicom",
    "read_headers",
]

_DIRECTORY_CLASS = "1.2.840.10008.1.3.10"
_MAX_FRAMES = 200_000
"""Images of a study; whole-heart and flow examinations have up to 30,000."""
_FOLDER_NAME = re.compile(r"(?i)se(r|ries)?[ _-]?\d{1,6}")


@dataclass(kw_only=True)
class SeriesFiles:
    """The files of one series: number of images and, by reason, those that cannot be part of a cine."""

    number: int | None
    folder: str | None
    """Name of its folder if it looks like "Se6", else None, since folder names may contain personal data."""
    description: str = ""
    """Series description as stored: may hold a name, so no output file has it."""
    place: str = ""
    """Name of its folder whatever it looks like; no output file has it."""
    n_images: int = 0
    excluded: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, kw_only=True)
class FoundFiles:
    """Everything found in the input, by kind."""

    paths: tuple[Path, ...]
    """DICOM files; `FrameHeader.file` is an index into them."""
    headers: tuple[FrameHeader, ...]
    claimed: tuple[FrameHeader, ...] = ()
    """Images that a word of their header claims to be of another kind than cine; counted as excluded."""
    series: Mapping[str, SeriesFiles]
    """Label -> files of the series."""
    numbers: tuple[int, ...]
    """Place of each of `paths` among all files of the input in the order of their names, from 1."""
    compressed: frozenset[int] = frozenset()
    """Indices of the files with compressed pixels."""
    decoder: PixelDecoder = field(default_factory=PixelDecoder, compare=False)
    broken: tuple[int, ...]
    """Places, as in `numbers`, of DICOM files with an unreadable header: names of files may be those of people."""
    n_other_files: int
    n_directories: int
    """DICOMDIR index files, which hold no images."""
    subject: Subject
    issues: tuple[Issue, ...]


@contextmanager
def quiet_pydicom() -> Iterator[None]:
    """Suppress pydicom's warnings: they quote values of the file, which may be personal."""
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
    """Return True if the file starts as DICOM does: with the magic word or, in old files, with group 2 or 8."""
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
    """Read the headers of all DICOM files of a folder (with subfolders), of one file, or of a list of files.

    Raises `UnreadableFileError` if there are DICOM files and none of them is readable.
    """
    files = sorted(_all_files(source) if isinstance(source, Path) else source, key=natural_key)
    found = _FileCollector()
    with quiet_pydicom():
        for path in files:
            found.add(path)
    if found.broken and not found.images:
        raise UnreadableFileError(
            f"none of the {len(found.broken)} DICOM files is readable (first: {place_of(found.broken[0])}); "
            "expected complete files: copy them again from their source"
        )
    return found.to_found_files()


def _all_files(source: Path) -> list[Path]:
    if not source.is_dir():
        return [source]
    return [path for path in paths_below(source) if not path.is_dir()]


@dataclass
class _FileCollector:
    """State of one pass over the files."""

    paths: list[Path] = field(default_factory=list)
    images: list[ImageFile] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    """For each image object why it cannot be part of a cine, or "" """
    numbers: list[int] = field(default_factory=list)
    compressed: set[int] = field(default_factory=set)
    broken: list[int] = field(default_factory=list)
    n_files: int = 0
    n_frames: int = 0
    n_other_files: int = 0
    directories: list[Path] = field(default_factory=list)
    subject: Subject = field(default_factory=Subject)
    issues: dict[str, Issue] = field(default_factory=dict)
    n_text_numbers: int = 0

    def add(self, path: Path) -> None:
        """Add one file: an image, an index, a broken file, or something else."""
        self.n_files += 1
        named_dicom = path.suffix.lower() in (".dcm", ".ima") and not path.name.startswith(".")
        starts_as_dicom = is_dicom(path)
        if not (starts_as_dicom or named_dicom):
            self.n_other_files += 1
            return
        pixel_bytes, dataset = _read_header(path) if starts_as_dicom else (0, None)
        kind = "" if dataset is None else _sop_class(dataset)
        if kind == _DIRECTORY_CLASS:
            self.directories.append(path)
        elif dataset is None or not kind or _is_truncated(kind, dataset):
            self.broken.append(self.n_files)
        else:
            self._add_object(path, dataset, pixel_bytes)

    def _add_object(self, path: Path, dataset: Any, pixel_bytes: int) -> None:
        image = ImageFile(
            uid=text_of(dataset, "SeriesInstanceUID"),
            number=integer_of(dataset, "SeriesNumber"),
            folder=str(path.parent),
            description=text_of(dataset, "SeriesDescription"),
        )
        reason = exclusion_reason(dataset) or ""
        if not reason:
            self.subject = fill_subject(self.subject, dataset, issues=self.issues)
            self.n_text_numbers += bool(text_number_keywords(dataset, NUMBER_KEYWORDS))
            try:
                check_claims(dataset, pixel_bytes)
                headers = frame_headers(dataset, file=len(self.paths), series="")
            except GeometryError as error:
                reason = claimed_kind(dataset) or f"{UNUSABLE} {error}"
            except Exception:
                # A corrupt file can fail anywhere in its sequences with any exception; only this file is unusable.
                self.broken.append(self.n_files)
                headers = []
            else:
                image = replace(image, headers=tuple(headers))
                self._count_frames(len(headers))
        if is_compressed(dataset):
            self.compressed.add(len(self.paths))
        self.paths.append(path)
        self.numbers.append(self.n_files)
        self.images.append(image)
        self.reasons.append(reason)

    def _count_frames(self, n: int) -> None:
        self.n_frames += n
        if self.n_frames > _MAX_FRAMES:
            raise InputError(
                f"the study has more than {_MAX_FRAMES} images; expected one examination: pass its series by --use, or"
                " in a folder of their own"
            )

    def to_found_files(self) -> FoundFiles:
        """Return the files with their series; images that only claim to be of another kind are set apart."""
        placed, reasons, lost = restore_positions(self.images, self.reasons)
        placed, rescaled = scaled_positions(placed)
        images, keys, issues = group_series(placed)
        series = self._series(images, keys, reasons)
        labels = _labels(series)
        headers = [replace(h, series=labels[key]) for key, one in zip(keys, images, strict=True) for h in one.headers]
        headers = without_shared_instance_uids(headers, _place_and_time)
        return FoundFiles(
            paths=tuple(self.paths),
            numbers=tuple(self.numbers),
            compressed=frozenset(self.compressed),
            headers=tuple(header for header in headers if not header.claim),
            claimed=tuple(header for header in headers if header.claim),
            series={labels[key]: one for key, one in series.items()},
            broken=tuple(self.broken),
            n_other_files=self.n_other_files,
            n_directories=len(self.directories),
            subject=self.subject,
            issues=(
                *self.issues.values(),
                *issues,
                *lost,
                *rescaled,
                *self._text_issues(),
                *directory_issues(self.directories, n_images=len(self.images)),
            ),
        )

    @staticmethod
    def _series(
        images: Sequence[ImageFile], keys: Sequence[Hashable], reasons: Sequence[str]
    ) -> dict[Hashable, SeriesFiles]:
        series: dict[Hashable, SeriesFiles] = {}
        for image, key, reason in zip(images, keys, reasons, strict=True):
            place = Path(image.folder).name
            folder = place if _FOLDER_NAME.fullmatch(place) else None
            first = SeriesFiles(number=image.number, folder=folder, description=image.description, place=place)
            one = series.setdefault(key, first)
            one.n_images += 1
            if image.number is not None and (one.number is None or image.number < one.number):
                one.number = image.number
            claim = image.headers[0].claim if image.headers else ""
            if reason or claim:
                one.excluded[reason or claim] += 1
        return series

    def _text_issues(self) -> list[Issue]:
        if not self.n_text_numbers:
            return []
        message = (
            f"{self.n_text_numbers} files store numbers as text, such as with a decimal comma or a unit; "
            "they were read as the numbers that they mean"
        )
        evidence = {"files": self.n_text_numbers}
        return [Issue(code="numbers-as-text", severity="info", message=message, evidence=evidence)]


def place_of(number: int) -> str:
    """Return words for a file by its place, as its name may be that of a person.

    >>> place_of(12)
    'file 12 in the order of names'
    """
    return f"file {number} in the order of names"


def _place_and_time(header: FrameHeader) -> Hashable:
    time = (header.trigger_ms, header.temporal_index, header.acquired_ms, header.instance_number)
    return (header.position, header.orientation, *time)


def _read_header(path: Path) -> tuple[int, Any | None]:
    """Return the number of bytes that follow the header, and the header; None for one that cannot be parsed."""
    try:
        return read_pixel_bytes_and_header(path, HEADER_TAGS)
    except Exception:
        # pydicom raises any exception for corrupt bytes; the file counts as broken.
        return 0, None


def _sop_class(dataset: Any) -> str:
    """Return the SOP class UID from the meta header, which survives truncation, else from the object itself."""
    return text_of(dataset.file_meta, "MediaStorageSOPClassUID") or text_of(dataset, "SOPClassUID")


def _is_truncated(kind: str, dataset: Any) -> bool:
    """Return True for an MR image that ends before its matrix size: the file was cut within its header."""
    return kind in MR_CLASSES and value_of(dataset, "Rows") is None


def _labels(series: Mapping[Hashable, SeriesFiles]) -> dict[Hashable, str]:
    """Map each key to "series 6"; series with the same number, or without one, get a letter each, in reading order."""
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
    """Return a, b, ..., z, aa, ab, ..."""
    return (_letters(k // 26 - 1) if k >= 26 else "") + chr(ord("a") + k % 26)


def pixel_digests(found: FoundFiles, frames: Sequence[int]) -> dict[int, str]:
    """Map each header index to a digest of the stored pixel bytes of its file, with its frame number."""
    digests = {}
    for index in frames:
        header = found.headers[index]
        try:
            with quiet_pydicom():
                dataset = read_dataset(found.paths[header.file], ["PixelData"], pixels=True)
            stored = hashlib.sha256(dataset.PixelData).hexdigest()
        except Exception:
            # An unreadable file is reported when its pixels are read.
            continue
        digests[index] = f"{stored}/{header.frame}"
    return digests
