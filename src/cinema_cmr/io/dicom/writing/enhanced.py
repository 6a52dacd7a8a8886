"""One enhanced MR object for all frames of a cine: shared and per-frame functional groups.

Written as DERIVED: an ORIGINAL object must describe its pulse sequence (PS3.3 C.8.13), and these images have none.
"""

from __future__ import annotations

from typing import Any

from cinema_cmr.core.volume import Cine
from cinema_cmr.io.dicom.writing.attributes import ImagePlanes, decimal, display_window, slice_step
from cinema_cmr.io.dicom.writing.identifiers import uid_from
from cinema_cmr.io.quantise import QuantisedArray

__all__ = ["enhanced_elements"]

_FRAME_TYPE = ["DERIVED", "PRIMARY", "CARDIAC_GATED", "NONE"]
_KIND = {
    "PixelPresentation": "MONOCHROME",
    "VolumetricProperties": "VOLUME",
    "VolumeBasedCalculationTechnique": "NONE",
    "ComplexImageComponent": "MAGNITUDE",
    "AcquisitionContrast": "UNKNOWN",
}
"""PS3.3 C.8.16.2 and C.8.13.3.1, for the object and for each frame."""
_FRAME_CONTENT, _STACK, _PLACE, _TIME = 0x00209111, 0x00209056, 0x00209057, 0x00209128


def enhanced_elements(cine: Cine, planes: ImagePlanes, quantised: QuantisedArray) -> dict[str, object]:
    """Return the elements of an enhanced MR object (PS3.3 A.36.2) except its pixels.

    Time varies fastest, then slice.
    """
    organisation = uid_from("dimension organisation of cines: stack, place, time")
    pointers = [_pointer(tag, organisation) for tag in (_STACK, _PLACE, _TIME)]
    return {
        "ImageType": _FRAME_TYPE,
        **_KIND,
        # Required, although no energy was emitted.
        "ApplicableSafetyStandardAgency": "IEC",
        "DeviceSerialNumber": "0",
        "SoftwareVersions": "1",
        "ContentQualification": "RESEARCH",
        "LossyImageCompression": "00",
        "PresentationLUTShape": "IDENTITY",
        "NumberOfFrames": cine.n_slices * cine.n_frames,
        "AcquisitionContextSequence": [],
        "DimensionOrganizationSequence": [_item(DimensionOrganizationUID=organisation)],
        "DimensionIndexSequence": pointers,
        "SharedFunctionalGroupsSequence": [_shared_group(cine, planes, quantised)],
        "PerFrameFunctionalGroupsSequence": [
            _frame_group(cine, planes, k, t) for k in range(cine.n_slices) for t in range(cine.n_frames)
        ],
    }


def _item(**elements: Any) -> Any:
    from pydicom.dataset import Dataset

    item = Dataset()
    for keyword, value in elements.items():
        setattr(item, keyword, value)
    return item


def _pointer(tag: int, organisation: str) -> Any:
    return _item(
        DimensionIndexPointer=tag,
        FunctionalGroupPointer=_FRAME_CONTENT,
        DimensionOrganizationUID=organisation,
    )


def _shared_group(cine: Cine, planes: ImagePlanes, quantised: QuantisedArray) -> Any:
    """Return the functional groups shared by all frames: pixel size, orientation, intensity scaling, anatomy."""
    measures = _item(PixelSpacing=planes.spacing, **slice_step(cine))
    if cine.slice_thickness_mm is not None:
        measures.SliceThickness = decimal(cine.slice_thickness_mm)
    slope, intercept = decimal(quantised.slope), decimal(quantised.intercept)
    scaling = _item(RescaleIntercept=intercept, RescaleSlope=slope, RescaleType="US")
    heart = _item(CodeValue="80891009", CodingSchemeDesignator="SCT", CodeMeaning="Heart")
    centre, width = display_window(cine.array)
    return _item(
        PixelMeasuresSequence=[measures],
        PlaneOrientationSequence=[_item(ImageOrientationPatient=planes.orientation)],
        PixelValueTransformationSequence=[scaling],
        FrameVOILUTSequence=[_item(WindowCenter=centre, WindowWidth=width)],
        FrameAnatomySequence=[_item(FrameLaterality="U", AnatomicRegionSequence=[heart])],
        MRImageFrameTypeSequence=[_item(FrameType=_FRAME_TYPE, **_KIND)],
    )


def _frame_group(cine: Cine, planes: ImagePlanes, k: int, t: int) -> Any:
    """Return slice and time of one frame; the time in the cycle only if it is known."""
    content = _item(
        StackID="1",
        InStackPositionNumber=k + 1,
        TemporalPositionIndex=t + 1,
        DimensionIndexValues=[1, k + 1, t + 1],
    )
    group = _item(
        FrameContentSequence=[content],
        PlanePositionSequence=[_item(ImagePositionPatient=planes.position(k))],
    )
    if cine.frame_times_ms is not None:
        cardiac = _item(NominalCardiacTriggerDelayTime=float(cine.frame_times_ms[t]))
        if cine.rr_interval_ms is not None:
            cardiac.RRIntervalTimeNominal = float(cine.rr_interval_ms)
            cardiac.NominalPercentageOfCardiacPhase = 100 * float(cine.frame_times_ms[t] / cine.rr_interval_ms)
        group.CardiacSynchronizationSequence = [cardiac]
    return group
