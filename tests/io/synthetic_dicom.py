"""Small synthetic DICOM: single images, stacks and enhanced objects, and a beating heart to fill them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence as DicomSequence
from pydicom.uid import UID, EnhancedMRImageStorage, ExplicitVRLittleEndian, MRImageStorage, generate_uid

from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import View
from cinema_cmr.io.dicom.files import quiet_pydicom

Array = NDArray[np.float64]

OBLIQUE = (0.792, 0.0, 0.6105, 0.3777, 0.7856, -0.4901)
"""Row and column direction (LPS) of a usual short-axis plane."""


def new_image(pixels: NDArray[Any], **tags: Any) -> Dataset:
    """An MR image (rows, columns) with all that a cine frame needs; `tags` override or add, None deletes."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    facts = {
        "SOPClassUID": MRImageStorage,
        "SOPInstanceUID": generate_uid(),
        "StudyInstanceUID": "1.2.3",
        "SeriesInstanceUID": f"1.2.3.{tags.get('SeriesNumber', 1)}",
        "Modality": "MR",
        "ImageType": ["ORIGINAL", "PRIMARY", "M"],
        "PatientName": "Secret^Person",
        "PatientID": "secret-id",
        "SeriesNumber": 1,
        "InstanceNumber": 1,
        "ImagePositionPatient": [0.0, 0.0, 0.0],
        "ImageOrientationPatient": list(OBLIQUE),
        "PixelSpacing": [1.5, 1.5],
        "SliceThickness": 8.0,
        **pixel_facts(pixels),
        **tags,
    }
    # Quiet: some tests need values that are against the standard.
    with quiet_pydicom():
        for keyword, value in facts.items():
            if value is not None:
                setattr(dataset, keyword, value)
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.get("SOPInstanceUID", generate_uid())
    return dataset


def pixel_facts(pixels: NDArray[Any]) -> dict[str, Any]:
    """The pixel module for an array of (rows, columns) or (frames, rows, columns), by its dtype."""
    bits = pixels.dtype.itemsize * 8
    return {
        "Rows": pixels.shape[-2],
        "Columns": pixels.shape[-1],
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "BitsAllocated": bits,
        "BitsStored": bits,
        "HighBit": bits - 1,
        "PixelRepresentation": int(pixels.dtype.kind == "i"),
        "PixelData": pixels.tobytes() + b"\0" * (pixels.nbytes % 2),
    }


def save(dataset: Dataset, path: Path) -> Path:
    """Writes a dataset as a DICOM file, folders included."""
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path, enforce_file_format=True)
    return path


@dataclass(frozen=True, kw_only=True)
class Plane:
    """An image plane: centre (LPS mm), orientation, and the grid of its images."""

    centre: tuple[float, float, float]
    orientation: tuple[float, ...] = OBLIQUE
    shape: tuple[int, int] = (64, 64)
    """Rows, columns."""
    spacing: float = 3.0

    @property
    def row(self) -> Array:
        return np.array(self.orientation[:3])

    @property
    def column(self) -> Array:
        return np.array(self.orientation[3:])

    @property
    def normal(self) -> Array:
        return np.cross(self.row, self.column)

    @property
    def position(self) -> Array:
        """Centre of the first pixel."""
        rows, columns = self.shape
        half = self.row * (columns - 1) / 2 + self.column * (rows - 1) / 2
        return np.array(self.centre) - self.spacing * half

    def points(self) -> Array:
        """(rows, columns, 3) LPS mm of all pixels."""
        i, j = np.meshgrid(np.arange(self.shape[0]), np.arange(self.shape[1]), indexing="ij")
        return self.position + self.spacing * (i[..., None] * self.column + j[..., None] * self.row)

    def moved(self, along_normal_mm: float, *, beside_mm: float = 0.0) -> Plane:
        centre = np.array(self.centre) + along_normal_mm * self.normal + beside_mm * self.row
        return Plane(
            centre=(float(centre[0]), float(centre[1]), float(centre[2])),
            orientation=self.orientation,
            shape=self.shape,
            spacing=self.spacing,
        )


