"""DICOM segmentations (PS3.3 A.51) of one view: an object for each phase, on the true slices.

One object holds one frame of the cine and refers to the images of that frame alone: viewers show a segmentation over
every image of its place, so that an object of the whole cycle would lie over all frames. Segment numbers, tracking
identifiers and colours are the same in all phases. highdicom builds the segment descriptions; the object is assembled
here, as highdicom takes source images of one series only, and a cine's slices often come from several.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.analysis import Analysis
from cinema_cmr.core.errors import GeometryError, InputError
from cinema_cmr.core.geometry import lps_to_ras, unit
from cinema_cmr.core.sources import CineSources, SourceImage
from cinema_cmr.core.vocabulary import LabelClass, View
from cinema_cmr.core.volume import Cine
from cinema_cmr.interop.concepts import Concept, SegmentConcept, segment_concepts
from cinema_cmr.interop.correction_notes import corrected_parts, is_mask_corrected
from cinema_cmr.interop.dicom_object import (
    MANUFACTURER,
    ObjectContext,
    SeriesIdentity,
    image_reference,
    item,
    new_object,
    reference_sequences,
    short_text,
)
from cinema_cmr.interop.exported_frames import Phase

if TYPE_CHECKING:
    from highdicom import AlgorithmIdentificationSequence
    from highdicom.seg import SegmentDescription
    from pydicom.dataset import Dataset

__all__ = ["algorithm_identification", "segmentation_objects", "segments_in", "view_sources"]

_SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"
_ARTIFICIAL_INTELLIGENCE = Concept("123110", "DCM", "Artificial Intelligence")
_SEGMENTATION_DERIVATION = Concept("113076", "DCM", "Segmentation")
_SOURCE_IMAGE = Concept("121322", "DCM", "Source image for image processing operation")
_SEGMENT_NUMBER, _SEGMENT_GROUP = 0x0062000B, 0x0062000A
_POSITION, _POSITION_GROUP = 0x00200032, 0x00209113
_SAME_PLACE_MM = 0.05


@dataclass(frozen=True, kw_only=True)
class _Frame:
    """One binary frame: a segment on a slice."""

    segment: int
    """Segment number, from 1."""
    slice: int
    pixels: NDArray[np.bool_]
    """(rows, columns)."""


def view_sources(cine: Cine) -> CineSources:
    """Return the images of a cine; raises `InputError` for one that was not read from DICOM.

    Raises `GeometryError` where the cine no longer lies on the grid of its images.
    """
    if cine.sources is None:
        raise InputError(
            f"the {cine.view.title} cine was not read from DICOM; expected DICOM images to refer to: give a DICOM study"
        )
    off_mm = float(np.linalg.norm(cine.affine[:3, 3] - cine.sources.origins_mm[0]))
    if off_mm > _SAME_PLACE_MM or len(cine.sources.images) != cine.n_slices:
        raise GeometryError(
            f"the {cine.view.title} cine lies {off_mm:.2f} mm off its images; expected the grid that was read:"
            " export the analysis before changing its cines"
        )
    return cine.sources


def segments_in(labels: NDArray[np.uint8], scheme: str) -> list[tuple[LabelClass, SegmentConcept]]:
    """Return the classes that occur in any frame of a label map, in the order of their codes: segments 1, 2, ..."""
    present = set(np.unique(labels).tolist())
    return [(label, concept) for label, concept in segment_concepts(scheme).items() if label.code in present]


def segmentation_objects(
    context: ObjectContext, view: View, phases: Sequence[Phase], *, first_series: int
) -> Iterator[Dataset]:
    """Yield a segmentation of each phase of a view, every one in a series of its own, numbered from `first_series`."""
    prediction, cine = context.analysis.predictions[view], context.analysis.study[view]
    segments = segments_in(prediction.labels.array, prediction.labels.scheme)
    sources = view_sources(cine)
    for number, phase in enumerate(phases, first_series):
        series = SeriesIdentity(
            uid=context.uid("series", "SEG", view, phase.frame),
            number=number,
            modality="SEG",
            description=f"{view.title} {phase.title}{_corrected(context.analysis, view, phase)} - research only",
        )
        mask = prediction.labels.array[..., phase.frame]
        frames = list(_frames(mask, [label.code for label, _ in segments]))
        dataset = new_object(context, series, sop_class=_SEGMENTATION, instance=1)
        images = [row[phase.frame] for row in sources.images]
        dataset.update(_segmentation_image(context, view, phase, segments))
        dataset.update(_frame_groups(context, cine, images, frames, phase.frame))
        dataset.update(_pixels(frames, mask.shape[:2]))
        used = {frame.slice for frame in frames}
        uids = [image.instance_uid for k, image in enumerate(images) if image is not None and k in used]
        dataset.update(item(**reference_sequences(context.files, uids)))
        yield dataset


def _frames(mask: NDArray[np.uint8], codes: Sequence[int]) -> Iterator[_Frame]:
    """Yield the frames with any voxel, by segment, then slice; empty ones need not be stored."""
    for number, code in enumerate(codes, 1):
        for k in range(mask.shape[2]):
            pixels = (mask[:, :, k] == code).T
            if pixels.any():
                yield _Frame(segment=number, slice=k, pixels=pixels)


def _segmentation_image(
    context: ObjectContext, view: View, phase: Phase, segments: Sequence[tuple[LabelClass, SegmentConcept]]
) -> Dataset:
    """Return the segmentation image module (C.8.20.2), with research use in its label and description."""
    corrected = bool(corrected_parts(context.analysis, view, phase.frame))
    semiautomatic = is_mask_corrected(context.analysis, view, phase.frame)
    about = f"{'corrected ' if corrected else ''}{view.title} {phase.title}"
    return item(
        ImageType=["DERIVED", "PRIMARY"],
        ContentLabel="RESEARCH_ONLY",
        ContentDescription=short_text(f"research only, not a medical device: {about}"),
        ContentCreatorName="",
        LossyImageCompression="00",
        SegmentationType="BINARY",
        SegmentsOverlap="NO",
        FrameOfReferenceUID=context.reference_uid,
        PositionReferenceIndicator=str(context.files.first.get("PositionReferenceIndicator") or ""),
        SegmentSequence=[
            _segment(context, number, segment, corrected=semiautomatic) for number, segment in enumerate(segments, 1)
        ],
    )


def _corrected(analysis: Analysis, view: View, phase: Phase) -> str:
    """Return what a reader corrected of a phase, for a description; empty for the model's own."""
    parts = corrected_parts(analysis, view, phase.frame)
    return f" - corrected {', '.join(parts)}" if parts else ""


