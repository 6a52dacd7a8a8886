"""The functional groups of an enhanced object: one frame each, numbered and placed by hand."""

from __future__ import annotations

from itertools import product

import numpy as np

from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine
from cinema_cmr.io.dicom.writing.attributes import image_planes
from cinema_cmr.io.dicom.writing.enhanced import enhanced_elements
from cinema_cmr.io.quantise import quantise

CINE = Cine(
    array=np.linspace(0, 1, 4 * 5 * 3 * 2, dtype=np.float32).reshape(4, 5, 3, 2),
    affine=np.diag([-1.5, -1.5, 8.0, 1.0]),
    view=View.SAX,
    slice_positions_mm=np.array([0.0, 8.0, 16.0]),
    frame_times_ms=np.array([0.0, 450.0]),
    rr_interval_ms=900.0,
)


def elements_of(cine: Cine) -> dict[str, object]:
    return enhanced_elements(cine, image_planes(cine), quantise(cine.array))


def test_time_varies_fastest_then_the_slice() -> None:
    elements = elements_of(CINE)
    groups = elements["PerFrameFunctionalGroupsSequence"]
    assert elements["NumberOfFrames"] == len(groups) == 6
    indices = [group.FrameContentSequence[0].DimensionIndexValues for group in groups]
    assert [list(index) for index in indices] == [[1, k, t] for k, t in product((1, 2, 3), (1, 2))]
    heights = [float(group.PlanePositionSequence[0].ImagePositionPatient[2]) for group in groups]
    assert heights == [0, 0, 8, 8, 16, 16]


def test_the_dimensions_are_stack_position_and_time() -> None:
    elements = elements_of(CINE)
    pointers = [item.DimensionIndexPointer for item in elements["DimensionIndexSequence"]]
    assert pointers == [0x00209056, 0x00209057, 0x00209128]
    organisations = {item.DimensionOrganizationUID for item in elements["DimensionIndexSequence"]}
    assert organisations == {elements["DimensionOrganizationSequence"][0].DimensionOrganizationUID}


def test_trigger_times_and_the_phase_in_percent() -> None:
    groups = elements_of(CINE)["PerFrameFunctionalGroupsSequence"]
    cardiac = [group.CardiacSynchronizationSequence[0] for group in groups[:2]]
    assert [item.NominalCardiacTriggerDelayTime for item in cardiac] == [0, 450]
    assert [item.NominalPercentageOfCardiacPhase for item in cardiac] == [0, 50]
    assert {item.RRIntervalTimeNominal for item in cardiac} == {900}


def test_unknown_times_are_absent() -> None:
    untimed = Cine(array=CINE.array, affine=CINE.affine, view=View.SAX, slice_positions_mm=CINE.slice_positions_mm)
    groups = elements_of(untimed)["PerFrameFunctionalGroupsSequence"]
    assert not any("CardiacSynchronizationSequence" in group for group in groups)


def test_the_shared_group_restores_the_intensities() -> None:
    (shared,) = elements_of(CINE)["SharedFunctionalGroupsSequence"]
    scaling = shared.PixelValueTransformationSequence[0]
    restored = quantise(CINE.array).stored * float(scaling.RescaleSlope) + float(scaling.RescaleIntercept)
    assert np.abs(restored - CINE.array).max() <= float(scaling.RescaleSlope) / 2 * 1.001
    measures = shared.PixelMeasuresSequence[0]
    assert list(measures.PixelSpacing) == [1.5, 1.5] and measures.SpacingBetweenSlices == 8
    assert "SliceThickness" not in measures
