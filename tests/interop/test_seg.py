"""A segmentation shows the heart where it lies in the patient, refers to the right images, and passes the checkers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from dicom_tools import run_tool, tool, validation_errors
from interop_hearts import (
    EVEN,
    UNEVEN,
    analysed,
    heart_labels,
    labels_of,
    long_axis_cine,
    stack_cine,
    write_study,
)
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import Dataset

from cinema_cmr.core.analysis import Analysis
from cinema_cmr.core.edits import Edits, MaskEdit
from cinema_cmr.core.errors import GeometryError, InputError
from cinema_cmr.core.geometry import lps_to_ras
from cinema_cmr.core.vocabulary import View
from cinema_cmr.interop.export import export_analysis, export_context
from cinema_cmr.interop.exported_frames import Phase
from cinema_cmr.interop.seg import segmentation_objects, view_sources
from cinema_cmr.io.dicom.writing.series import DicomShape

pytest.importorskip("highdicom")

LABEL_OF_SEGMENT = {"RV blood pool": 1, "LV myocardium": 2, "LV blood pool": 3}
FLIPS = ["", "i", "j", "ij", "t", "ti", "tj", "tij"]


def written(folder: Path, **options: object) -> tuple[Analysis, Path]:
    study = write_study(folder / "study", stack_cine(UNEVEN), long_axis_cine(), **options)
    return analysed(study), study


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Analysis, Path, list[Path]]:
    folder = tmp_path_factory.mktemp("seg")
    analysis, study = written(folder, identity=True)
    export_analysis(analysis, study, folder / "dicom")
    return analysis, study, sorted((folder / "dicom").glob("seg_*.dcm"))


def frame_points(dataset: Dataset, index: int) -> NDArray[np.float64]:
    """(rows, columns, 3) centre of each pixel of a frame, RAS mm, from the object's own elements."""
    shared = dataset.SharedFunctionalGroupsSequence[0]
    origin = np.array(
        dataset.PerFrameFunctionalGroupsSequence[index].PlanePositionSequence[0].ImagePositionPatient, float
    )
    axes = np.array(shared.PlaneOrientationSequence[0].ImageOrientationPatient, float)
    between_rows, between_columns = map(float, shared.PixelMeasuresSequence[0].PixelSpacing)
    rows, columns = np.mgrid[: dataset.Rows, : dataset.Columns]
    along_row = columns[..., None] * between_columns * axes[:3]
    return lps_to_ras(origin + along_row + rows[..., None] * between_rows * axes[3:])


def check_in_patient(dataset: Dataset, cine_frame: int) -> int:
    """Compare every pixel of every frame with the heart at its place; return the number of segmented pixels."""
    pixels = dataset.pixel_array.reshape(int(dataset.NumberOfFrames), dataset.Rows, dataset.Columns)
    labels = {int(one.SegmentNumber): LABEL_OF_SEGMENT[one.SegmentLabel] for one in dataset.SegmentSequence}
    for index, group in enumerate(dataset.PerFrameFunctionalGroupsSequence):
        number = int(group.SegmentIdentificationSequence[0].ReferencedSegmentNumber)
        truth = heart_labels(frame_points(dataset, index), cine_frame) == labels[number]
        np.testing.assert_array_equal(pixels[index], truth, f"frame {index}, segment {number}")
    return int(pixels.sum())


@pytest.mark.medium
def test_masks_lie_in_the_patient_where_the_heart_is(exported: tuple[Analysis, Path, list[Path]]) -> None:
    analysis, _, paths = exported
    assert [path.stem for path in paths] == ["seg_lax_4c_000", "seg_lax_4c_004", "seg_sax_000", "seg_sax_004"]
    for path in paths:
        view, frame = View(path.stem[4:-4]), int(path.stem[-3:])
        n_voxels = check_in_patient(dcmread(path), frame)
        assert n_voxels == np.count_nonzero(analysis.predictions[view].labels.array[..., frame])


@pytest.mark.medium
def test_each_frame_refers_to_the_image_that_was_segmented(exported: tuple[Analysis, Path, list[Path]]) -> None:
    _, study, paths = exported
    images = {one.SOPInstanceUID: one for one in map(dcmread, study.rglob("*.dcm"))}
    for path in paths:
        dataset, frame = dcmread(path), int(path.stem[-3:])
        listed = {
            (series.SeriesInstanceUID, one.ReferencedSOPInstanceUID)
            for series in dataset.ReferencedSeriesSequence
            for one in series.ReferencedInstanceSequence
        }
        used = set()
        for group in dataset.PerFrameFunctionalGroupsSequence:
            source = images[group.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID]
            used.add((source.SeriesInstanceUID, source.SOPInstanceUID))
            assert source.TemporalPositionIdentifier == frame + 1
            position = group.PlanePositionSequence[0].ImagePositionPatient
            np.testing.assert_allclose(
                np.array(position, float), np.array(source.ImagePositionPatient, float), atol=1e-6
            )
        assert listed == used


