"""What other systems drew on a study comes back on its cines: SEG voxel by voxel, contours within a pixel's edge."""

from __future__ import annotations

from pathlib import Path

import contourpy
import numpy as np
import pytest
from interop_hearts import UNEVEN, analysed, long_axis_cine, stack_cine, with_atria, write_study
from pydicom import dcmread
from pydicom.dataset import Dataset

from cinema_cmr.core.analysis import Analysis
from cinema_cmr.core.errors import InputError, UnreadableFileError
from cinema_cmr.core.geometry import lps_to_ras
from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import View
from cinema_cmr.interop.canvas import Canvas, ReadLabels
from cinema_cmr.interop.dicom_object import ObjectContext, SeriesIdentity, image_reference, item, new_object
from cinema_cmr.interop.export import export_analysis, export_context
from cinema_cmr.interop.label_reading import _add_contours, add_dicom_labels, class_of_structure
from cinema_cmr.io.dicom.writing.series import DicomShape
from cinema_cmr.io.read import read_study

pytest.importorskip("highdicom")
pytestmark = pytest.mark.medium


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Analysis, Path, Path]:
    folder = tmp_path_factory.mktemp("labels")
    study = write_study(folder / "study", stack_cine(UNEVEN), long_axis_cine(), shape=DicomShape.ENHANCED)
    analysis = analysed(study)
    export_analysis(analysis, study, folder / "dicom")
    return analysis, study, folder / "dicom"


def read_dicom_labels(source: Path, study: Study) -> tuple[ReadLabels, ...]:
    canvas = Canvas(study=study)
    add_dicom_labels(canvas, source)
    return tuple(canvas.painted())


def by_view(read: tuple[ReadLabels, ...]) -> dict[View, ReadLabels]:
    return {one.cine.view: one for one in read}


def test_a_segmentation_comes_back_voxel_by_voxel(exported: tuple[Analysis, Path, Path]) -> None:
    analysis, study, folder = exported
    read = by_view(read_dicom_labels(folder, read_study(study)))
    assert set(read) == {View.SAX, View.LAX_4C}
    for view, one in read.items():
        assert one.frames == (0, 4)
        expected = analysis.predictions[view].labels.array
        np.testing.assert_array_equal(one.labels.array[..., [0, 4]], expected[..., [0, 4]])
        assert not one.labels.array[..., 1:4].any()


def flip_rows(dataset: Dataset) -> Dataset:
    """The same segmentation stored from the last row to the first, cropped by three rows."""
    shared = dataset.SharedFunctionalGroupsSequence[0]
    axes = np.array(shared.PlaneOrientationSequence[0].ImageOrientationPatient, float)
    step = float(shared.PixelMeasuresSequence[0].PixelSpacing[0])
    rows = int(dataset.Rows)
    pixels = dataset.pixel_array.reshape(-1, rows, dataset.Columns)[:, ::-1][:, 3:]
    for group in dataset.PerFrameFunctionalGroupsSequence:
        origin = np.array(group.PlanePositionSequence[0].ImagePositionPatient, float)
        moved = origin + axes[3:] * step * (rows - 1 - 3)
        group.PlanePositionSequence[0].ImagePositionPatient = [f"{value:.9g}" for value in moved]
    turned = [f"{value:.9g}" for value in (*axes[:3], *-axes[3:])]
    shared.PlaneOrientationSequence[0].ImageOrientationPatient = turned
    dataset.Rows = rows - 3
    packed = np.packbits(pixels.astype(bool).ravel(), bitorder="little").tobytes()
    dataset.PixelData = packed + b"\0" * (len(packed) % 2)
    return dataset


def test_another_system_s_flip_and_crop_do_no_harm(exported: tuple[Analysis, Path, Path], tmp_path: Path) -> None:
    analysis, study, folder = exported
    flip_rows(dcmread(folder / "seg_sax_004.dcm")).save_as(tmp_path / "flipped.dcm")
    read = by_view(read_dicom_labels(tmp_path, read_study(study)))
    np.testing.assert_array_equal(
        read[View.SAX].labels.array[..., 4], analysis.predictions[View.SAX].labels.array[..., 4]
    )


def test_a_frame_without_reference_takes_the_phase_of_the_others(
    exported: tuple[Analysis, Path, Path], tmp_path: Path
) -> None:
    analysis, study, folder = exported
    dataset = dcmread(folder / "seg_sax_004.dcm")
    dataset.PerFrameFunctionalGroupsSequence[2].DerivationImageSequence = []
    dataset.save_as(tmp_path / "seg.dcm")
    read = by_view(read_dicom_labels(tmp_path, read_study(study)))[View.SAX]
    np.testing.assert_array_equal(read.labels.array[..., 4], analysis.predictions[View.SAX].labels.array[..., 4])
    for group in dataset.PerFrameFunctionalGroupsSequence:
        group.DerivationImageSequence = []
    dataset.save_as(tmp_path / "seg.dcm")
    with pytest.raises(InputError, match="others of 0 phases"):
        read_dicom_labels(tmp_path, read_study(study))