@dataclass(frozen=True, kw_only=True)
class Heart:
    """A left ventricle as a shrinking ellipsoid of blood in muscle, in LPS mm."""

    centre: tuple[float, float, float] = (30.0, -20.0, -10.0)
    axis: tuple[float, float, float] = (0.57, -0.62, -0.53)
    """Base to apex (LPS): left, to the front, down."""

    def image(self, plane: Plane, phase: float) -> NDArray[np.uint16]:
        """(rows, columns) at a phase of the cycle, 0 to 1; end of systole at 0.4."""
        axis = np.array(self.axis) / np.linalg.norm(self.axis)
        offset = plane.points() - np.array(self.centre)
        along = offset @ axis
        across = np.linalg.norm(offset - along[..., None] * axis, axis=-1)
        contraction = 0.5 * (1 - np.cos(2 * np.pi * min(phase / 0.8, 1.0)))
        radius = 24 - 8 * contraction
        inside = np.clip(1 - (along / 48) ** 2, 0, None)
        pixels = np.full(plane.shape, 300.0)
        pixels[across < 34 * np.sqrt(np.clip(1 - (along / 58) ** 2, 0, None))] = 120
        pixels[across < radius * np.sqrt(inside)] = 900
        return pixels.astype(np.uint16)


@dataclass(kw_only=True)
class StudyWriter:
    """Writes cines of a heart into a folder, one file an image, as scanners do."""

    folder: Path
    heart: Heart = field(default_factory=Heart)
    count: int = 0

    def add(
        self,
        planes: Sequence[Plane],
        *,
        series: int,
        n_frames: int = 12,
        rr_ms: float = 900.0,
        skip: Sequence[tuple[int, int]] = (),
        **tags: Any,
    ) -> list[Path]:
        """One series of planes x frames, numbered slice by slice; `skip` leaves out (slice, frame)."""
        paths = []
        for k, plane in enumerate(planes):
            for t in range(n_frames):
                if (k, t) in skip:
                    continue
                facts = {
                    "SeriesNumber": series,
                    "InstanceNumber": k * n_frames + t + 1,
                    "ImagePositionPatient": plane.position.round(5).tolist(),
                    "ImageOrientationPatient": list(plane.orientation),
                    "PixelSpacing": [plane.spacing, plane.spacing],
                    "TriggerTime": round(t * rr_ms / n_frames, 2),
                    "NominalInterval": rr_ms,
                    **tags,
                }
                self.count += 1
                pixels = self.heart.image(plane, t / n_frames)
                # Names that tell nothing about order, as exports give.
                name = f"se{series}/{(self.count * 7919) % 100003:06d}.dcm"
                paths.append(save(new_image(pixels, **facts), self.folder / name))
        return paths


def short_axis_planes(heart: Heart, *, n: int = 6, gap_mm: float = 10.0, turned_deg: float = 0.0) -> list[Plane]:
    """Parallel planes across the heart's axis, about its centre, ascending along their normal."""
    axis = np.array(heart.axis) / np.linalg.norm(heart.axis)
    row = _across(axis, turned_deg)
    column = np.cross(-axis, row)
    plane = Plane(centre=heart.centre, orientation=(*row.tolist(), *column.tolist()))
    return [plane.moved((k - (n - 1) / 2) * gap_mm) for k in range(n)]


def long_axis_plane(heart: Heart, rotation_deg: float, *, beside_mm: float = 0.0) -> Plane:
    """The plane that holds the axis, turned about it: 0 to the right and front, growing towards anterior."""
    axis = np.array(heart.axis) / np.linalg.norm(heart.axis)
    across = _across(axis, rotation_deg)
    normal = np.cross(across, axis)
    centre = np.array(heart.centre) + beside_mm * normal
    return Plane(
        centre=(float(centre[0]), float(centre[1]), float(centre[2])),
        orientation=(*across.tolist(), *axis.tolist()),
    )


