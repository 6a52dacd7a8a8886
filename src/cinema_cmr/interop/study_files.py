"""The DICOM files of a study, found again by the identifiers of the images that were read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cinema_cmr.core.errors import InputError
from cinema_cmr.io.archive import extract_archive, extract_archives
from cinema_cmr.io.dicom.decoding.bounded_file import read_dataset
from cinema_cmr.io.dicom.files import is_dicom, quiet_pydicom
from cinema_cmr.io.packed_files import zips_in_place_of_images
from cinema_cmr.io.walk import paths_below

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = ["StudyFiles", "dicom_files", "read_header", "read_study_files"]

IDENTITY = (
    *("PatientName", "PatientID", "PatientBirthDate", "PatientSex"),
    *("StudyInstanceUID", "StudyDate", "StudyTime", "StudyID", "AccessionNumber", "ReferringPhysicianName"),
)
"""All that the standard requires of patient (PS3.3 C.7.1.1) and study (C.7.2.1) in an object of the same study."""
_HEADER = (
    *("SpecificCharacterSet", "SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "SeriesNumber", "Modality"),
    *("InstanceNumber", "FrameOfReferenceUID", "PositionReferenceIndicator", "Rows", "Columns", "NumberOfFrames"),
    *IDENTITY,
)


@dataclass(frozen=True, kw_only=True)
class StudyFiles:
    """Headers of the images of one study, by SOP Instance UID, without pixels."""

    headers: Mapping[str, Dataset]

    @property
    def study_uid(self) -> str:
        """Study Instance UID of most images; some de-identification tools give every image its own."""
        return self._most_common("StudyInstanceUID")

    @property
    def reference_uid(self) -> str:
        """Frame of Reference UID of most images; empty where they have none."""
        return self._most_common("FrameOfReferenceUID")

    @property
    def first(self) -> Dataset:
        """An image of the study that most images belong to: patient and study are read from it."""
        return next(one for one in self.headers.values() if str(one.StudyInstanceUID) == self.study_uid)

    def identity(self) -> dict[str, str]:
        """Return patient and study, the required elements alone, as text; empty where the images lack them."""
        return {keyword: str(self.first.get(keyword) or "") for keyword in IDENTITY}

    def _most_common(self, keyword: str) -> str:
        counts = Counter(str(header.get(keyword) or "") for header in self.headers.values())
        counts.pop("", None)
        return counts.most_common(1)[0][0] if counts else ""


def read_study_files(source: Path | str, instance_uids: Iterable[str]) -> StudyFiles:
    """Read the headers of the images with these SOP Instance UIDs from a folder, a file or a zip.

    Raises `InputError` if one of them is absent, or if the images carry no Study Instance UID.
    """
    wanted = set(instance_uids)
    found: dict[str, Dataset] = {}
    with dicom_files(Path(source)) as paths, quiet_pydicom():
        for path in paths:
            header = read_header(path)
            uid = str(header.get("SOPInstanceUID") or "") if header is not None else ""
            if header is not None and uid in wanted:
                found.setdefault(uid, header)
    name = Path(source).name
    if not wanted or wanted - found.keys():
        raise InputError(
            f"'{name}' lacks {len(wanted - found.keys())} of the {len(wanted)} DICOM images that were analysed;"
            " expected the study of these results: give its folder or zip"
        )
    files = StudyFiles(headers=found)
    if not files.study_uid:
        raise InputError(
            f"the images of '{name}' have no Study Instance UID; expected one, as objects of the same study need it:"
            " restore the study's identifiers"
        )
    return files


@contextmanager
def dicom_files(source: Path) -> Iterator[list[Path]]:
    """Yield the DICOM files of a folder, a file, a zip or a folder of zips, sorted; zips are unpacked for the block."""
    with ExitStack() as stack:
        depth = int(source.is_file() and not is_dicom(source))
        place = stack.enter_context(extract_archive(source)) if depth else source
        found = _dicom_below(place) if place.is_dir() else [place]
        while not found:
            files = [path for path in paths_below(place) if path.is_file() and not path.name.startswith(".")]
            zips = zips_in_place_of_images(files, name=source.name, depth=depth)
            if not zips:
                break
            place, depth = stack.enter_context(extract_archives(zips)), depth + 1
            found = _dicom_below(place)
        yield found


def _dicom_below(folder: Path) -> list[Path]:
    return sorted(path for path in paths_below(folder) if path.is_file() and is_dicom(path))


def read_header(path: Path) -> Dataset | None:
    """Return what identifies an image; None for a damaged file, which is none of the images that were read."""
    try:
        header: Dataset = read_dataset(path, _HEADER)
        header.decode()
    except Exception:
        return None  # pydicom raises any exception for corrupt bytes
    return header