def structure_set(context: ObjectContext, frame: int) -> Dataset:
    """An RTSTRUCT of the stack's outlines in one frame: epicardium, endocardium and RV, traced at half a pixel."""
    series = SeriesIdentity(uid="2.25.1", number=1, modality="RTSTRUCT", description="contours")
    dataset = new_object(context, series, sop_class="1.2.840.10008.5.1.4.1.1.481.3", instance=1)
    cine = context.analysis.study[View.SAX]
    labels = context.analysis.predictions[View.SAX].labels.array[..., frame]
    assert cine.sources is not None
    regions = {"LV epicardial contour": labels >= 2, "saendocardialContour": labels == 3, "RV": labels == 1}
    dataset.StructureSetROISequence = [item(ROINumber=number, ROIName=name) for number, name in enumerate(regions, 1)]
    rois = []
    for number, region in enumerate(regions.values(), 1):
        contours = []
        for k in range(cine.n_slices):
            source = cine.sources.images[k][frame]
            assert source is not None
            for line in contourpy.contour_generator(z=region[:, :, k].T.astype(float)).lines(0.5):
                in_plane = line[:-1, :1] * cine.affine[:3, 0] + line[:-1, 1:] * cine.affine[:3, 1]
                points = lps_to_ras(cine.sources.origins_mm[k] + in_plane)
                contours.append(
                    item(
                        ContourGeometricType="CLOSED_PLANAR",
                        NumberOfContourPoints=len(points),
                        ContourData=[f"{value:.6g}" for value in points.ravel()],
                        ContourImageSequence=[image_reference(context.files, source)],
                    )
                )
        rois.append(item(ReferencedROINumber=number, ContourSequence=contours))
    dataset.ROIContourSequence = rois
    return dataset


def dice(first: np.ndarray, second: np.ndarray) -> float:
    return 2 * np.count_nonzero(first & second) / (np.count_nonzero(first) + np.count_nonzero(second))


def test_contours_come_back_as_labels(exported: tuple[Analysis, Path, Path], tmp_path: Path) -> None:
    analysis, study, _ = exported
    structure_set(export_context(analysis, study), 3).save_as(tmp_path / "rt.dcm", enforce_file_format=True)
    read = by_view(read_dicom_labels(tmp_path, read_study(study)))[View.SAX]
    assert read.frames == (3,)
    truth = analysis.predictions[View.SAX].labels.array[..., 3]
    scores = {code: dice(read.labels.array[..., 3] == code, truth == code) for code in (1, 2, 3)}
    assert min(scores.values()) > 0.98, scores
    broken = dcmread(tmp_path / "rt.dcm")
    for values in ([], ["1", "2", "3", "4"], ["1e400"] * 9):
        broken.ROIContourSequence[0].ContourSequence[0].ContourData = values
        with pytest.raises(InputError, match=r"of \d values; expected finite x, y and z"):
            _add_contours(Canvas(study=read_study(study)), broken, "rt.dcm")
    (tmp_path / "rt2.dcm").write_bytes((tmp_path / "rt.dcm").read_bytes())
    with pytest.raises(InputError, match=r"both draw the outer border of the LV's wall of one image"):
        read_dicom_labels(tmp_path, read_study(study))


def test_what_cannot_be_placed_or_named_is_refused(exported: tuple[Analysis, Path, Path], tmp_path: Path) -> None:
    _, study, folder = exported
    whole = read_study(study)
    with pytest.raises(InputError, match="holds no segmentation, structure set"):
        read_dicom_labels(study, whole)
    other = write_study(tmp_path / "other", stack_cine(how="j"), shape=DicomShape.ENHANCED)
    with pytest.raises(InputError, match="0 of them in this study"):
        read_dicom_labels(folder / "seg_sax_000.dcm", read_study(other))
    dataset = dcmread(folder / "seg_sax_000.dcm")
    dataset.SegmentSequence[0].SegmentLabel = "spleen"
    dataset.SegmentSequence[0].SegmentedPropertyTypeCodeSequence[0].CodeValue = "78961009"
    dataset.save_as(tmp_path / "spleen.dcm")
    with pytest.raises(InputError, match="structure 'spleen'"):
        read_dicom_labels(tmp_path / "spleen.dcm", whole)
    moved = dcmread(folder / "seg_sax_000.dcm")
    position = moved.PerFrameFunctionalGroupsSequence[0].PlanePositionSequence[0]
    position.ImagePositionPatient = [float(value) + 3 for value in position.ImagePositionPatient]
    moved.save_as(tmp_path / "moved.dcm")
    with pytest.raises(InputError, match="mm off the image"):
        read_dicom_labels(tmp_path / "moved.dcm", whole)


