"""Position and time of each DICOM frame, in a small record without personal data.

Classic single-frame images give one record, multi-frame objects one per frame. Positions and orientations stay in
DICOM's LPS millimetres and are converted to RAS when cines are built.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.errors import GeometryError
from cinema_cmr.io.dicom.image_kind import COMPLEX_PARTS, MR_CLASSES, claimed_kind, descriptions, parse_hints
from cinema_cmr.io.dicom.values import (
    clock_ms,
    integer_of,
    number_of,
    sequences_of,
    text_of,
    texts_of,
    value_of,
    vector_of,
)
from cinema_cmr.io.plausible import MAX_POSITION_MM, check_pixel_spacing

__all__ = [
    "HEADER_TAGS",
    "NUMBER_KEYWORDS",
    "FrameHeader",
    "distinct_values",
    "frame_headers",
    "position_from_location",
]

HEADER_TAGS = (
    *("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID"),
    *("Modality", "ImageType", "ComplexImageComponent", "PhaseContrast", "SeriesNumber", "AcquisitionNumber"),
    *("InstanceNumber", "SeriesDescription", "ProtocolName", "SequenceName", "Rows", "Columns", "PixelSpacing"),
    *("SamplesPerPixel", "PhotometricInterpretation", "BitsAllocated", "NumberOfFrames", "FrameTime"),
    *("ImageOrientationPatient", "ImagePositionPatient", "SliceThickness", "SpacingBetweenSlices", "TriggerTime"),
    *("NominalInterval", "HeartRate", "EchoTime", "CardiacNumberOfImages", "TemporalPositionIdentifier"),
    *("AcquisitionTime", "InversionTime", "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"),
    *("DimensionIndexSequence", "PatientID", "PatientSex", "PatientAge", "PatientBirthDate", "PatientSize"),
    *("PatientWeight", "StudyDate", "ConcatenationFrameOffsetNumber", "SliceLocation"),
    "DeviceSerialNumber",
)
"""All elements read from a header. Names of patient, physicians and institution are never parsed."""

NUMBER_KEYWORDS = (
    *("PixelSpacing", "ImageOrientationPatient", "ImagePositionPatient", "SliceThickness", "SpacingBetweenSlices"),
    *("TriggerTime", "NominalInterval", "HeartRate"),
)
"""Elements of `HEADER_TAGS` that must be numbers for a cine to be measured."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FrameHeader:
    """One image frame: its file and series, its position (LPS mm) and its time (ms)."""

    file: int
    """Index of the file in the reader's list."""
    frame: int = 0
    """Frame within the file, from 0."""
    series: str
    """Label of the series in reports, e.g. "series 6"."""
    rows: int
    columns: int
    orientation: tuple[float, ...]
    """Six direction cosines: along a row (increasing column), then along a column (increasing row)."""
    position: tuple[float, float, float]
    """Centre of the first pixel."""
    located: bool = False
    """True if no position is stated, and `position` follows from the slice location alone."""
    location_mm: float | None = None
    """Slice location along the normal, as stated: its origin and its sign differ between makers."""
    pixel_spacing: tuple[float, float]
    """Distance between rows, then between columns, in DICOM order."""
    instance_uid: str = ""
    day: str = ""
    """Digest of the study date, to separate examinations of one patient."""
    patient: str = ""
    """Digest of the patient ID, never the ID itself."""
    study: str = ""
    """Digest of the study UID, to separate people whose ID and date were blanked."""
    identified: bool = False
    """True if patient ID and date look genuine, not blank or a constant placeholder."""
    body: tuple[tuple[str, str], ...] = ()
    """Sex, birth date (a digest), height, weight, age and scanner (a digest), if present; for comparison only."""
    reference: str = ""
    """Frame of reference UID: positions in different frames cannot be compared."""
    instance_number: int | None = None
    series_number: int | None = None
    acquisition_number: int | None = None
    thickness_mm: float | None = None
    spacing_between_mm: float | None = None
    trigger_ms: float | None = None
    temporal_index: float | None = None
    acquired_ms: float | None = None
    """Acquisition time since midnight."""
    rr_interval_ms: float | None = None
    heart_rate_bpm: float | None = None
    n_phases: int | None = None
    echo_time_ms: float | None = None
    inversion_time_ms: float | None = None
    derived: bool = False
    hints: tuple[str, ...] = ()
    """Contents of the series description in a fixed vocabulary."""
    claim: str = ""
    """Another kind of image that a word of the header names, e.g. "described as flow"; geometry and time decide."""

    @property
    def normal(self) -> NDArray[np.float64]:
        """(3,) row direction x column direction, LPS: slices ascend along it."""
        return np.cross(self.orientation[:3], self.orientation[3:])


def distinct_values(headers: Iterable[FrameHeader], field: str) -> set[str]:
    """Return all values of a field over the series, without the empty one; none if one series has several.

    Some de-identification tools give every image its own identity, which then carries no information.
    """
    by_series: dict[str, set[str]] = {}
    for header in headers:
        by_series.setdefault(header.series, set()).add(getattr(header, field))
    if any(len(values) > 1 for values in by_series.values()):
        return set()
    return set().union(*by_series.values()) - {""}


