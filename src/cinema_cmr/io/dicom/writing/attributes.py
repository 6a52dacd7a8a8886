"""Headers of written DICOM objects: patient, study, series and plane modules that every shape shares.

Module numbers are those of DICOM PS3.3. What a study does not know is left empty or out, never made up.
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
    "SeriesFacts",
    "decimal",
    "image_planes",
    "series_header",
    "slice_step",
    "study_header",
    "window",
]

Array = NDArray[np.float64]

_MAX_SKEW = 0.001
"""Largest cosine between the image axes: DICOM has perpendicular ones only."""


@dataclass(frozen=True, kw_only=True)
class ImagePlanes:
    """Where the images of a cine lie, as DICOM says it: LPS mm."""

    row: Array
    """(3,) unit direction along a row, towards growing columns."""
    column: Array
    """(3,) unit direction along a column, towards growing rows."""
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
        """ImagePositionPatient of a slice."""
        return [decimal(value) for value in self.origins[k]]

    def location(self, k: int) -> str:
        """SliceLocation: place of a slice along the planes' normal."""
        return decimal(float(self.origins[k] @ np.cross(self.row, self.column)))


@dataclass(frozen=True, kw_only=True)
class SeriesFacts:
    """What tells one series of a written study from another."""

    uid: str
    number: int
    acquisition: int
    """How many acquisitions went before it."""


def decimal(value: float) -> str:
    """A number as DICOM's decimal string, ten digits, at most 16 characters.

    >>> decimal(1 / 3), decimal(-0.0)
    ('0.3333333333', '0')
    """
    return f"{value + 0.0:.10g}"


def image_planes(cine: Cine) -> ImagePlanes:
    """Planes of a cine; uneven slices keep their true positions along the affine's slice direction.

    Raises `GeometryError` where the cine does not know how the patient lay, or its image axes are oblique to
    each other: such a place cannot be said in DICOM.
    """
    if not cine.orientation_known:
        raise GeometryError(f"cine '{cine.label}' does not know its orientation; DICOM needs a true position")
    affine = lps_to_ras(cine.affine)  # the change of signs is its own inverse
    row, column = unit(affine[:3, 0]), unit(affine[:3, 1])
    if abs(float(row @ column)) > _MAX_SKEW:
        raise GeometryError(f"image axes of cine '{cine.label}' are not perpendicular; resample it first")
    dx, dy, _ = cine.spacing_mm
    at = cine.slice_positions_mm / max(float(cine.slice_positions_mm[-1]), 1e-9) * (cine.n_slices - 1)
    indices = np.stack([np.zeros_like(at), np.zeros_like(at), at], axis=1)
    return ImagePlanes(row=row, column=column, pixel_spacing=(dy, dx), origins=apply_affine(affine, indices))


def slice_step(cine: Cine) -> dict[str, str]:
    """SpacingBetweenSlices of a stack: the usual distance, which uneven slices have between most of them."""
    if cine.n_slices == 1:
        return {}
    return {"SpacingBetweenSlices": decimal(float(np.median(np.diff(cine.slice_positions_mm))))}


def study_header(study: Study, digest: str) -> Any:
    """Patient (C.7.1.1), study (C.7.2.1, C.7.2.2), equipment (C.7.5.1) and frame of reference (C.7.4.1).

    The identity is made up from the digest of the content and says that it is synthetic.
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


def series_header(cine: Cine, facts: SeriesFacts) -> dict[str, Any]:
    """Series (C.7.3.1) and acquisition facts of all images of a series."""
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


def window(array: NDArray[np.float32]) -> tuple[str, str]:
    """WindowCenter and WindowWidth that show the tissue: from the 1st to the 99.5th percentile."""
    low, high = (float(value) for value in np.percentile(array[::2, ::2], (1, 99.5)))
    return decimal((low + high) / 2), decimal(max(high - low, 1.0))