def test_an_object_that_lacks_an_element_or_is_cut_is_named(
    exported: tuple[Analysis, Path, Path], tmp_path: Path
) -> None:
    analysis, study, folder = exported
    whole = read_study(study)
    contours = structure_set(export_context(analysis, study), 0)
    contours.ROIContourSequence[0].ReferencedROINumber = 99
    contours.save_as(tmp_path / "roi.dcm", enforce_file_format=True)
    segmentation = dcmread(folder / "seg_sax_000.dcm")
    del segmentation.SegmentSequence
    segmentation.save_as(tmp_path / "segments.dcm")
    (tmp_path / "cut.dcm").write_bytes((folder / "seg_sax_000.dcm").read_bytes()[:-40])
    for name in ("roi.dcm", "segments.dcm", "cut.dcm"):
        with pytest.raises(UnreadableFileError, match=f"'{name}' is damaged or lacks an element"):
            read_dicom_labels(tmp_path / name, whole)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("LV blood pool", "lv"),
        ("endo", "lv"),
        ("saendocardialContour", "lv"),
        ("heart_ventricle_left", "lv"),
        ("LV myocardium", "myo"),
        ("Myocardium of left ventricle", "myo"),
        ("saepicardialContour", "epi"),
        ("RV endo", "rv"),
        ("endo_rv", "rv"),
        ("sarvendocardialContour", "rv"),
        ("Right ventricle", "rv"),
        ("Left atrium", "la"),
        ("heart_atrium_left", "la"),
        ("LA", "la"),
        ("Right_Atrium", "ra"),
        ("RA blood pool", "ra"),
    ],
)
def test_a_structure_s_class_follows_from_its_name(name: str, expected: str) -> None:
    assert class_of_structure(name, [], "a.dcm") == expected


@pytest.mark.parametrize(
    "name",
    [
        *("left atrial appendage", "left atrial wall", "atria", "LA endo"),
        *("RV wall", "epi RV", "sarvepicardialContour", "aorta", "liver"),
    ],
)
def test_a_structure_of_no_class_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="rename it, or export without it"):
        class_of_structure(name, [], "a.dcm")


@pytest.fixture(scope="module")
def chambers(tmp_path_factory: pytest.TempPathFactory) -> tuple[Analysis, Path, Path]:
    folder = tmp_path_factory.mktemp("chambers")
    study = write_study(folder / "study", stack_cine(), long_axis_cine(), shape=DicomShape.ENHANCED)
    analysis = with_atria(analysed(study))
    export_analysis(analysis, study, folder / "dicom")
    return analysis, study, folder / "dicom"


def test_the_atria_of_a_long_axis_come_back(chambers: tuple[Analysis, Path, Path]) -> None:
    analysis, study, folder = chambers
    segments = {
        path.name: [(one.SegmentLabel, one.SegmentedPropertyTypeCodeSequence[0].CodeValue) for one in found]
        for path in folder.glob("seg_*.dcm")
        if (found := dcmread(path).SegmentSequence)
    }
    plane = [segments[name] for name in segments if "lax_4c" in name]
    assert plane and all(one[3:] == [("LA blood pool", "82471001"), ("RA blood pool", "73829009")] for one in plane)
    assert all(len(segments[name]) == 3 for name in segments if "sax" in name)
    read = by_view(read_dicom_labels(folder, read_study(study)))
    assert read[View.LAX_4C].drawn == ("rv", "myo", "lv", "la", "ra") and read[View.SAX].drawn == ("rv", "myo", "lv")
    for view, scheme in ((View.SAX, "cine"), (View.LAX_4C, "chambers")):
        frames, labels = list(read[view].frames), read[view].labels
        expected = analysis.predictions[view].labels.array
        assert labels.scheme == scheme
        np.testing.assert_array_equal(labels.array[..., frames], expected[..., frames])


def test_an_atrium_in_a_short_axis_is_refused(exported: tuple[Analysis, Path, Path], tmp_path: Path) -> None:
    _, study, folder = exported
    dataset = dcmread(folder / "seg_sax_004.dcm")
    for segment in dataset.SegmentSequence:
        if segment.SegmentLabel == "LV blood pool":
            segment.SegmentedPropertyTypeCodeSequence[0].CodeValue = "82471001"
    dataset.save_as(tmp_path / "seg.dcm")
    with pytest.raises(InputError, match="left atrium in a cine of view 'sax'"):
        read_dicom_labels(tmp_path, read_study(study))
