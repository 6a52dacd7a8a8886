"""Headers become small records: numbers as stated, without names."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom.dataset import Dataset
from synthetic_dicom import Heart, enhanced, new_image, short_axis_planes

from cinema_cmr.core.errors import GeometryError
from cinema_cmr.io.dicom.header import HEADER_TAGS, FrameHeader, frame_headers

PIXELS = np.zeros((4, 6), np.uint16)


def header_of(**tags: object) -> FrameHeader:
    (header,) = frame_headers(new_image(PIXELS, **tags), file=3, series="series 1")
    return header


def test_numbers_of_a_classic_image() -> None:
    header = header_of(
        InstanceNumber=7,
        TriggerTime=123.5,
        NominalInterval=900,
        HeartRate=66,
        SpacingBetweenSlices=10,
        AcquisitionTime="120001.5",
        CardiacNumberOfImages=25,
    )
    assert (header.file, header.frame, header.series) == (3, 0, "series 1")
    assert (header.rows, header.columns) == (4, 6)
    assert (header.instance_number, header.trigger_ms, header.rr_interval_ms) == (7, 123.5, 900)
    assert (header.heart_rate_bpm, header.n_phases, header.spacing_between_mm) == (66, 25, 10)
    assert header.acquired_ms == (12 * 3600 + 1.5) * 1000


def test_implausible_rates_count_as_unknown() -> None:
    header = header_of(NominalInterval=0, HeartRate=0)
    assert header.rr_interval_ms is None and header.heart_rate_bpm is None


@pytest.mark.parametrize(
    ("tags", "said"),
    [
        ({"ImagePositionPatient": None}, "no position"),
        ({"ImageOrientationPatient": None}, "no orientation"),
        ({"PixelSpacing": None}, "no pixel spacing"),
        ({"PixelSpacing": [0, 1]}, "0 x 1 mm"),
        ({"PixelSpacing": ["nan", "1"]}, "nan x 1 mm"),
        ({"ImageOrientationPatient": [1, 0, 0, 1, 0, 0]}, "perpendicular"),
        ({"ImageOrientationPatient": [0, 0, 0, 0, 0, 0]}, "perpendicular"),
    ],
)
def test_invalid_geometry_is_refused_by_name(tags: dict[str, object], said: str) -> None:
    with pytest.raises(GeometryError, match=said):
        header_of(**tags)


def test_directions_are_made_unit_vectors() -> None:
    header = header_of(ImageOrientationPatient=[0.999, 0, 0, 0, 1.001, 0])
    assert header.orientation == (1, 0, 0, 0, 1, 0)


def test_the_patient_is_a_digest_and_names_are_never_parsed() -> None:
    header = header_of(PatientID="12345", StudyDate="20200101")
    assert "12345" not in repr(header) and "20200101" not in repr(header)
    assert header.patient == header_of(PatientID="12345").patient != header_of(PatientID="12346").patient
    assert not {"PatientName", "ReferringPhysicianName", "OperatorsName", "InstitutionName"} & set(HEADER_TAGS)


@pytest.mark.parametrize("time", ["trigger", "temporal", "dimension"])
def test_enhanced_objects_give_a_record_a_frame(time: str) -> None:
    planes = short_axis_planes(Heart(), n=2)
    headers = frame_headers(enhanced(planes, Heart(), n_frames=8, time=time), file=0, series="s")
    assert [header.frame for header in headers] == list(range(16))
    assert [header.instance_number for header in headers] == list(range(1, 17))
    for k, header in enumerate(headers):
        np.testing.assert_allclose(header.position, planes[k // 8].position, atol=1e-4)
        assert header.pixel_spacing == (3, 3) and header.thickness_mm == 8 and header.rr_interval_ms == 800
        if time == "trigger":
            assert header.trigger_ms == pytest.approx(100 * (k % 8))
        else:
            assert header.trigger_ms is None and header.temporal_index == k % 8 + 1


@pytest.mark.parametrize("time", ["trigger", "none"])
def test_private_sequences_of_a_frame_never_replace_the_shared_standard_ones(time: str) -> None:
    """Philips keeps another classic header in (2005,140F) of each frame."""
    image = enhanced(short_axis_planes(Heart(), n=2), Heart(), n_frames=8, time=time)
    for k, group in enumerate(image.PerFrameFunctionalGroupsSequence):
        item = Dataset()
        item.PixelSpacing, item.SliceThickness, item.TriggerTime = [1, 1], 6, 7 * (k % 8)
        block = group.private_block(0x2005, "Philips MR Imaging DD 005", create=True)
        block.add_new(0x0F, "SQ", [item])
    headers = frame_headers(image, file=0, series="s")
    assert {header.pixel_spacing for header in headers} == {(3, 3)}
    assert {header.thickness_mm for header in headers} == {8}
    step_ms = 100 if time == "trigger" else 7
    assert [header.trigger_ms for header in headers[:8]] == pytest.approx([step_ms * k for k in range(8)])


def test_an_empty_per_frame_sequence_in_a_single_image_means_nothing() -> None:
    """Sunnybrook's files carry one."""
    image = new_image(PIXELS, InstanceNumber=77)
    image.PerFrameFunctionalGroupsSequence = [Dataset()]
    (header,) = frame_headers(image, file=0, series="s")
    assert header.instance_number == 77


def test_classic_multi_frame_images_use_their_frame_time() -> None:
    image = new_image(np.zeros((5, 4, 6), np.uint16), NumberOfFrames=5, FrameTime=40.0)
    headers = frame_headers(image, file=0, series="s")
    assert [header.trigger_ms for header in headers] == [0, 40, 80, 120, 160]