def frame_headers(dataset: Any, *, file: int, series: str) -> list[FrameHeader]:
    """Return the records of all frames of one image; raises `GeometryError` if its position is not stated."""
    # Single-frame images in real archives may carry the sequence too, with one empty item.
    is_enhanced = text_of(dataset, "SOPClassUID") != MR_CLASSES[0]
    groups = value_of(dataset, "PerFrameFunctionalGroupsSequence") if is_enhanced else None
    facts = {"file": file, "series": series, **_object_fields(dataset), **_frame_fields([dataset])}
    if groups:
        shared = list(value_of(dataset, "SharedFunctionalGroupsSequence") or [])
        steps = _time_dimension(dataset)
        before = integer_of(dataset, "ConcatenationFrameOffsetNumber")
        return list(_functional_groups(facts, shared, groups, steps, before))
    count = integer_of(dataset, "NumberOfFrames") or 1
    first = _header(facts)
    if count == 1:
        return [first]
    step_ms = number_of(dataset, "FrameTime")
    return [
        replace(first, frame=k, instance_number=k + 1, trigger_ms=None if step_ms is None else k * step_ms)
        for k in range(count)
    ]


def _functional_groups(
    facts: Mapping[str, Any], shared: list[Any], groups: Any, time_dimension: int | None, before: int | None
) -> Iterator[FrameHeader]:
    """Yield the frames of an enhanced object: own values before shared ones; `before` are frames in earlier parts.

    Private sequences count only for what no standard one states: Philips keeps another classic header in one.
    """
    for k, group in enumerate(groups):
        sources = [item for part in (group, *shared) for item in _sequence_items(part, private=False)]
        others = [item for part in (group, *shared) for item in _sequence_items(part, private=True)]
        if any(text_of(s, "ComplexImageComponent").upper() in COMPLEX_PARTS for s in (*sources, *others)):
            continue
        own = {**_frame_fields(others), **_frame_fields(sources)}
        if "temporal_index" not in own and time_dimension is not None:
            values = next((list(v) for s in sources if (v := value_of(s, "DimensionIndexValues"))), [])
            if time_dimension < len(values):
                own["temporal_index"] = float(values[time_dimension])
        number = _frame_number(facts, k, len(groups)) if before is None else before + k + 1
        yield _header({**facts, **own, "frame": k, "instance_number": number})


def _frame_number(facts: Mapping[str, Any], frame: int, n_frames: int) -> int:
    """Return a number that orders the frames of all objects of a series: objects by InstanceNumber, frames within."""
    before = max((facts["instance_number"] or 1) - 1, 0)
    return before * n_frames + frame + 1


def _sequence_items(group: Any, *, private: bool) -> Iterator[Any]:
    """Yield the items of a functional group's sequences: plane position, pixel measures, frame content, ..."""
    for sequence in sequences_of(group, private=private):
        yield from sequence


def _time_dimension(dataset: Any) -> int | None:
    """Return the position of the temporal index among the dimension index values, or None."""
    times = {0x00209128, 0x00209153, 0x00209252, 0x00181060, 0x00200100}
    for k, dimension in enumerate(value_of(dataset, "DimensionIndexSequence") or []):
        if value_of(dimension, "DimensionIndexPointer") in times:
            return k
    return None


def position_from_location(
    location_mm: float, orientation: Sequence[float], pixel_spacing: Sequence[float], rows: int, columns: int
) -> tuple[float, float, float]:
    """Return the centre of the first pixel (LPS mm) of an image whose middle lies on the normal, at its location."""
    row, column = np.array(orientation[:3]), np.array(orientation[3:])
    half = row * pixel_spacing[1] * (columns - 1) / 2 + column * pixel_spacing[0] * (rows - 1) / 2
    x, y, z = (location_mm * np.cross(row, column) - half).tolist()
    return x, y, z


