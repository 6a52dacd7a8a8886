"""Writes the cines of a study as valid DICOM, in the shapes in which scanners and archives hand them over.

The identity is synthetic and everything is a function of the study: the same study gives the same bytes.
For research use only; not a medical device.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.study import Study
from cinema_cmr.core.volume import Cine
from cinema_cmr.io.dicom.files import quiet_pydicom
from cinema_cmr.io.dicom.writing.attributes import (
    ImagePlanes,
    SeriesFacts,
    decimal,
    image_planes,
    series_header,
    slice_step,
    study_header,
    window,
)
from cinema_cmr.io.dicom.writing.enhanced import enhanced_facts
from cinema_cmr.io.dicom.writing.identifiers import STUDY_DATE, clock_time, study_digest, uid_from
from cinema_cmr.io.dicom.writing.pixel_data import Compression, set_pixels, transfer_syntax
from cinema_cmr.io.output_folder import atomic_folder
from cinema_cmr.io.quantise import Quantised, quantise

__all__ = ["Compression", "DicomShape", "write_dicom"]

_MR_IMAGE, _ENHANCED_MR = (f"1.2.840.10008.5.1.4.1.1.4{suffix}" for suffix in ("", ".1"))
_IMPLEMENTATION = uid_from("cinema_cmr", "DICOM writer")


class DicomShape(StrEnum):
    """How the images of a cine are spread over series and files."""

    SERIES_PER_SLICE = "series_per_slice"
    """One file an image, one series for each slice: as acquired one breath-hold after the other."""
    SERIES_PER_VIEW = "series_per_view"
    """One file an image, one series for the whole stack, slice x phase."""
    ENHANCED = "enhanced"
    """One enhanced multi-frame file for each view."""


@dataclass(frozen=True, kw_only=True)
class _Series:
    """One series to write: some slices of one cine, ready for the file."""

    cine: Cine
    planes: ImagePlanes
    quantised: Quantised
    slices: range
    facts: SeriesFacts


@dataclass(frozen=True, kw_only=True)
class _Encoding:
    """How objects are named and packed."""

    header: Any
    """What all objects of the study share."""
    compression: Compression
    heart_rate_bpm: float | None


def write_dicom(
    study: Study,
    folder: Path | str,
    *,
    shape: DicomShape = DicomShape.SERIES_PER_SLICE,
    compression: Compression = Compression.NONE,
    bits: int = 16,
    overwrite: bool = False,
) -> Path:
    """Write all cines of a study below `folder`, whole or not at all, one folder a series; returns `folder`.

    Intensities get `bits` significant bits of 16: as they are where they are whole numbers that fit, else
    with slope and intercept for each cine. Sub-folders, names, times of day and UIDs follow from the study
    alone. `read_study` gives the study back within these limits of DICOM: intensities within half a slope,
    cycle and heart rate to whole ms and beats (`ENHANCED` has the exact cycle, which gives the rate, and
    none where frame times are unknown), age to whole years; slices ascend along the image normal, and the
    third axis of a single plane has its thickness for length; cines of fewer than 8 frames are valid DICOM,
    but no cine to the reader.

    Raises `OutputExistsError` for a folder with something in it, `GeometryError` for a cine without true
    orientation or with oblique axes, `InputError` for intensities that are not finite.
    """
    digest = study_digest(study)
    encoding = _Encoding(
        header=study_header(study, digest),
        compression=Compression(compression),
        heart_rate_bpm=study.subject.heart_rate_bpm,
    )
    series = list(_series(study, DicomShape(shape), (digest, compression, bits)))
    with atomic_folder(folder, overwrite=overwrite) as draft, quiet_pydicom():
        for one in series:
            home = draft / f"series-{one.facts.number:03d}"
            home.mkdir()
            objects = _enhanced(one, encoding) if shape is DicomShape.ENHANCED else _images(one, encoding)
            for number, dataset in enumerate(objects, 1):
                dataset.save_as(home / f"image-{number:04d}.dcm", enforce_file_format=True)
    return Path(folder)


def _series(study: Study, shape: DicomShape, key: tuple[str, str, int]) -> Iterator[_Series]:
    """The series of a study, numbered; `key` is what tells this way of writing it from others."""
    number = acquisition = 0
    for cine in study.cines:
        planes, quantised = image_planes(cine), quantise(cine.array, bits=key[2])
        together = 1 if shape is DicomShape.SERIES_PER_SLICE else cine.n_slices
        for first in range(0, cine.n_slices, together):
            number += 1
            uid = uid_from(*key, shape, "series", number)
            yield _Series(
                cine=cine,
                planes=planes,
                quantised=quantised,
                slices=range(first, first + together),
                facts=SeriesFacts(uid=uid, number=number, acquisition=acquisition + first),
            )
        acquisition += cine.n_slices


def _enhanced(series: _Series, encoding: _Encoding) -> Iterator[Any]:
    facts = enhanced_facts(series.cine, series.planes, series.quantised)
    stored = series.quantised.stored
    # (x, y, z, t) -> (z, t, rows, columns): time runs first within a slice.
    frames = stored.transpose(2, 3, 1, 0).reshape(-1, stored.shape[1], stored.shape[0])
    shared = _shared(series, encoding, {"SOPClassUID": _ENHANCED_MR, **facts})
    yield _object(series, encoding, shared, number=1, frames=frames, facts={})


def _images(series: _Series, encoding: _Encoding) -> Iterator[Any]:
    """One MR image (PS3.3 A.4) for each slice and frame, numbered slice by slice."""
    facts = {"SOPClassUID": _MR_IMAGE, **_facts_of_all_images(series, encoding)}
    shared = _shared(series, encoding, facts)
    n_frames = series.cine.n_frames
    for place, k in enumerate(series.slices):
        for t in range(n_frames):
            yield _object(
                series,
                encoding,
                shared,
                number=place * n_frames + t + 1,
                frames=series.quantised.stored[:, :, k, t].T[None],
                facts=_facts_of_image(series, k, t),
            )


def _shared(series: _Series, encoding: _Encoding, facts: Mapping[str, Any]) -> Any:
    """What all objects of a series have in common: the study's header, the series' and `facts`."""
    dataset = _dataset({**series_header(series.cine, series.facts), **facts})
    dataset.update(encoding.header)
    return dataset


def _dataset(facts: Mapping[str, Any]) -> Any:
    from pydicom.dataset import Dataset

    dataset = Dataset()
    for keyword, value in facts.items():
        setattr(dataset, keyword, value)
    return dataset


def _facts_of_all_images(series: _Series, encoding: _Encoding) -> dict[str, Any]:
    """MR image module (C.8.3.1) and image plane (C.7.6.2) as far as all images of a series share them."""
    cine, quantised = series.cine, series.quantised
    centre, width = window(cine.array)
    facts = {
        "ImageType": ["ORIGINAL", "PRIMARY", "OTHER"],
        "ScanningSequence": "GR",
        "SequenceVariant": "SS",
        "ScanOptions": "CG",
        "MRAcquisitionType": "2D",
        "RepetitionTime": "",
        "EchoTime": "",
        "EchoTrainLength": "",
        "CardiacNumberOfImages": cine.n_frames,
        "NumberOfTemporalPositions": cine.n_frames,
        "ImageOrientationPatient": series.planes.orientation,
        "PixelSpacing": series.planes.spacing,
        "SliceThickness": "" if cine.slice_thickness_mm is None else decimal(cine.slice_thickness_mm),
        "WindowCenter": centre,
        "WindowWidth": width,
        **slice_step(cine),
    }
    if quantised.is_scaled:
        facts["RescaleSlope"], facts["RescaleIntercept"] = (
            decimal(quantised.slope),
            decimal(quantised.intercept),
        )
        facts["RescaleType"] = "US"
    if cine.rr_interval_ms is not None:
        facts["NominalInterval"] = round(cine.rr_interval_ms)
    if encoding.heart_rate_bpm is not None:
        facts["HeartRate"] = round(encoding.heart_rate_bpm)
    return facts


def _facts_of_image(series: _Series, k: int, t: int) -> dict[str, Any]:
    """Place and time of one image."""
    times = series.cine.frame_times_ms
    taken = clock_time(series.facts.acquisition + k - series.slices.start)
    return {
        "AcquisitionNumber": k + 1,
        "AcquisitionDate": STUDY_DATE,
        "AcquisitionTime": taken,
        "ImagePositionPatient": series.planes.position(k),
        "SliceLocation": series.planes.location(k),
        "TriggerTime": "" if times is None else decimal(float(times[t])),
        "TemporalPositionIdentifier": t + 1,
    }


def _object(
    series: _Series,
    encoding: _Encoding,
    shared: Any,
    *,
    number: int,
    frames: NDArray[np.uint16],
    facts: Mapping[str, Any],
) -> Any:
    """A complete object with the pixels of `frames` (frames, rows, columns)."""
    from pydicom.dataset import FileMetaDataset

    uid = uid_from(series.facts.uid, number)
    content = {"ContentDate": STUDY_DATE, "ContentTime": clock_time(series.facts.acquisition)}
    dataset = _dataset({"SOPInstanceUID": uid, "InstanceNumber": number, **content, **facts})
    dataset.update(shared)
    set_pixels(dataset, frames, bits=series.quantised.bits, compression=encoding.compression)
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = shared.SOPClassUID, uid
    meta.TransferSyntaxUID = transfer_syntax(encoding.compression)
    # Without these pydicom writes its own, which change with its version.
    meta.ImplementationClassUID, meta.ImplementationVersionName = _IMPLEMENTATION, "CINEMA_CMR"
    dataset.file_meta = meta
    return dataset