@pytest.mark.medium
def test_a_slice_that_was_resampled_does_not_claim_the_pixels_of_its_image(
    exported: tuple[Analysis, Path, list[Path]],
) -> None:
    analysis, study, _ = exported
    cine = analysis.study[View.SAX]
    sources = view_sources(cine)
    rows = [[one and replace(one, resampled=k == 3) for one in row] for k, row in enumerate(sources.images)]
    changed = replace(cine, sources=replace(sources, images=tuple(map(tuple, rows))))
    cines = [changed if one is cine else one for one in analysis.study]
    context = export_context(replace(analysis, study=replace(analysis.study, cines=cines)), study)
    (dataset,) = segmentation_objects(context, View.SAX, [Phase(frame=2)], first_series=1)
    stated = {
        group.FrameContentSequence[0].DimensionIndexValues[1]: group.DerivationImageSequence[0]
        .SourceImageSequence[0]
        .SpatialLocationsPreserved
        for group in dataset.PerFrameFunctionalGroupsSequence
    }
    mask = analysis.predictions[View.SAX].labels.array[..., 2]
    labelled = [k for k in range(cine.n_slices) if mask[:, :, k].any()]
    assert stated == {n: "NO" if k == 3 else "YES" for n, k in enumerate(labelled, 1)}


@pytest.mark.medium
def test_segments_are_the_same_in_every_phase_and_view(exported: tuple[Analysis, Path, list[Path]]) -> None:
    _, _, paths = exported

    def facts(dataset: Dataset) -> list[tuple[object, ...]]:
        return [
            (
                one.SegmentNumber,
                one.SegmentLabel,
                one.TrackingUID,
                tuple(one.RecommendedDisplayCIELabValue),
                one.SegmentedPropertyTypeCodeSequence[0].CodeValue,
                one.SegmentationAlgorithmIdentificationSequence[0].AlgorithmParameters,
            )
            for one in dataset.SegmentSequence
        ]

    datasets = [dcmread(path) for path in paths]
    first = facts(datasets[0])
    assert all(facts(dataset) == first for dataset in datasets)
    assert [one[4] for one in first] == ["53085002", "49848007", "87878005"]
    assert f"weights_sha256={'ab' * 32}" in first[0][5]
    assert len({dataset.SeriesInstanceUID for dataset in datasets}) == len(datasets)


@pytest.mark.medium
def test_only_the_required_identity_is_copied(exported: tuple[Analysis, Path, list[Path]]) -> None:
    dataset = dcmread(exported[2][0])
    assert (str(dataset.PatientName), dataset.PatientID, dataset.AccessionNumber) == ("Müller^Anna", "P-0017", "A-99")
    assert "InstitutionName" not in dataset and "StudyDescription" not in dataset and "PatientWeight" not in dataset
    assert dataset.ContentLabel == "RESEARCH_ONLY"
    assert "research" in dataset.SeriesDescription and "not a medical device" in dataset.ContentDescription


@pytest.mark.medium
def test_dciodvfy_finds_no_error(exported: tuple[Analysis, Path, list[Path]]) -> None:
    assert validation_errors(*exported[2]) == []


@pytest.mark.medium
@pytest.mark.parametrize("shape", list(DicomShape))
def test_every_layout_of_files(tmp_path: Path, shape: DicomShape) -> None:
    analysis, study = written(tmp_path, shape=shape)
    export_analysis(analysis, study, tmp_path / "dicom", phases="all")
    paths = sorted((tmp_path / "dicom").glob("seg_*.dcm"))
    assert len(paths) == 16
    for path in paths:
        dataset = dcmread(path)
        check_in_patient(dataset, int(path.stem[-3:]))
        source = dataset.PerFrameFunctionalGroupsSequence[0].DerivationImageSequence[0].SourceImageSequence[0]
        assert ("ReferencedFrameNumber" in source) == (shape is DicomShape.ENHANCED)
    if shape is DicomShape.ENHANCED:
        # Frames of the object: slice by slice, time fastest, from 1.
        places = [
            one.DerivationImageSequence[0].SourceImageSequence[0].ReferencedFrameNumber
            for one in dcmread(tmp_path / "dicom" / "seg_sax_003.dcm").PerFrameFunctionalGroupsSequence
        ]
        assert {(place - 1) % 8 for place in places} == {3}
    tool("dciodvfy")
    assert validation_errors(*paths) == []


