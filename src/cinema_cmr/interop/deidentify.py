"""De-identification of a DICOM study for research: what an analysis needs is kept, everything else goes.

The basic profile of PS3.15 with its options "clean descriptors", "retain patient characteristics" (sex, age, height,
weight) and "retain longitudinal information with modified dates" (times are shifted, all dates are one). Pixels are
copied as they are: text burnt into them stays; a header that states it gives a warning. For research use only.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from cinema_cmr.core.errors import InputError, UnreadableFileError
from cinema_cmr.interop.concepts import HEART
from cinema_cmr.interop.dicom_object import item, short_text
from cinema_cmr.interop.kept_elements import KEPT, WORDS, Rule
from cinema_cmr.interop.study_files import dicom_files
from cinema_cmr.io.dicom.decoding.bounded_file import read_dataset
from cinema_cmr.io.dicom.files import quiet_pydicom
from cinema_cmr.io.dicom.image_kind import MR_CLASSES, parse_hints
from cinema_cmr.io.dicom.patient.subject import read_subject
from cinema_cmr.io.dicom.values import clock_ms, is_stated, text_of
from cinema_cmr.io.dicom.writing.identifiers import STUDY_DATE, uid_from
from cinema_cmr.io.output_folder import atomic_folder

if TYPE_CHECKING:
    from pydicom.dataelem import DataElement
    from pydicom.dataset import Dataset

__all__ = ["DeidentifiedStudy", "deidentify"]

_UNKNOWN = "unknown"
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_OLDEST = 90
_DAY_MS = 24 * 3600 * 1000
_NOON_MS = _DAY_MS / 2
_METHODS = (
    ("113100", "Basic Application Confidentiality Profile"),
    ("113105", "Clean Descriptors Option"),
    ("113107", "Retain Longitudinal Temporal Information Modified Dates Option"),
    ("113108", "Retain Patient Characteristics Option"),
)
_HINT_WORDS = {
    **{hint: hint for hint in ("4ch", "3ch", "2ch", "short axis", "flow", "tagging", "stress", "repeat")},
    "right ventricle": "rv",
    "valve or vessel": "valve",
    "transverse": "transversal",
    "inversion scout": "ti scout",
    "inline analysis": "inline vf",
}
"""Hint of the reader -> words that give it again: all that is kept of a series description."""
_ENCODING = re.compile(r"_v\d{1,4}(in|through|ap|rl|fh|si|lr)")
"""Part of a sequence name that marks a flow measurement."""


@dataclass(frozen=True, kw_only=True)
class DeidentifiedStudy:
    """What was written, and what needs a look."""

    folder: Path
    n_images: int
    left_out: Mapping[str, int]
    """Reason -> number of files that were not copied."""
    warnings: tuple[str, ...]


@dataclass(kw_only=True)
class _Pseudonyms:
    """Replacements that are the same for the same value in one run, or in all runs with one key."""

    key: str
    first_ms: float
    """Earliest time of the study since midnight, which becomes noon."""
    series: dict[str, int] = field(default_factory=dict)

    def uid(self, old: str) -> str:
        return uid_from("cinema_cmr de-identified", self.key, old)

    def patient(self, old: str) -> str:
        return f"ANON-{hashlib.sha256(f'{self.key}|patient|{old}'.encode()).hexdigest()[:10].upper()}"

    def time(self, text: str) -> str | None:
        """Return a time of day shifted with the study; None for text that is none."""
        at_ms = clock_ms(text)
        if at_ms is None:
            return None
        shifted = (at_ms - self.first_ms + _NOON_MS) % _DAY_MS
        seconds, millis = divmod(round(shifted), 1000)
        return f"{seconds // 3600 % 24:02d}{seconds // 60 % 60:02d}{seconds % 60:02d}.{millis:03d}000"


def deidentify(
    source: Path | str, folder: Path | str, *, key: str | None = None, overwrite: bool = False
) -> DeidentifiedStudy:
    """Write the MR images of a study without identity into a new folder.

    Names, identifiers, dates, institutions, devices, free text, private elements, overlays and every file that is no
    MR image are left out; UIDs are replaced consistently. `key` makes the same replacements in several calls, e.g. for
    two examinations of a person: keep it secret, or leave it out for a random one. Raises `InputError` without an MR
    image, or where images are of several patients or study dates, `UnreadableFileError` where every image is damaged.
    """
    left_out: Counter[str] = Counter()
    warnings: list[str] = []
    with dicom_files(Path(source)) as paths, quiet_pydicom():
        images = _images(paths, left_out, name=Path(source).name)
        names = _Pseudonyms(key=key or secrets.token_hex(16), first_ms=_first_ms(images.values()))
        person = max(text_of(header, "PatientID") for header in images.values())
        with atomic_folder(folder, overwrite=overwrite) as draft:
            for path in images:
                dataset = _whole_image(path)
                if dataset is None:
                    left_out["a damaged image"] += 1
                    continue
                dataset.PatientID = person  # absent in some images, it is that of no second patient
                warnings += _burnt_in(dataset)
                _write(deidentified(dataset, names), draft, names, syntax=_transfer_syntax(dataset))
            if left_out["a damaged image"] == len(images):
                raise UnreadableFileError(
                    f"none of the {len(images)} MR images of '{Path(source).name}' is complete; expected complete"
                    " files: copy them again from their source"
                )
    return DeidentifiedStudy(
        folder=Path(folder),
        n_images=len(images) - left_out["a damaged image"],
        left_out=dict(+left_out),
        warnings=tuple(f"{text} ({count} images)" for text, count in Counter(warnings).items()),
    )


def _images(paths: Sequence[Path], left_out: Counter[str], *, name: str) -> dict[Path, Dataset]:
    """Return the headers of the MR images, of one patient; count the other files by reason."""
    tags = ["SOPClassUID", "SOPInstanceUID", "PatientID", "StudyDate", "AcquisitionTime", "StudyTime", "SeriesTime"]
    tags += ["ContentTime"]
    images = {}
    for path in paths:
        try:
            header = read_dataset(path, tags)
        except Exception:
            # pydicom raises any exception for corrupt bytes.
            left_out["an unreadable file"] += 1
            continue
        if text_of(header, "SOPClassUID") in MR_CLASSES:
            images[path] = header
        else:
            left_out["not an MR image, such as a screen shot or a report"] += 1
    patients = {text_of(header, "PatientID") for header in images.values()} - {""}
    days = {text_of(header, "StudyDate") for header in images.values()} - {""}
    if not images or len(patients) > 1 or len(days) > 1:
        several = f"{len(patients)} patients" if len(patients) > 1 else f"{len(days)} study dates"
        found = f"MR images of {several}" if images else "no MR image"
        raise InputError(f"'{name}' holds {found}; expected the study of one: give the folders one by one")
    return images


def _whole_image(path: Path) -> Dataset | None:
    """Return an image with its pixels; None for one that is cut or lacks an identifier."""
    try:
        dataset = read_dataset(path, pixels=True)
    except Exception:
        # pydicom raises any exception for corrupt bytes.
        return None
    needed = ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "PixelData")
    return dataset if all(is_stated(dataset, keyword) for keyword in needed) else None


def _first_ms(headers: Iterable[Dataset]) -> float:
    times = (
        clock_ms(text_of(header, keyword))
        for header in headers
        for keyword in ("AcquisitionTime", "StudyTime", "SeriesTime", "ContentTime")
    )
    return min((time for time in times if time is not None), default=_NOON_MS)


def _burnt_in(dataset: Dataset) -> list[str]:
    """Return warnings of text that may stand in the pixels, by the header."""
    found = []
    if text_of(dataset, "BurnedInAnnotation").upper() == "YES":
        found.append("the header states text burnt into the pixels, which were copied as they are: look at them")
    tags = dataset.keys()  # iterating the dataset itself would decode values, some of them invalid
    if any(tag.group & 0xFF01 == 0x6000 for tag in tags):
        found.append("overlays, which may hold text, were removed")
    return found


def deidentified(dataset: Dataset, names: _Pseudonyms) -> Dataset:
    """Return the kept elements of an image, with a new identity."""
    kept = _kept(dataset, names)
    subject, _ = read_subject(dataset)
    patient = names.patient(text_of(dataset, "PatientID"))
    kept.PatientName, kept.PatientID, kept.PatientBirthDate = patient, patient, ""
    if subject.age_years is not None and "PatientAge" not in kept:
        kept.PatientAge = f"{min(int(subject.age_years), _OLDEST):03d}Y"
    for keyword in ("PatientSex", "StudyID", "AccessionNumber", "ReferringPhysicianName", "StudyTime"):
        setattr(kept, keyword, kept.get(keyword, ""))
    kept.StudyDate = STUDY_DATE
    for keyword in ("SeriesDate", "AcquisitionDate", "ContentDate"):
        if keyword in dataset:
            setattr(kept, keyword, STUDY_DATE)
    hints = parse_hints(text_of(dataset, "SeriesDescription"), text_of(dataset, "ProtocolName"))
    kept.SeriesDescription = " ".join(("cine", *(_HINT_WORDS[hint] for hint in hints)))
    encoding = _ENCODING.search(text_of(dataset, "SequenceName").lower())
    if encoding:
        kept.SequenceName = encoding[0]
    kept.PositionReferenceIndicator = ""
    kept.Manufacturer = kept.get("Manufacturer") or _UNKNOWN
    kept.ManufacturerModelName = kept.DeviceSerialNumber = kept.SoftwareVersions = _UNKNOWN
    if "SharedFunctionalGroupsSequence" in kept:
        _complete_enhanced(kept)
    kept.PatientIdentityRemoved = "YES"
    kept.DeidentificationMethod = "cinema-cmr: list of kept elements, PS3.15 basic profile"
    kept.DeidentificationMethodCodeSequence = [_method(*method) for method in _METHODS]
    kept.LongitudinalTemporalInformationModified = "MODIFIED"
    return kept


def _complete_enhanced(kept: Dataset) -> None:
    """Add what an enhanced object must have, in words of our own: the region is the heart."""
    region = item(CodeValue=HEART.value, CodingSchemeDesignator=HEART.scheme, CodeMeaning=HEART.meaning)
    anatomy = item(FrameLaterality="U", AnatomicRegionSequence=[region])
    kept.SharedFunctionalGroupsSequence[0].FrameAnatomySequence = [anatomy]
    kept.AcquisitionContextSequence = []


def _method(code: str, meaning: str) -> Dataset:
    return item(CodeValue=code, CodingSchemeDesignator="DCM", CodeMeaning=short_text(meaning))


def _kept(dataset: Dataset, names: _Pseudonyms) -> Dataset:
    """Return the kept elements of a dataset or of an item of a sequence."""
    from pydicom.dataset import Dataset

    kept = Dataset()
    for element in _readable(dataset):
        value = _kept_value(element, names)
        if value is not None:
            kept.add_new(element.tag, element.VR, value)
    return kept


def _readable(dataset: Dataset) -> Iterator[DataElement]:
    """Yield the elements of a dataset; one whose value is not of its type, such as a name for a number, goes."""
    for tag in list(dataset.keys()):
        try:
            element = dataset[tag]
        except ValueError:
            continue
        yield element


def _kept_value(element: DataElement, names: _Pseudonyms) -> object:
    """Return the new value of an element; None for one that goes."""
    keyword = element.keyword if not element.tag.is_private else ""
    if keyword in WORDS:
        return _words(element, WORDS[keyword])
    rule = KEPT.get(keyword)
    if rule is None:
        return None
    if element.is_empty:
        return [] if rule is Rule.SEQUENCE else ""
    return _VALUES[rule](element, names)


def _number(element: DataElement, _: _Pseudonyms) -> object:
    values = element.value if element.VM > 1 else [element.value]
    return element.value if all(_NUMBER.fullmatch(str(value).strip()) for value in values) else None


def _of_standard(element: DataElement, _: _Pseudonyms) -> object:
    return element.value if element.VR == "AT" or str(element.value).startswith("1.2.840.10008.") else None


def _date_and_time(element: DataElement, names: _Pseudonyms) -> str | None:
    shifted = names.time(str(element.value)[8:])
    return shifted and STUDY_DATE + shifted


_VALUES: Mapping[Rule, Callable[[DataElement, _Pseudonyms], object]] = {
    Rule.CLASS: _of_standard,
    Rule.PIXELS: lambda element, _: element.value,
    Rule.UID: lambda element, names: names.uid(str(element.value)),
    Rule.NUMBER: _number,
    Rule.TIME: lambda element, names: names.time(str(element.value)),
    Rule.DATETIME: _date_and_time,
    Rule.AGE: lambda element, _: _age(str(element.value)),
    Rule.SEQUENCE: lambda element, names: [_kept(item, names) for item in element.value],
}


def _words(element: DataElement, known: frozenset[str]) -> object:
    values = [str(value).strip().upper() for value in (element.value if element.VM > 1 else [element.value])]
    if element.keyword in ("ImageType", "FrameType"):
        return [value if value in known else "OTHER" for value in values]
    kept = [value for value in values if value in known]
    return kept[0] if len(kept) == 1 else kept or None


def _age(text: str) -> str | None:
    match = re.fullmatch(r"(\d{3})([DWMY])", text.strip())
    if match is None:
        return None
    return f"{min(int(match[1]), _OLDEST):03d}Y" if match[2] == "Y" else match[0]


def _transfer_syntax(dataset: Dataset) -> str:
    """Return the transfer syntax of a file; in one without meta header it is inferred from the bytes."""
    from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

    stated = text_of(dataset.file_meta, "TransferSyntaxUID")
    return stated or str(ImplicitVRLittleEndian if dataset.original_encoding[0] else ExplicitVRLittleEndian)


def _write(dataset: Dataset, folder: Path, names: _Pseudonyms, *, syntax: str) -> None:
    """Write an image under names that follow from its new identity alone."""
    from pydicom.dataset import FileMetaDataset

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = dataset.SOPClassUID, dataset.SOPInstanceUID
    meta.TransferSyntaxUID = syntax
    dataset.file_meta = meta
    series = names.series.setdefault(str(dataset.SeriesInstanceUID), len(names.series) + 1)
    target = folder / f"series-{series:03d}"
    target.mkdir(exist_ok=True)
    name = uuid.uuid5(uuid.NAMESPACE_OID, dataset.SOPInstanceUID).hex[:12]
    dataset.save_as(target / f"{name}.dcm", enforce_file_format=True)
