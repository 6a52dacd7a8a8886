"""What de-identification keeps of an MR image: the elements of this table, and nothing else.

A list of what is kept is stricter than PS3.15's table of what is removed: every element of table E.1-1, every private
one, every curve and overlay goes because it is not here. Text is kept only as one of the words listed for its element.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto

__all__ = ["KEPT", "WORDS", "Rule"]


class Rule(Enum):
    """How the value of a kept element is treated."""

    NUMBER = auto()
    """Kept if every value is a number."""
    WORDS = auto()
    """Kept if it is one of the words listed for the element; others become OTHER, or go."""
    CLASS = auto()
    """A UID of the standard, such as a SOP class: kept."""
    UID = auto()
    """Replaced, the same by the same."""
    TIME = auto()
    """Time of day, shifted by the same amount in the whole study."""
    DATETIME = auto()
    """Date and time, shifted likewise."""
    AGE = auto()
    """Kept up to 89 years, above as 90."""
    SEQUENCE = auto()
    """Kept with the kept elements of its items."""
    PIXELS = auto()
    """Kept byte by byte."""


def _of(rule: Rule, *keywords: str) -> dict[str, Rule]:
    return dict.fromkeys(keywords, rule)


KEPT: Mapping[str, Rule] = {
    **_of(Rule.CLASS, "SOPClassUID", "DimensionIndexPointer", "FunctionalGroupPointer"),
    **_of(Rule.UID, "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID"),
    **_of(Rule.UID, "DimensionOrganizationUID", "ConcatenationUID"),
    **_of(Rule.TIME, "StudyTime", "SeriesTime", "AcquisitionTime", "ContentTime"),
    **_of(Rule.DATETIME, "FrameAcquisitionDateTime", "FrameReferenceDateTime", "AcquisitionDateTime"),
    **_of(Rule.AGE, "PatientAge"),
    **_of(Rule.NUMBER, "PatientSize", "PatientWeight"),
    **_of(Rule.NUMBER, "SeriesNumber", "InstanceNumber", "AcquisitionNumber", "NumberOfFrames"),
    # geometry
    **_of(Rule.NUMBER, "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness"),
    **_of(Rule.NUMBER, "SpacingBetweenSlices", "SliceLocation", "InStackPositionNumber", "DimensionIndexValues"),
    # time within the beat
    **_of(Rule.NUMBER, "TriggerTime", "NominalInterval", "HeartRate", "CardiacNumberOfImages", "FrameTime"),
    **_of(Rule.NUMBER, "TemporalPositionIdentifier", "TemporalPositionIndex", "NumberOfTemporalPositions"),
    **_of(Rule.NUMBER, "LowRRValue", "HighRRValue", "IntervalsAcquired", "IntervalsRejected"),
    **_of(Rule.NUMBER, "NominalCardiacTriggerDelayTime", "ActualCardiacTriggerDelayTime", "RRIntervalTimeNominal"),
    **_of(Rule.NUMBER, "NominalPercentageOfCardiacPhase", "TemporalResolution", "FrameAcquisitionNumber"),
    # acquisition
    **_of(Rule.NUMBER, "RepetitionTime", "EchoTime", "EffectiveEchoTime", "InversionTime", "EchoTrainLength"),
    **_of(Rule.NUMBER, "FlipAngle", "MagneticFieldStrength", "NumberOfAverages", "PixelBandwidth", "EchoNumbers"),
    **_of(Rule.NUMBER, "AcquisitionMatrix", "PercentSampling", "PercentPhaseFieldOfView", "ImagingFrequency"),
    # pixels
    **_of(Rule.NUMBER, "Rows", "Columns", "SamplesPerPixel", "BitsAllocated", "BitsStored", "HighBit"),
    **_of(Rule.NUMBER, "PixelRepresentation", "PlanarConfiguration", "SmallestImagePixelValue"),
    **_of(Rule.NUMBER, "LargestImagePixelValue", "RescaleSlope", "RescaleIntercept", "WindowCenter", "WindowWidth"),
    **_of(Rule.PIXELS, "PixelData", "ExtendedOffsetTable", "ExtendedOffsetTableLengths"),
    # multi-frame objects
    **_of(Rule.SEQUENCE, "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"),
    **_of(Rule.SEQUENCE, "DimensionOrganizationSequence", "DimensionIndexSequence", "FrameContentSequence"),
    **_of(Rule.SEQUENCE, "PlanePositionSequence", "PlaneOrientationSequence", "PixelMeasuresSequence"),
    **_of(Rule.SEQUENCE, "PixelValueTransformationSequence", "FrameVOILUTSequence", "CardiacSynchronizationSequence"),
    **_of(Rule.SEQUENCE, "MRImageFrameTypeSequence", "MREchoSequence", "MRTimingAndRelatedParametersSequence"),
}
"""Keyword -> rule. Elements of `WORDS` are kept too; patient name and ID, dates and descriptions are written anew."""


def _words(text: str) -> frozenset[str]:
    """Return words separated by spaces; an underscore pair stands for a space within one."""
    return frozenset(word.replace("__", " ") for word in text.split())


_FRAME_TYPE = _words(
    "ORIGINAL DERIVED PRIMARY SECONDARY M ND NORM DIS2D DIS3D RETRO CINE FFE MAGNITUDE M_FFE T1 T2 CARDIAC_GATED"
    " NONE OTHER LOCALIZER P PHASE R I REAL IMAGINARY VELOCITY FLOW_ENCODED PCA M_PCA PHASE_CONTRAST MPR MIP FM FIL"
    " MOCO RESULT STDDEV PHASE__MAP VELOCITY__MAP PROJECTION__IMAGE CSA__MPR T1__MAP T2__MAP T2_STAR__MAP ECV__MAP"
)

WORDS: Mapping[str, frozenset[str]] = {
    "Modality": frozenset({"MR"}),
    "Manufacturer": _words(
        "SIEMENS SIEMENS__HEALTHINEERS GE__MEDICAL__SYSTEMS PHILIPS PHILIPS__MEDICAL__SYSTEMS PHILIPS__HEALTHCARE CANON"
        " CANON_MEC TOSHIBA TOSHIBA_MEC UIH HITACHI CINEMA"
    ),
    "PatientSex": frozenset("FMO"),
    "ImageType": _FRAME_TYPE,
    "FrameType": _FRAME_TYPE,
    "ComplexImageComponent": _words("MAGNITUDE PHASE REAL IMAGINARY MIXED"),
    "PixelPresentation": _words("MONOCHROME COLOR MIXED"),
    "VolumetricProperties": _words("VOLUME SAMPLED DISTORTED MIXED"),
    "VolumeBasedCalculationTechnique": frozenset({"NONE"}),
    "AcquisitionContrast": frozenset(
        ["UNKNOWN", "T1", "T2", "T2_STAR", "PROTON_DENSITY", "FLOW_ENCODED", "TAGGING", "MIXED"]
    ),
    "PhaseContrast": frozenset({"YES", "NO"}),
    "ScanningSequence": _words("SE IR GR EP RM"),
    "SequenceVariant": _words("SK MTC SS TRSS SP MP OSP NONE"),
    "ScanOptions": _words("PER RG CG PPG FC PFF PFP SP FS"),
    "MRAcquisitionType": frozenset({"2D", "3D"}),
    "PhotometricInterpretation": frozenset(
        ["MONOCHROME1", "MONOCHROME2", "RGB", "YBR_FULL", "YBR_FULL_422", "PALETTE"]
    ),
    "LossyImageCompression": frozenset({"00", "01"}),
    "PatientPosition": _words("HFS HFP HFDR HFDL FFS FFP FFDR FFDL"),
    "BodyPartExamined": frozenset({"HEART", "CHEST"}),
    "InPlanePhaseEncodingDirection": frozenset({"ROW", "COL", "COLUMN", "OTHER"}),
    "BurnedInAnnotation": frozenset({"YES", "NO"}),
    "RescaleType": frozenset({"US"}),
    "ContentQualification": _words("RESEARCH PRODUCT SERVICE"),
    "ApplicableSafetyStandardAgency": frozenset({"IEC"}),
    "PresentationLUTShape": frozenset({"IDENTITY", "INVERSE"}),
    "StackID": frozenset(map(str, range(1, 100))),
    "BeatRejectionFlag": frozenset({"Y", "N"}),
}
"""Keyword of a text element -> the words that are kept of it."""