@pytest.mark.medium
@pytest.mark.parametrize("how", FLIPS)
def test_every_orientation(tmp_path: Path, how: str) -> None:
    """Image axes reversed and exchanged; both directions of the normal occur among them."""
    study = write_study(tmp_path / "study", stack_cine(EVEN, how=how), shape=DicomShape.ENHANCED)
    analysis = analysed(study)
    context = export_context(analysis, study)
    (dataset,) = segmentation_objects(context, View.SAX, [Phase(frame=2)], first_series=1)
    path = tmp_path / "seg.dcm"
    dataset.save_as(path, enforce_file_format=True)
    assert check_in_patient(dcmread(path), 2) == np.count_nonzero(analysis.predictions[View.SAX].labels.array[..., 2])
    check_readers(path, analysis)


def check_readers(path: Path, analysis: Analysis, cine_frame: int = 2) -> None:
    """The volumes of highdicom and dcmqi, voxel by voxel at their own places in the patient."""
    import nibabel
    from highdicom.seg import segread

    segmentation = segread(path)
    volume = segmentation.get_volume(combine_segments=True)
    affine = lps_to_ras(volume.affine)
    indices = np.moveaxis(np.indices(volume.array.shape), 0, -1)
    labels = {one.SegmentNumber: LABEL_OF_SEGMENT[one.SegmentLabel] for one in segmentation.SegmentSequence}
    truth = heart_labels(indices @ affine[:3, :3].T + affine[:3, 3], cine_frame)
    found = np.vectorize({0: 0, **labels}.get)(volume.array)
    np.testing.assert_array_equal(found, truth)
    folder = path.parent / "dcmqi"
    folder.mkdir()
    run_tool("segimage2itkimage", "--inputDICOM", path, "--outputDirectory", folder, "-t", "nii", "-p", "seg")
    for number, label in labels.items():
        image = nibabel.load(folder / f"seg-{number}.nii.gz")
        mask = np.asarray(image.dataobj) > 0
        points = np.moveaxis(np.indices(mask.shape), 0, -1) @ image.affine[:3, :3].T + image.affine[:3, 3]
        np.testing.assert_array_equal(mask, heart_labels(points, cine_frame) == label)
        assert mask.sum() == np.count_nonzero(analysis.predictions[View.SAX].labels.array[..., cine_frame] == label)


@pytest.mark.medium
def test_same_results_have_the_same_identifiers(tmp_path: Path) -> None:
    study = write_study(tmp_path / "study", stack_cine(), shape=DicomShape.ENHANCED)
    analysis = analysed(study)

    def uid(one: Analysis) -> str:
        objects = segmentation_objects(export_context(one, study), View.SAX, [Phase(frame=0)], first_series=1)
        return str(next(objects).SOPInstanceUID)

    assert uid(analysis) == uid(analysis)
    prediction = analysis.predictions[View.SAX]
    corrected = prediction.labels.array.copy()
    corrected[0, 0, 0, 0] = 3
    other = replace(prediction, labels=replace(prediction.labels, array=corrected))
    assert uid(replace(analysis, predictions={View.SAX: other})) != uid(analysis)


@pytest.mark.medium
def test_a_cine_without_its_images_is_refused(tmp_path: Path) -> None:
    cine = stack_cine()
    with pytest.raises(InputError, match="not read from DICOM"):
        view_sources(cine)
    analysis = analysed(write_study(tmp_path / "study", cine, shape=DicomShape.ENHANCED))
    moved = analysis.study[View.SAX].affine.copy()
    moved[0, 3] += 1
    with pytest.raises(GeometryError, match="mm off its images"):
        view_sources(replace(analysis.study[View.SAX], affine=moved))
    assert labels_of(cine).array.any()


@pytest.mark.medium
def test_a_corrected_frame_is_semiautomatic_and_says_so(tmp_path: Path) -> None:
    analysis, study = written(tmp_path)
    edit = MaskEdit(view=View.SAX, frames=(0,), slices=(), model_mask="m", model_mask_sha256="0")
    context = export_context(replace(analysis, edits=Edits(masks=(edit,))), study)
    phases = (Phase(frame=0), Phase(frame=4))
    ed, es = segmentation_objects(context, View.SAX, phases, first_series=1)
    assert {one.SegmentAlgorithmType for one in ed.SegmentSequence} == {"SEMIAUTOMATIC"}
    assert {one.SegmentAlgorithmType for one in es.SegmentSequence} == {"AUTOMATIC"}
    assert "corrected short axis" in ed.ContentDescription and "corrected" not in es.ContentDescription
