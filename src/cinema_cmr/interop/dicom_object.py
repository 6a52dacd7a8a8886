"""What all written DICOM objects share: identity of patient and study, equipment, algorithm, research use.

Identifiers follow from the content: the same results of the same images give the same UIDs, so that an archive that
receives them twice keeps them once.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from importlib.util import find_spec
from typing import TYPE_CHECKING

from cinema_cmr.core.analysis import Analysis
from cinema_cmr.core.errors import UsageError
from cinema_cmr.core.run_facts import RunFacts
from cinema_cmr.core.sources import SourceImage
from cinema_cmr.interop.correction_notes import correction_notes
from cinema_cmr.interop.study_files import StudyFiles
from cinema_cmr.io.dicom.writing.identifiers import uid_from

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = [
    "IMPLEMENTATION_UID",
    "MANUFACTURER",
    "MODEL",
    "ObjectContext",
    "SeriesIdentity",
    "check_dicom_extra",
    "image_reference",
    "item",
    "new_object",
    "reference_sequences",
    "short_text",
]

_NO_WHEEL = (3, 14)
"""Python from which pyjpegls, which highdicom asks for and which is not used here, has no wheel."""
MANUFACTURER = "CineMA project"
MODEL = "cinema-cmr"
IMPLEMENTATION_UID = uid_from("cinema_cmr", "results as DICOM")
_LO = 64
"""Most characters of a Long String."""


@dataclass(frozen=True, kw_only=True)
class ObjectContext:
    """All that the objects of one analysis share."""

    analysis: Analysis
    files: StudyFiles
    written: datetime
    """Time of writing."""

    @property
    def run(self) -> RunFacts:
        """Model, versions and options of the analysis."""
        return self.analysis.run

    @cached_property
    def _key(self) -> tuple[str, ...]:
        run = self.run
        masks = (one.labels.array.tobytes() for one in self.analysis.predictions.values())
        numbers = [(one.name, one.value) for one in self.analysis.measurements.measured]
        return (
            self.files.study_uid,
            *sorted(self.files.headers),
            *map(str, (run.model_name, run.model_hash, run.package_version, sorted(run.options.items()))),
            *(hashlib.sha256(mask).hexdigest() for mask in masks),
            repr(numbers),
            *correction_notes(self.analysis),
        )

    def uid(self, *parts: str | int) -> str:
        """Return the UID of a part of the results: a function of images, model, options, masks, numbers and
        corrections.
        """
        return uid_from(*self._key, *parts)

    @cached_property
    def reference_uid(self) -> str:
        """Frame of Reference UID of the images; where they have none, one of these results."""
        return self.files.reference_uid or self.uid("frame of reference")

    def tracking(self, structure: str) -> tuple[str, str]:
        """Return tracking identifier and UID of a structure: equal over views, phases, segmentation and report."""
        return f"CineMA {structure}", self.uid("tracking", structure)


@dataclass(frozen=True, kw_only=True)
class SeriesIdentity:
    """Identity of one written series."""

    uid: str
    number: int
    modality: str
    description: str


def check_dicom_extra() -> None:
    """Raise `UsageError` if highdicom, which writes content items, is not installed."""
    if find_spec("highdicom") is None:
        command = "pip install 'cinema-cmr[dicom]'"
        if sys.version_info >= _NO_WHEEL:
            command += ", then pip install --no-deps highdicom"
        raise UsageError(f"writing DICOM results needs highdicom, which is not installed: {command}")


def item(**elements: object) -> Dataset:
    """Return a dataset of these elements, e.g. as the item of a sequence."""
    from pydicom.dataset import Dataset

    dataset = Dataset()
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    return dataset


def short_text(text: str, length: int = _LO) -> str:
    """Return the text without backslashes, cut to `length` characters; an ellipsis marks a cut.

    >>> short_text("a long sentence", 8)
    'a lon...'
    """
    plain = " ".join(text.replace("\\", "/").split())
    return plain if len(plain) <= length else plain[: length - 3] + "..."


def new_object(context: ObjectContext, series: SeriesIdentity, *, sop_class: str, instance: int) -> Dataset:
    """Return an object of the patient's study without content: patient, study, series, equipment and file meta.

    Of patient and study only what the standard requires is copied.
    """
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian

    day, clock = context.written.strftime("%Y%m%d"), context.written.strftime("%H%M%S")
    dataset = item(
        SpecificCharacterSet="ISO_IR 192",
        SOPClassUID=sop_class,
        SOPInstanceUID=context.uid("instance", series.uid, instance),
        InstanceCreationDate=day,
        InstanceCreationTime=clock,
        Modality=series.modality,
        SeriesInstanceUID=series.uid,
        SeriesNumber=series.number,
        SeriesDescription=short_text(series.description),
        SeriesDate=day,
        SeriesTime=clock,
        InstanceNumber=instance,
        ContentDate=day,
        ContentTime=clock,
        **context.files.identity(),
        **equipment(context.run),
    )
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = sop_class
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = IMPLEMENTATION_UID
    meta.ImplementationVersionName = "CINEMA_CMR"
    dataset.file_meta = meta
    return dataset


def equipment(run: RunFacts) -> dict[str, str]:
    """Return general and enhanced equipment (PS3.3 C.7.5.1, C.7.5.2); the serial number is the start of the weights."""
    return {
        "Manufacturer": MANUFACTURER,
        "ManufacturerModelName": MODEL,
        "DeviceSerialNumber": (run.model_hash or "no weights")[:16],
        "SoftwareVersions": run.package_version or "unknown",
    }


def image_reference(files: StudyFiles, source: SourceImage) -> Dataset:
    """Return the reference to a stored image: class, instance, and the frame of a multi-frame object from 1."""
    header = files.headers[source.instance_uid]
    reference = item(ReferencedSOPClassUID=str(header.SOPClassUID), ReferencedSOPInstanceUID=source.instance_uid)
    if int(header.get("NumberOfFrames") or 1) > 1:
        reference.ReferencedFrameNumber = source.frame + 1
    return reference


def reference_sequences(files: StudyFiles, instance_uids: Iterable[str]) -> Mapping[str, list[Dataset]]:
    """Return the common instance reference (PS3.3 C.12.2): referenced series, and those of other studies."""
    by_study: dict[str, dict[str, list[Dataset]]] = {}
    for uid in dict.fromkeys(instance_uids):
        header = files.headers[uid]
        series = by_study.setdefault(str(header.StudyInstanceUID), {}).setdefault(str(header.SeriesInstanceUID), [])
        series.append(item(ReferencedSOPClassUID=str(header.SOPClassUID), ReferencedSOPInstanceUID=uid))
    own = by_study.pop(files.study_uid, {})
    others = [
        item(StudyInstanceUID=study, ReferencedSeriesSequence=_series_items(series))
        for study, series in by_study.items()
    ]
    found = {"ReferencedSeriesSequence": _series_items(own)} if own else {}
    return {**found, **({"StudiesContainingOtherReferencedInstancesSequence": others} if others else {})}


def _series_items(series: Mapping[str, list[Dataset]]) -> list[Dataset]:
    return [item(SeriesInstanceUID=uid, ReferencedInstanceSequence=images) for uid, images in series.items()]
