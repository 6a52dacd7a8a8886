"""Structured report of the measurements: DICOM Comprehensive SR, Measurement Report (PS3.16 TID 1500).

A group of TID 1411 for each structure and phase that a segmentation shows, with its tracking identifiers; groups of TID
1501 for what no single mask shows: function of a ventricle, wall segments, mitral motion. Flags are text. highdicom
builds the content. The document is partial and unverified, and marked as for research use.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from cinema_cmr.core.results import Flag
from cinema_cmr.core.vocabulary import NOTICE
from cinema_cmr.interop.concepts import (
    ANATOMICAL_STRUCTURE,
    BODY_SURFACE_AREA,
    CARDIAC_MRI,
    CINE_SEGMENTS,
    HEART,
    LEFT_VENTRICLE,
    RIGHT_VENTRICLE,
    Concept,
)
from cinema_cmr.interop.correction_notes import correction_notes
from cinema_cmr.interop.dicom_object import (
    MANUFACTURER,
    MODEL,
    ObjectContext,
    SeriesIdentity,
    item,
    new_object,
    reference_sequences,
)
from cinema_cmr.interop.measurement_codes import (
    CYCLE_POINT,
    INDEX,
    PAPILLARY_MUSCLE,
    CodedMeasurement,
    coded_measurements,
    uncoded_measurements,
)
from cinema_cmr.io.dicom.writing.identifiers import uid_from

if TYPE_CHECKING:
    from highdicom.sr import (
        AlgorithmIdentification,
        Measurement,
        MeasurementReport,
        MeasurementsAndQualitativeEvaluations,
        ObservationContext,
        VolumetricROIMeasurementsAndQualitativeEvaluations,
    )
    from pydicom.dataset import Dataset

    Group: TypeAlias = VolumetricROIMeasurementsAndQualitativeEvaluations | MeasurementsAndQualitativeEvaluations

__all__ = ["SegmentationReference", "report_object"]

_COMPREHENSIVE_SR = "1.2.840.10008.5.1.4.1.1.88.33"
_EQUATION = Concept("121421", "DCM", "Equation Citation")
_COMMENT = Concept("121106", "DCM", "Comment")
_QUALITY = Concept("111052", "DCM", "Quality Finding")
_REPORT = Concept("126000", "DCM", "Imaging Measurement Report")
_ENGLISH = Concept("en-US", "RFC5646", "English (United States)")
_TITLES = {LEFT_VENTRICLE: "LV function", RIGHT_VENTRICLE: "RV function", HEART: "subject"}


@dataclass(frozen=True, kw_only=True)
class SegmentationReference:
    """A written segmentation of one frame of the stack."""

    frame: int
    dataset: Dataset

    def segment(self, label: str) -> int | None:
        """Return the number of the segment with a label; None if the view has none."""
        numbers = (int(one.SegmentNumber) for one in self.dataset.SegmentSequence if one.SegmentLabel == label)
        return next(numbers, None)


def report_object(
    context: ObjectContext, segmentations: Sequence[SegmentationReference], *, series_number: int
) -> Dataset | None:
    """Return the structured report of an analysis, None if nothing was measured; `segmentations` are of its stack."""
    by_frame = {one.frame: one for one in segmentations}
    groups = [*_measurement_groups(context, by_frame), *_text_groups(context)]
    if not groups:
        return None
    series = SeriesIdentity(
        uid=context.uid("series", "SR"),
        number=series_number,
        modality="SR",
        description=f"CineMA {'corrected ' if correction_notes(context.analysis) else ''}measurements - research only",
    )
    dataset = new_object(context, series, sop_class=_COMPREHENSIVE_SR, instance=1)
    dataset.update(_content(context, groups)[0])
    dataset.update(
        item(
            CompletionFlag="PARTIAL",
            CompletionFlagDescription="for research use only",
            VerificationFlag="UNVERIFIED",
            PreliminaryFlag="PRELIMINARY",
            ReferencedPerformedProcedureStepSequence=[],
            PerformedProcedureCodeSequence=[],
        )
    )
    dataset.update(_evidence(context, dataset, segmentations))
    return dataset


def _content(context: ObjectContext, groups: Sequence[Group]) -> MeasurementReport:
    from highdicom.sr import (
        LanguageOfContentItemAndDescendants,
        MeasurementReport,
        RelationshipTypeValues,
        TextContentItem,
    )

    report = MeasurementReport(
        observation_context=_observer(context),
        procedure_reported=CARDIAC_MRI.coded(),
        imaging_measurements=groups,
        title=_REPORT.coded(),
        language_of_content_item_and_descendants=LanguageOfContentItemAndDescendants(language=_ENGLISH.coded()),
    )
    notice = TextContentItem(name=_COMMENT.coded(), value=NOTICE, relationship_type=RelationshipTypeValues.CONTAINS)
    report[0].ContentSequence.append(notice)
    return report


def _observer(context: ObjectContext) -> ObservationContext:
    """Return the program as observer: TID 1002 and 1004."""
    from highdicom.sr import DeviceObserverIdentifyingAttributes, ObservationContext, ObserverContext

    device = DeviceObserverIdentifyingAttributes(
        uid=uid_from("cinema_cmr", "device", context.run.package_version or "unknown"),
        name="cinema-cmr",
        manufacturer_name=MANUFACTURER,
        model_name=MODEL,
        serial_number=(context.run.model_hash or "no weights")[:16],
    )
    observer_type = Concept("121007", "DCM", "Device").coded()
    return ObservationContext(
        observer_device_context=ObserverContext(observer_type=observer_type, observer_identifying_attributes=device)
    )


def _measurement_groups(context: ObjectContext, segmentations: Mapping[int, SegmentationReference]) -> list[Group]:
    """Return the groups in the order of the measurements: by structure and phase, or by finding site."""
    of_masks: dict[tuple[str, int], list[CodedMeasurement]] = defaultdict(list)
    of_sites: dict[Concept, list[CodedMeasurement]] = defaultdict(list)
    for one in coded_measurements(context.analysis.measurements.measured):
        structure, frames = one.code.structure, one.measurement.frames
        if structure is not None and len(frames) == 1 and frames[0] in segmentations:
            of_masks[structure, frames[0]].append(one)
        else:
            of_sites[_group_site(one)].append(one)
    masks = (
        _mask_group(context, structure, segmentations[frame], found) for (structure, frame), found in of_masks.items()
    )
    return [*masks, *(_site_group(context, site, found) for site, found in of_sites.items())]


def _group_site(one: CodedMeasurement) -> Concept:
    """Return the site that a group is of: subject data stand together, whatever their site."""
    return HEART if one.code.concept == BODY_SURFACE_AREA else one.code.site


def _mask_group(
    context: ObjectContext, structure: str, segmentation: SegmentationReference, found: Sequence[CodedMeasurement]
) -> VolumetricROIMeasurementsAndQualitativeEvaluations:
    from highdicom.sr import (
        FindingSite,
        ReferencedSegment,
        SourceImageForSegmentation,
        TrackingIdentifier,
        VolumetricROIMeasurementsAndQualitativeEvaluations,
    )

    concept, dataset = CINE_SEGMENTS[structure], segmentation.dataset
    number = segmentation.segment(concept.label)
    if number is None:
        raise RuntimeError(f"the segmentation of frame {segmentation.frame} has no segment '{concept.label}'")
    identifier, uid = context.tracking(concept.label)
    images = [
        SourceImageForSegmentation(
            referenced_sop_class_uid=str(source.ReferencedSOPClassUID),
            referenced_sop_instance_uid=str(source.ReferencedSOPInstanceUID),
            referenced_frame_numbers=[source.ReferencedFrameNumber] if "ReferencedFrameNumber" in source else None,
        )
        for source in _segment_sources(dataset, number)
    ]
    return VolumetricROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(uid=uid, identifier=identifier),
        referenced_segment=ReferencedSegment(
            sop_class_uid=dataset.SOPClassUID,
            sop_instance_uid=dataset.SOPInstanceUID,
            segment_number=number,
            source_images=images,
        ),
        finding_category=ANATOMICAL_STRUCTURE.coded(),
        finding_type=concept.type.coded(),
        finding_sites=[FindingSite(anatomic_location=HEART.coded())],
        algorithm_id=_algorithm(context),
        measurements=[_measurement(one) for one in found],
    )


def _segment_sources(dataset: Dataset, number: int) -> list[Dataset]:
    """Return the source image of each frame of a segment."""
    groups = dataset.PerFrameFunctionalGroupsSequence
    own = (group for group in groups if group.SegmentIdentificationSequence[0].ReferencedSegmentNumber == number)
    return [image for group in own for one in group.DerivationImageSequence for image in one.SourceImageSequence]


def _site_group(
    context: ObjectContext, site: Concept, found: Sequence[CodedMeasurement]
) -> MeasurementsAndQualitativeEvaluations:
    from highdicom.sr import FindingSite, MeasurementsAndQualitativeEvaluations, TrackingIdentifier

    name = _TITLES.get(site, site.meaning)
    return MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(uid=context.uid("tracking", "site", *site), identifier=f"CineMA {name}"),
        finding_type=site.coded(),
        finding_sites=[FindingSite(anatomic_location=site.coded())],
        algorithm_id=_algorithm(context),
        measurements=[_measurement(one) for one in found],
    )


def _algorithm(context: ObjectContext) -> AlgorithmIdentification:
    from highdicom.sr import AlgorithmIdentification

    run = context.run
    parameters = [f"model {run.model_name}", f"weights SHA-256 {run.model_hash or 'none'}"]
    parameters += [f"inference {run.inference_settings}"] if run.inference_settings else []
    return AlgorithmIdentification(
        name="cinema-cmr", version=run.package_version or "unknown", parameters=parameters, manufacturer=MANUFACTURER
    )


def _measurement(one: CodedMeasurement) -> Measurement:
    """Return a number with its code, unit, method, site, phase, modifiers, and its rule as citation."""
    from highdicom.sr import CodeContentItem, FindingSite, Measurement, RelationshipTypeValues, TextContentItem

    code = one.code
    measured = Measurement(
        name=code.concept.coded(),
        value=one.value,
        unit=one.unit.coded(),
        method=one.method.coded() if one.method else None,
        derivation=code.derivation.coded() if code.derivation else None,
        finding_sites=[FindingSite(anatomic_location=code.site.coded())],
    )
    modifiers = [(CYCLE_POINT, code.phase), (INDEX, BODY_SURFACE_AREA if code.indexed else None)]
    modifiers.append((PAPILLARY_MUSCLE, code.papillary))
    children = measured[0].ContentSequence
    for name, value in modifiers:
        if value is not None:
            children.append(
                CodeContentItem(name.coded(), value.coded(), relationship_type=RelationshipTypeValues.HAS_CONCEPT_MOD)
            )
    children.append(
        TextContentItem(_EQUATION.coded(), one.explanation, relationship_type=RelationshipTypeValues.INFERRED_FROM)
    )
    return measured


def _text_groups(context: ObjectContext) -> list[MeasurementsAndQualitativeEvaluations]:
    """Return groups of text, where there is any: values that have no code, flags, and what a reader corrected."""
    measurements = context.analysis.measurements
    values = [
        f"{one.title}: {one.value:.6g} {one.unit} ({one.method}; {one.rule})"
        for one in uncoded_measurements(measurements.measured)
    ]
    return [
        *_text_group(context, "values without a code", _COMMENT, values),
        *_text_group(context, "quality flags", _QUALITY, [_flag_text(flag) for flag in measurements.flags]),
        *_text_group(context, "corrections", _COMMENT, correction_notes(context.analysis)),
    ]


def _text_group(
    context: ObjectContext, title: str, name: Concept, texts: Sequence[str]
) -> list[MeasurementsAndQualitativeEvaluations]:
    from highdicom.sr import (
        MeasurementsAndQualitativeEvaluations,
        RelationshipTypeValues,
        TextContentItem,
        TrackingIdentifier,
    )

    if not texts:
        return []
    identifier = TrackingIdentifier(uid=context.uid("tracking", title), identifier=f"CineMA {title}")
    group = MeasurementsAndQualitativeEvaluations(tracking_identifier=identifier, finding_type=name.coded())
    for text in texts:
        line = TextContentItem(name.coded(), text, relationship_type=RelationshipTypeValues.CONTAINS)
        group[0].ContentSequence.append(line)
    return [group]


def _flag_text(flag: Flag) -> str:
    return f"{flag.severity}: {flag.code}: {flag.message}"


def _evidence(context: ObjectContext, dataset: Dataset, segmentations: Sequence[SegmentationReference]) -> Dataset:
    """Return the evidence of the report: every image and segmentation that its content refers to."""
    referenced = set(_referenced_instances(dataset.ContentSequence))
    images = [uid for uid in context.files.headers if uid in referenced]
    sequences = reference_sequences(context.files, images)
    own = [_evidence_series(series) for series in sequences.get("ReferencedSeriesSequence", ())]
    for one in segmentations:
        seg = one.dataset
        if seg.SOPInstanceUID in referenced:
            reference = item(ReferencedSOPClassUID=seg.SOPClassUID, ReferencedSOPInstanceUID=seg.SOPInstanceUID)
            own.append(item(SeriesInstanceUID=seg.SeriesInstanceUID, ReferencedSOPSequence=[reference]))
    found = (
        item(
            CurrentRequestedProcedureEvidenceSequence=[
                item(StudyInstanceUID=context.files.study_uid, ReferencedSeriesSequence=own)
            ]
        )
        if own
        else item()
    )
    others = [
        item(
            StudyInstanceUID=other.StudyInstanceUID,
            ReferencedSeriesSequence=[_evidence_series(series) for series in other.ReferencedSeriesSequence],
        )
        for other in sequences.get("StudiesContainingOtherReferencedInstancesSequence", ())
    ]
    if others:
        found.PertinentOtherEvidenceSequence = others
    return found


def _evidence_series(series: Dataset) -> Dataset:
    return item(
        SeriesInstanceUID=series.SeriesInstanceUID, ReferencedSOPSequence=list(series.ReferencedInstanceSequence)
    )


def _referenced_instances(items: Sequence[Dataset]) -> list[str]:
    found = []
    for one in items:
        found += [str(reference.ReferencedSOPInstanceUID) for reference in one.get("ReferencedSOPSequence", ())]
        found += _referenced_instances(one.get("ContentSequence", ()))
    return found