def _segment(
    context: ObjectContext, number: int, segment: tuple[LabelClass, SegmentConcept], *, corrected: bool
) -> SegmentDescription:
    from highdicom.color import CIELabColor
    from highdicom.seg import SegmentDescription

    label, concept = segment
    tracking_id, tracking_uid = context.tracking(concept.label)
    described = SegmentDescription(
        segment_number=number,
        segment_label=concept.label,
        segmented_property_category=concept.category.coded(),
        segmented_property_type=concept.type.coded(),
        algorithm_type="SEMIAUTOMATIC" if corrected else "AUTOMATIC",
        algorithm_identification=algorithm_identification(context),
        tracking_id=tracking_id,
        tracking_uid=tracking_uid,
        display_color=CIELabColor.from_string(label.colour),
    )
    described.SegmentDescription = short_text(concept.description)
    return described


def algorithm_identification(context: ObjectContext) -> AlgorithmIdentificationSequence:
    """Return name, version and weights of the model that predicted (PS3.3 table 10-19)."""
    from highdicom import AlgorithmIdentificationSequence

    run = context.run
    parameters = {
        "weights_sha256": run.model_hash or "none",
        "input_sha256": run.input_sha256 or "none",
        "inference": run.inference_settings or "default",
    }
    return AlgorithmIdentificationSequence(
        name=short_text(f"cinema-cmr {run.model_name}"),
        family=_ARTIFICIAL_INTELLIGENCE.coded(),
        version=run.package_version or "unknown",
        source=MANUFACTURER,
        parameters=parameters,
    )


