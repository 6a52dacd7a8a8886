"""Patient, study, series and plane modules shared by all written DICOM objects.

Module numbers refer to DICOM PS3.3. Unknown values are left empty or omitted, never invented.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.errors import GeometryError
from cinema_cmr.core.geometry import apply_affine, lps_to_ras, unit
from cinema_cmr.core.study import Study, Subject
from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine
from cinema_cmr.io.dicom.writing.identifiers import STUDY_DATE, clock_time, uid_from

__all__ = [
    "ImagePlanes",
    "SeriesIdentity",
    "decimal",
    "display_window",
    "image_planes",
    "series_header",
    "slice_step",
    "study_header",
]

Array = NDArray[np.float64]

_MAX_SKEW = 0.001
"""Largest cosine between the image axes: DICOM requires perpendicular axes."""


@dataclass(frozen=True, kw_only=True)
class ImagePlanes:
    """Position and orientation of a cine's images in DICOM terms, LPS mm."""

    row: Array
    """(3,) unit direction along a row, towards increasing columns."""
    column: Array
    """(3,) unit direction along a column, towards increasing rows."""
    pixel_spacing: tuple[float, float]
    """Distance between rows, then between columns."""
    origins: Array
    """(z, 3) centre of the first pixel of each slice."""

    @property
    def orientation(self) -> list[str]:
        """ImageOrientationPatient."""
        return [decimal(value) for value in (*self.row, *self.column)]

    @property
    def spacing(self) -> list[str]:
        """PixelSpacing."""
        return [decimal(value) for value in self.pixel_spacing]

    def position(self, k: int) -> list[str]:
        """Return ImagePositionPatient of a slice."""
        return [decimal(value) for value in self.origins[k]]

    def location(self, k: int) -> str:
        """Return SliceLocation: the position of a slice along the normal."""
        return decimal(float(self.origins[k] @ np.cross(self.row, self.column)))


@dataclass(frozen=True, kw_only=True)
class SeriesIdentity:
    """Identity of one series within a written study."""

    uid: str
    number: int
    acquisition: int
    """Number of acquisitions before it."""


def decimal(value: float) -> str:
    """Format a number as a DICOM decimal string: ten digits, at most 16 characters.

    >>> decimal(1 / 3), decimal(-0.0)
    ('0.3333333333', '0')
    """
    return f"{value + 0.0:.10g}"


def image_planes(cine: Cine) -> ImagePlanes:
    """Return the planes of a cine; uneven slices keep their true positions along the affine's slice direction.

    Raises `GeometryError` if the orientation is unknown, or if the image axes are not perpendicular, which DICOM cannot
    represent.
    """
    if not cine.orientation_known:
        raise GeometryError(
            f"cine '{cine.label}' has no known orientation; expected a true position, as DICOM requires: write NIfTI"
        )
    affine = lps_to_ras(cine.affine)  # the sign change is its own inverse
    row, column = unit(affine[:3, 0]), unit(affine[:3, 1])
    if abs(float(row @ column)) > _MAX_SKEW:
        raise GeometryError(
            f"image axes of cine '{cine.label}' are not perpendicular; expected perpendicular axes, as DICOM requires:"
            " resample it first"
        )
    dx, dy, _ = cine.spacing_mm
    indices = np.stack([np.zeros(cine.n_slices), np.zeros(cine.n_slices), cine.slice_indices], axis=1)
    return ImagePlanes(row=row, column=column, pixel_spacing=(dy, dx), origins=apply_affine(affine, indices))


def slice_step(cine: Cine) -> dict[str, str]:
    """Return SpacingBetweenSlices of a stack: the median distance, as most uneven slices have it."""
    if cine.n_slices == 1:
        return {}
    return {"SpacingBetweenSlices": decimal(float(np.median(np.diff(cine.slice_positions_mm))))}


def study_header(study: Study, digest: str) -> Any:
    """Return patient (C.7.1.1), study (C.7.2.1, C.7.2.2), equipment (C.7.5.1) and frame of reference (C.7.4.1).

    The identity is derived from the digest of the content and marked as synthetic.
    """
    from pydicom.dataset import Dataset

    header = Dataset()
    header.SpecificCharacterSet = "ISO_IR 192"
    header.PatientName = "Synthetic^Phantom"
    header.PatientID = f"SYNTHETIC-{digest[:12].upper()}"
    header.PatientBirthDate = ""
    header.QualityControlSubject = "YES"
    _add_subject(header, study.subject)
    header.StudyInstanceUID = uid_from(digest, "study")
    header.StudyDate = STUDY_DATE
    header.StudyTime = clock_time(0)
    header.StudyID = "1"
    header.StudyDescription = "synthetic cine study"
    for keyword in ("ReferringPhysicianName", "AccessionNumber", "PositionReferenceIndicator"):
        setattr(header, keyword, "")
    header.FrameOfReferenceUID = uid_from(digest, "frame of reference")
    header.Manufacturer = "CineMA"
    header.ManufacturerModelName = "phantom"
    header.BurnedInAnnotation = "NO"
    return header


def _add_subject(header: Any, subject: Subject) -> None:
    header.PatientSex = subject.sex or ""
    if subject.age_years is not None:
        header.PatientAge = f"{int(subject.age_years):03d}Y"
    if subject.height_cm is not None:
        header.PatientSize = decimal(subject.height_cm / 100)
    if subject.weight_kg is not None:
        header.PatientWeight = decimal(subject.weight_kg)


def series_header(cine: Cine, facts: SeriesIdentity) -> dict[str, object]:
    """Return the series module (C.7.3.1) and acquisition elements of all images of a series."""
    view = "cine" if cine.view is View.OTHER else f"cine {cine.view.title}"
    return {
        "Modality": "MR",
        "SeriesInstanceUID": facts.uid,
        "SeriesNumber": facts.number,
        "SeriesDescription": view,
        "SeriesDate": STUDY_DATE,
        "SeriesTime": clock_time(facts.acquisition),
        "BodyPartExamined": "HEART",
        "PatientPosition": "HFS",
    }


def display_window(array: NDArray[np.float32]) -> tuple[str, str]:
    """Return WindowCenter and WindowWidth for tissue: from the 1st to the 99.5th percentile."""
    low, high = (float(value) for value in np.percentile(array[::2, ::2], (1, 99.5)))
    return decimal((low + high) / 2), decimal(max(high - low, 1.0))