def _across(axis: Array, rotation_deg: float) -> Array:
    """Unit vector across the axis: 0 to the patient's right and front, 90 to the left and head (LPS)."""
    towards_rv = np.array([-1.0, -1.0, 0.0])
    towards_rv -= (towards_rv @ axis) * axis
    towards_rv /= np.linalg.norm(towards_rv)
    anterior = np.cross(towards_rv, axis)
    angle = np.radians(rotation_deg)
    return np.cos(angle) * towards_rv + np.sin(angle) * anterior


def enhanced(
    planes: Sequence[Plane],
    heart: Heart,
    *,
    n_frames: int = 10,
    time: str = "trigger",
    per_frame_slope: bool = False,
) -> Dataset:
    """An enhanced multi-frame object, time fastest; `time` is "trigger", "temporal" or "dimension"."""
    places = [(plane, t) for plane in planes for t in range(n_frames)]
    pixels = np.stack([heart.image(plane, t / n_frames) for plane, t in places])
    dataset = new_image(pixels, SOPClassUID=UID(EnhancedMRImageStorage), ImagePositionPatient=None, SliceThickness=None)
    for keyword in ("ImageOrientationPatient", "PixelSpacing"):
        delattr(dataset, keyword)
    dataset.NumberOfFrames = len(places)
    measures = Dataset()
    measures.PixelSpacing = [planes[0].spacing] * 2
    measures.SliceThickness = 8.0
    turned = Dataset()
    turned.ImageOrientationPatient = list(planes[0].orientation)
    shared = Dataset()
    shared.PixelMeasuresSequence = DicomSequence([measures])
    shared.PlaneOrientationSequence = DicomSequence([turned])
    dataset.SharedFunctionalGroupsSequence = DicomSequence([shared])
    if time == "dimension":
        dataset.DimensionIndexSequence = DicomSequence([_pointer(0x00209056), _pointer(0x00209128)])
    groups = [_group(plane, k, t, n_frames, time) for k, plane in enumerate(planes) for t in range(n_frames)]
    if per_frame_slope:
        for k, group in enumerate(groups):
            group.PixelValueTransformationSequence = DicomSequence([_rescale(float(1 + k % 2))])
    dataset.PerFrameFunctionalGroupsSequence = DicomSequence(groups)
    return dataset


def _pointer(tag: int) -> Dataset:
    item = Dataset()
    item.DimensionIndexPointer = tag
    return item


def _rescale(slope: float) -> Dataset:
    item = Dataset()
    item.RescaleSlope, item.RescaleIntercept, item.RescaleType = slope, 0.0, "US"
    return item


def _group(plane: Plane, k: int, t: int, n_frames: int, time: str) -> Dataset:
    where, content, cardiac = Dataset(), Dataset(), Dataset()
    where.ImagePositionPatient = plane.position.round(5).tolist()
    content.StackID = "1"
    content.InStackPositionNumber = k + 1
    cardiac.RRIntervalTimeNominal = 800.0
    if time == "trigger":
        cardiac.NominalCardiacTriggerDelayTime = t * 800.0 / n_frames
    elif time == "temporal":
        content.TemporalPositionIndex = t + 1
    else:
        content.DimensionIndexValues = [k + 1, t + 1]
    group = Dataset()
    group.PlanePositionSequence = DicomSequence([where])
    group.FrameContentSequence = DicomSequence([content])
    group.CardiacSynchronizationSequence = DicomSequence([cardiac])
    return group


def all_files(folder: Path) -> Iterator[Path]:
    """Every file below a folder."""
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


HEART = Heart()


def codes(study: Study) -> list[str]:
    return [issue.code for issue in study.issues if issue.code != "rr-interval"]


def decided(study: Study) -> dict[str, tuple[View | None, bool]]:
    return {one.series: (one.view, one.kept) for one in study.decisions}


def written_stack(folder: Path, *, n: int = 6, n_frames: int = 12) -> list[Plane]:
    planes = short_axis_planes(HEART, n=n)
    StudyWriter(folder=folder).add(planes, series=3, n_frames=n_frames)
    return planes


def expected_array(planes: list[Plane], n_frames: int) -> np.ndarray:
    slices = [np.stack([HEART.image(p, t / n_frames).T for t in range(n_frames)], axis=-1) for p in planes]
    return np.stack(slices, axis=2).astype(np.float32)