def _frame_groups(
    context: ObjectContext,
    cine: Cine,
    images: Sequence[SourceImage | None],
    frames: Sequence[_Frame],
    cine_frame: int,
) -> Dataset:
    """Return the dimensions and functional groups: the plane of every frame, its segment and its source image."""
    organisation = context.uid("dimensions of segmentations")
    origins = lps_to_ras(view_sources(cine).origins_mm)
    used = sorted({frame.slice for frame in frames})
    shared = item(
        PixelMeasuresSequence=[_pixel_measures(cine)],
        PlaneOrientationSequence=[item(ImageOrientationPatient=_decimals(*_axes(cine)))],
    )
    per_frame = [
        item(
            FrameContentSequence=[
                item(
                    DimensionIndexValues=[frame.segment, used.index(frame.slice) + 1],
                    TemporalPositionIndex=cine_frame + 1,
                )
            ],
            PlanePositionSequence=[item(ImagePositionPatient=_decimals(origins[frame.slice]))],
            SegmentIdentificationSequence=[item(ReferencedSegmentNumber=frame.segment)],
            DerivationImageSequence=_derivation(context, images[frame.slice]),
        )
        for frame in frames
    ]
    pointers = ((_SEGMENT_NUMBER, _SEGMENT_GROUP, "Segment"), (_POSITION, _POSITION_GROUP, "Slice"))
    return item(
        DimensionOrganizationSequence=[item(DimensionOrganizationUID=organisation)],
        DimensionIndexSequence=[
            item(
                DimensionIndexPointer=tag,
                FunctionalGroupPointer=group,
                DimensionOrganizationUID=organisation,
                DimensionDescriptionLabel=label,
            )
            for tag, group, label in pointers
        ],
        SharedFunctionalGroupsSequence=[shared],
        PerFrameFunctionalGroupsSequence=per_frame,
    )


def _pixel_measures(cine: Cine) -> Dataset:
    """Return pixel size and thickness; the distance between slices only where it is the same everywhere."""
    dx, dy, dz = cine.spacing_mm
    gaps = np.diff(cine.slice_positions_mm)
    measures = item(
        PixelSpacing=_decimals(np.array([dy, dx])),
        SliceThickness=_decimals(np.array([cine.slice_thickness_mm or dz]))[0],
    )
    if len(gaps) and np.ptp(gaps) < _SAME_PLACE_MM:
        measures.SpacingBetweenSlices = _decimals(np.array([gaps.mean()]))[0]
    return measures


def _axes(cine: Cine) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the unit directions along a row and along a column, LPS."""
    affine = lps_to_ras(cine.affine)
    return unit(affine[:3, 0]), unit(affine[:3, 1])


def _decimals(*vectors: NDArray[np.float64]) -> list[str]:
    """Format numbers as decimal strings of at most 16 characters, as precise as these hold."""
    from pydicom.valuerep import format_number_as_ds

    return [format_number_as_ds(float(value) + 0.0) for value in np.concatenate(vectors)]


def _derivation(context: ObjectContext, source: SourceImage | None) -> list[Dataset]:
    """Return the reference to the very image that was segmented; empty for a frame interpolated in time."""
    if source is None:
        return []
    reference = image_reference(context.files, source)
    reference.PurposeOfReferenceCodeSequence = [_SOURCE_IMAGE.coded()]
    reference.SpatialLocationsPreserved = "NO" if source.resampled else "YES"
    return [
        item(SourceImageSequence=[reference], DerivationCodeSequence=[_SEGMENTATION_DERIVATION.coded()]),
    ]


def _pixels(frames: Sequence[_Frame], size: tuple[int, int]) -> Dataset:
    """Return the pixel module: one bit a voxel, packed over all frames without padding between them (PS3.5 8.1.1)."""
    bits = np.concatenate([frame.pixels.ravel() for frame in frames])
    packed = np.packbits(bits, bitorder="little").tobytes()
    columns, rows = size
    return item(
        NumberOfFrames=len(frames),
        Rows=rows,
        Columns=columns,
        SamplesPerPixel=1,
        PhotometricInterpretation="MONOCHROME2",
        BitsAllocated=1,
        BitsStored=1,
        HighBit=0,
        PixelRepresentation=0,
        PixelData=packed + b"\0" * (len(packed) % 2),
    )
