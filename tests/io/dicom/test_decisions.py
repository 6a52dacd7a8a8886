"""Every series and file gets its word: kept or left out with the reason, broken ones named, no identity."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    ComprehensiveSRStorage,
    ExplicitVRLittleEndian,
    MediaStorageDirectoryStorage,
    SecondaryCaptureImageStorage,
    generate_uid,
)
from synthetic_dicom import (
    HEART,
    Heart,
    StudyWriter,
    codes,
    expected_array,
    new_image,
    save,
    short_axis_planes,
    written_stack,
)

from cinema_cmr.core.errors import NoCineError, UnreadableFileError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.io.dicom.study import read_dicom
from cinema_cmr.io.names import natural_key


@pytest.mark.medium
def test_series_that_are_not_cines_are_excluded_with_a_reason(tmp_path: Path) -> None:
    planes = written_stack(tmp_path)
    writer = StudyWriter(folder=tmp_path / "deep" / "er")
    writer.add([plane.moved(2.0) for plane in planes[:3]], series=20, n_frames=1, SeriesDescription="LGE")
    writer.add(planes[:1], series=21, ImageType=["ORIGINAL", "PRIMARY", "P"])
    writer.add(planes[:3], series=22, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    writer.add(planes[:1], series=23, SeriesDescription="sax_InlineVF")
    writer.add(planes[:1], series=24, SOPClassUID=SecondaryCaptureImageStorage, Modality="OT")
    perfusion = writer.add(planes[:1], series=25, n_frames=20, TriggerTime=300.0)
    for k, path in enumerate(perfusion):
        image = dcmread(path)
        image.AcquisitionTime = f"1000{k:02d}.0"
        image.save_as(path)
    report = new_image(np.zeros((4, 4), np.uint16), SeriesNumber=26, SOPClassUID=ComprehensiveSRStorage)
    del report.Rows, report.PixelData
    save(report, tmp_path / "report.dcm")
    save(new_image(np.zeros((4, 4), np.uint16), SeriesNumber=27, PixelSpacing=[-1.0, 1.0]), tmp_path / "x")
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / ".DS_Store").write_bytes(b"\0" * 500)
    study = read_dicom(tmp_path)
    np.testing.assert_array_equal(study.cine(View.SAX).array, expected_array(planes, 12))
    reasons = {one.series: one.reason for one in study.decisions if not one.kept}
    assert set(reasons) == {f"series {number}" for number in range(20, 28)}
    for number, word in {
        20: "at most",
        21: "velocity",
        22: "localizer",
        23: "inline",
        24: "capture",
        25: "heartbeat",
        26: "without an image",
        27: "pixel spacing of -1 x 1 mm",
    }.items():
        assert word in reasons[f"series {number}"]
    assert len(study.cines) == 1
    (other,) = (issue for issue in study.issues if issue.code == "other-files")
    assert other.evidence["other_files"] == 2


def test_a_dicomdir_beside_the_images_is_passed_over(tmp_path: Path) -> None:
    written_stack(tmp_path, n=3, n_frames=8)
    index = Dataset()
    index.file_meta = FileMetaDataset()
    index.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    index.file_meta.MediaStorageSOPClassUID = MediaStorageDirectoryStorage
    index.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    index.DirectoryRecordSequence = []
    save(index, tmp_path / "DICOMDIR")
    study = read_dicom(tmp_path)
    assert study.cine(View.SAX).array.shape == (64, 64, 3, 8)
    (other,) = (issue for issue in study.issues if issue.code == "other-files")
    assert other.evidence == {"other_files": 0, "dicomdir": 1}


@pytest.mark.medium
def test_one_truncated_file_is_a_missing_frame_and_all_are_an_error(tmp_path: Path) -> None:
    planes = short_axis_planes(HEART, n=3)
    paths = StudyWriter(folder=tmp_path).add(planes, series=3)
    cut_short(paths[17])
    study = read_dicom(tmp_path)
    truth = expected_array(planes, 12)
    np.testing.assert_allclose(study.cine(View.SAX).array[:, :, 1, 5], (truth[:, :, 1, 4] + truth[:, :, 1, 6]) / 2)
    (issue,) = (one for one in study.issues if one.code == "missing-frame")
    assert f"file {place(paths, 17)} in the order of names" in issue.message
    assert paths[17].stem not in issue.message
    for path in paths:
        if path != paths[17]:
            cut_short(path)
    with pytest.raises(UnreadableFileError, match=r"unreadable .*expected complete files"):
        read_dicom(tmp_path)


def place(paths: Sequence[Path], k: int) -> int:
    return sorted(paths, key=natural_key).index(paths[k]) + 1


def cut_short(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) - 3000])


def test_a_file_cut_within_its_header_is_named_and_read_past(tmp_path: Path) -> None:
    paths = StudyWriter(folder=tmp_path).add(short_axis_planes(HEART, n=3), series=3)
    paths[4].write_bytes(paths[4].read_bytes()[:400])
    study = read_dicom(tmp_path)
    assert sorted(codes(study)) == ["missing-frame", "unreadable-file"]
    (issue,) = (one for one in study.issues if one.code == "unreadable-file")
    assert f"number {place(paths, 4)} in the order of names" in issue.message
    assert paths[4].stem not in issue.message
    for path in paths:
        path.write_bytes(path.read_bytes()[:400])
    with pytest.raises(UnreadableFileError, match="none of the 36 DICOM files"):
        read_dicom(tmp_path)


@pytest.mark.medium
def test_a_slice_without_readable_frames_is_left_out_loudly(tmp_path: Path) -> None:
    paths = StudyWriter(folder=tmp_path).add(short_axis_planes(HEART), series=3)
    for path in paths[24:34]:
        cut_short(path)
    study = read_dicom(tmp_path)
    assert study.cine(View.SAX).n_slices == 5
    assert np.diff(study.cine(View.SAX).slice_positions_mm).max() == pytest.approx(20, abs=0.01)
    (issue,) = (one for one in study.issues if one.code == "lost-slice")
    assert issue.severity == "error"


def test_the_error_without_a_cine_lists_what_was_found(tmp_path: Path) -> None:
    StudyWriter(folder=tmp_path).add(short_axis_planes(HEART), series=7, n_frames=2)
    (tmp_path / "readme.txt").write_text("x")
    with pytest.raises(NoCineError, match=r"12 DICOM files of 1 series, 1 other files.*series 7: 2 frames at most"):
        read_dicom(tmp_path)
    with pytest.raises(NoCineError, match="0 DICOM files"):
        read_dicom(tmp_path / "readme.txt")


@pytest.mark.medium
def test_identity_never_leaves(tmp_path: Path) -> None:
    folder = tmp_path / "Secret Person"
    tags = {
        "PatientBirthDate": "19700615",
        "StudyDate": "20200101",
        "SeriesDescription": "sax Secret Person",
        "PatientSex": "F",
        "PatientSize": 1.7,
        "PatientWeight": 0.0,
    }
    StudyWriter(folder=folder).add(short_axis_planes(HEART), series=3, **tags)
    study = read_dicom(folder, name="case")
    said = repr(study.subject) + repr(study.decisions) + repr(study.issues) + repr([c.label for c in study.cines])
    for secret in ("Secret", "Person", "secret", "1970", "2020", "1.2.3"):
        assert secret not in said
    assert (study.subject.sex, study.subject.age_years, study.subject.height_cm) == ("F", 49.0, 170.0)
    assert study.subject.weight_kg is None
    assert "implausible-subject" in codes(study)
    assert study.decisions[0].evidence["hint"] == "description names short axis"


def test_a_slice_lost_for_one_image_without_a_position_is_an_error(tmp_path: Path) -> None:
    written_stack(tmp_path, n=4, n_frames=8)
    spoilt = sorted(tmp_path.rglob("*.dcm"))[0]
    image = dcmread(spoilt)
    del image.ImagePositionPatient
    image.save_as(spoilt)
    study = read_dicom(tmp_path)
    (issue,) = (one for one in study.issues if one.code == "lost-slice")
    assert study.cines[0].n_slices == 3 and issue.severity == "error" and "7 usable images" in issue.message
    (cause,) = (one for one in study.issues if one.code == "unusable-images")
    assert cause.message.startswith("series 3: left out were 1 image with no position in patient space;")


BESIDE = Heart(centre=(32.0, -20.0, -10.0))


def test_what_is_odd_about_a_series_that_is_left_out_is_no_flag_of_the_stack(tmp_path: Path) -> None:
    planes = written_stack(tmp_path)
    odd = {"SpacingBetweenSlices": 25.0, "NominalInterval": 500.0}
    writer = StudyWriter(folder=tmp_path / "stress", heart=BESIDE)
    writer.add([planes[k] for k in (0, 1, 2, 4, 5)], series=20, rr_ms=500.0, SeriesDescription="stress", **odd)
    writer.add(planes[5:], series=21, rr_ms=500.0, skip=[(0, 4)], SeriesDescription="stress", **odd)
    study = read_dicom(tmp_path)
    assert [cine.n_slices for cine in study.cines] == [6]
    assert set(codes(study)) == {"short-axis-left-out"}


def test_what_is_odd_about_the_stack_stays_a_flag_beside_another(tmp_path: Path) -> None:
    planes = short_axis_planes(HEART, n=6)
    StudyWriter(folder=tmp_path).add(planes, series=3, SpacingBetweenSlices=25.0)
    StudyWriter(folder=tmp_path / "stress", heart=BESIDE).add(
        planes, series=20, rr_ms=500.0, SeriesDescription="stress"
    )
    assert set(codes(read_dicom(tmp_path))) == {"short-axis-left-out", "spacing-disagrees"}