def _with_location(facts: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the fields with a position by slice location, where that is all there is."""
    at, orientation, spacing = (facts.get(name) for name in ("location_mm", "orientation", "pixel_spacing"))
    if "position" in facts or at is None or orientation is None or spacing is None:
        return facts
    position = position_from_location(at, orientation, spacing, facts["rows"], facts["columns"])
    return {**facts, "position": position, "located": True}


def _header(facts: Mapping[str, Any]) -> FrameHeader:
    facts = _with_location(facts)
    for name in ("orientation", "position", "pixel_spacing"):
        if name not in facts:
            raise GeometryError(f"no {name.replace('_', ' ')} in patient space")
    header = FrameHeader(**facts)
    row, column = np.array(header.orientation[:3]), np.array(header.orientation[3:])
    lengths = np.array([np.linalg.norm(row), np.linalg.norm(column)])
    if not np.isfinite(header.orientation).all() or abs(lengths - 1).max() > 0.02 or abs(row @ column) > 0.02:
        raise GeometryError("an orientation that is not two perpendicular directions")
    if not np.isfinite(header.position).all():
        raise GeometryError("a position that is not a number")
    if max(map(abs, header.position)) > MAX_POSITION_MM:
        raise GeometryError(f"a position of over {MAX_POSITION_MM:g} mm from the scanner's centre")
    check_pixel_spacing(header.pixel_spacing)
    return replace(header, orientation=(*(row / lengths[0]).tolist(), *(column / lengths[1]).tolist()))


def _object_fields(dataset: Any) -> dict[str, Any]:
    """Return the fields that hold for a whole object, whatever its number of frames."""
    return {
        "rows": int(dataset.Rows),
        "columns": int(dataset.Columns),
        "instance_uid": text_of(dataset, "SOPInstanceUID"),
        "day": _digest(text_of(dataset, "StudyDate")),
        "patient": _digest(text_of(dataset, "PatientID")),
        "study": _digest(text_of(dataset, "StudyInstanceUID")),
        "identified": _is_identified(text_of(dataset, "PatientID"), text_of(dataset, "StudyDate")),
        "body": _body(dataset),
        "reference": text_of(dataset, "FrameOfReferenceUID"),
        "instance_number": integer_of(dataset, "InstanceNumber"),
        "series_number": integer_of(dataset, "SeriesNumber"),
        "acquisition_number": integer_of(dataset, "AcquisitionNumber"),
        "heart_rate_bpm": _within(number_of(dataset, "HeartRate"), 20, 250),
        "n_phases": integer_of(dataset, "CardiacNumberOfImages"),
        "derived": "DERIVED" in texts_of(dataset, "ImageType"),
        "hints": parse_hints(*descriptions(dataset)),
        "claim": claimed_kind(dataset),
    }


_FRAME_NUMBERS: Mapping[str, tuple[str, ...]] = {
    "thickness_mm": ("SliceThickness",),
    "spacing_between_mm": ("SpacingBetweenSlices",),
    "trigger_ms": ("TriggerTime", "NominalCardiacTriggerDelayTime", "ActualCardiacTriggerDelayTime"),
    "temporal_index": ("TemporalPositionIdentifier", "TemporalPositionIndex"),
    "rr_interval_ms": ("NominalInterval", "RRIntervalTimeNominal"),
    "echo_time_ms": ("EchoTime", "EffectiveEchoTime"),
    "inversion_time_ms": ("InversionTime",),
    "location_mm": ("SliceLocation",),
}
_CLOCK_KEYWORDS = ("FrameAcquisitionDateTime", "AcquisitionTime")
_FRAME_VECTORS: Mapping[str, tuple[str, int]] = {
    "orientation": ("ImageOrientationPatient", 6),
    "position": ("ImagePositionPatient", 3),
    "pixel_spacing": ("PixelSpacing", 2),
}


def _frame_fields(sources: list[Any]) -> dict[str, Any]:
    """Return the fields that may change from frame to frame, from the first source that has each."""
    facts: dict[str, Any] = {}
    for name, (keyword, length) in _FRAME_VECTORS.items():
        vectors = (vector_of(source, keyword, length) for source in sources)
        facts[name] = next((vector for vector in vectors if vector), None)
    for name, keywords in _FRAME_NUMBERS.items():
        numbers = (number_of(source, keyword) for keyword in keywords for source in sources)
        facts[name] = next((number for number in numbers if number is not None), None)
    clock = (text_of(source, word) for word in _CLOCK_KEYWORDS for source in sources)
    facts["acquired_ms"] = next((value for value in map(clock_ms, clock) if value is not None), None)
    facts["rr_interval_ms"] = _within(facts["rr_interval_ms"], 250, 2500)
    return {name: value for name, value in facts.items() if value is not None}


def _digest(text: str) -> str:
    """Return a hash that separates patients without revealing them."""
    return hashlib.sha256(text.encode()).hexdigest() if text else ""


def _is_identified(patient: str, day: str) -> bool:
    """Return False for a placeholder identity: no digit above 0, no date, the first of January, or a date before MRI.

    >>> _is_identified("P0017", "20190523"), _is_identified("ANON", "20190523"), _is_identified("7", "19000101")
    (True, False, False)
    """
    return bool(re.search("[1-9]", patient) and re.fullmatch(r"\d{8}", day)) and day >= "1980" and day[4:] != "0101"


def _body(dataset: Any) -> tuple[tuple[str, str], ...]:
    height, weight = number_of(dataset, "PatientSize"), number_of(dataset, "PatientWeight")
    facts = {
        "sex": text_of(dataset, "PatientSex").upper().strip("O"),
        "birth date": _digest(text_of(dataset, "PatientBirthDate")),
        "height": f"{height:.2f}" if height else "",
        "weight": f"{weight:.0f}" if weight else "",
        "age": text_of(dataset, "PatientAge"),
        "scanner": _digest(text_of(dataset, "DeviceSerialNumber")),
    }
    return tuple((name, value) for name, value in facts.items() if value)


def _within(value: float | None, low: float, high: float) -> float | None:
    return value if value is not None and low <= value <= high else None
