"""Writes the cines of a study as valid DICOM, in the layouts that scanners and archives produce.

The identity is synthetic and everything is a function of the study: the same study gives the same bytes. For research
use only; not a medical device.
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
    SeriesIdentity,
    decimal,
    display_window,
    image_planes,
    series_header,
    slice_step,
    study_header,
)
from cinema_cmr.io.dicom.writing.enhanced import enhanced_elements
from cinema_cmr.io.dicom.writing.identifiers import STUDY_DATE, clock_time, study_digest, uid_from
from cinema_cmr.io.dicom.writing.pixel_data import Compression, set_pixels, transfer_syntax
from cinema_cmr.io.output_folder import atomic_folder
from cinema_cmr.io.quantise import QuantisedArray, quantise

__all__ = ["Compression", "DicomShape", "write_dicom"]

_MR_IMAGE, _ENHANCED_MR = (f"1.2.840.10008.5.1.4.1.1.4{suffix}" for suffix in ("", ".1"))
_IMPLEMENTATION = uid_from("cinema_cmr", "DICOM writer")


class DicomShape(StrEnum):
    """Distribution of a cine's images over series and files."""

    SERIES_PER_SLICE = "series_per_slice"
    """One file per image, one series per slice, as acquired in successive breath-holds."""
    SERIES_PER_VIEW = "series_per_view"
    """One file per image, one series for the whole stack, slice x phase."""
    ENHANCED = "enhanced"
    """One enhanced multi-frame file per view."""


@dataclass(frozen=True, kw_only=True)
class _Series:
    """One series to write: some slices of one cine."""

    cine: Cine
    planes: ImagePlanes
    quantised: QuantisedArray
    slices: range
    facts: SeriesIdentity


@dataclass(frozen=True, kw_only=True)
class _Encoding:
    """Settings common to all objects of the study."""

    header: Any
    """Elements shared by all objects of the study."""
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
    """Write all cines of a study below `folder` atomically, one folder per series; return `folder`.

    Intensities have `bits` significant bits of 16: unchanged if they are integers in range, else with slope and
    intercept per cine. Folder names, times of day and UIDs depend on the study alone. `read_study` restores the study
    within the limits of DICOM: intensities within half a slope, cycle and heart rate to whole ms and beats (`ENHANCED`
    has the exact cycle, which gives the rate, and none if frame times are unknown), age to whole years; slices ascend
    along the image normal, and the third axis of a single plane has its thickness as length. Cines of fewer than 8
    frames are valid DICOM, but are not read as cines.

    Raises `OutputExistsError` for a non-empty folder, `GeometryError` for a cine with unknown orientation or oblique
    axes, `InputError` for intensities that are not finite.
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
            series_folder = draft / f"series-{one.facts.number:03d}"
            series_folder.mkdir()
            objects = _enhanced(one, encoding) if shape is DicomShape.ENHANCED else _images(one, encoding)
            for number, dataset in enumerate(objects, 1):
                dataset.save_as(series_folder / f"image-{number:04d}.dcm", enforce_file_format=True)
    return Path(folder)


def _series(study: Study, shape: DicomShape, key: tuple[str, str, int]) -> Iterator[_Series]:
    """Yield the numbered series of a study; `key` distinguishes this encoding from others."""
    number = acquisition = 0
    for cine in study.cines:
        planes, quantised = image_planes(cine), quantise(cine.array, bits=key[2])
        n_together = 1 if shape is DicomShape.SERIES_PER_SLICE else cine.n_slices
        for first in range(0, cine.n_slices, n_together):
            number += 1
            uid = uid_from(*key, shape, "series", number)
            yield _Series(
                cine=cine,
                planes=planes,
                quantised=quantised,
                slices=range(first, first + n_together),
                facts=SeriesIdentity(uid=uid, number=number, acquisition=acquisition + first),
            )
        acquisition += cine.n_slices


def _enhanced(series: _Series, encoding: _Encoding) -> Iterator[Any]:
    facts = enhanced_elements(series.cine, series.planes, series.quantised)
    stored = series.quantised.stored
    # (x, y, z, t) -> (z, t, rows, columns): time varies fastest within a slice.
    frames = stored.transpose(2, 3, 1, 0).reshape(-1, stored.shape[1], stored.shape[0])
    shared = _shared(series, encoding, {"SOPClassUID": _ENHANCED_MR, **facts})
    yield _object(series, encoding, shared, number=1, frames=frames, facts={})


def _images(series: _Series, encoding: _Encoding) -> Iterator[Any]:
    """Yield one MR image (PS3.3 A.4) per slice and frame, numbered slice by slice."""
    facts = {"SOPClassUID": _MR_IMAGE, **_series_elements(series, encoding)}
    shared = _shared(series, encoding, facts)
    n_frames = series.cine.n_frames
    for index, k in enumerate(series.slices):
        for t in range(n_frames):
            yield _object(
                series,
                encoding,
                shared,
                number=index * n_frames + t + 1,
                frames=series.quantised.stored[:, :, k, t].T[None],
                facts=_image_elements(series, k, t),
            )


def _shared(series: _Series, encoding: _Encoding, facts: Mapping[str, Any]) -> Any:
    """Return the elements common to all objects of a series: study header, series header and `facts`."""
    dataset = _dataset({**series_header(series.cine, series.facts), **facts})
    dataset.update(encoding.header)
    return dataset


def _dataset(facts: Mapping[str, Any]) -> Any:
    from pydicom.dataset import Dataset

    dataset = Dataset()
    for keyword, value in facts.items():
        setattr(dataset, keyword, value)
    return dataset


def _series_elements(series: _Series, encoding: _Encoding) -> dict[str, object]:
    """Return the MR image module (C.8.3.1) and image plane (C.7.6.2) shared by all images of a series."""
    cine, quantised = series.cine, series.quantised
    centre, width = display_window(cine.array)
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


def _image_elements(series: _Series, k: int, t: int) -> dict[str, object]:
    """Return the position and time of one image."""
    times = series.cine.frame_times_ms
    acquired = clock_time(series.facts.acquisition + k - series.slices.start)
    return {
        "AcquisitionNumber": k + 1,
        "AcquisitionDate": STUDY_DATE,
        "AcquisitionTime": acquired,
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
    """Return a complete object with the pixels of `frames` (frames, rows, columns)."""
    from pydicom.dataset import FileMetaDataset

    uid = uid_from(series.facts.uid, number)
    content = {"ContentDate": STUDY_DATE, "ContentTime": clock_time(series.facts.acquisition)}
    dataset = _dataset({"SOPInstanceUID": uid, "InstanceNumber": number, **content, **facts})
    dataset.update(shared)
    set_pixels(dataset, frames, bits=series.quantised.bits, compression=encoding.compression)
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = shared.SOPClassUID, uid
    meta.TransferSyntaxUID = transfer_syntax(encoding.compression)
    # Otherwise pydicom writes its own, which change with its version.
    meta.ImplementationClassUID, meta.ImplementationVersionName = _IMPLEMENTATION, "CINEMA_CMR"
    dataset.file_meta = meta
    return dataset
