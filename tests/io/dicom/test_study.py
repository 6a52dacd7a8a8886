"""A study goes from files of any layout to cines in patient space, views, decisions and issues."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.uid import (
    generate_uid,
)
from synthetic_dicom import (
    HEART,
    Heart,
    Plane,
    StudyWriter,
    all_files,
    codes,
    decided,
    enhanced,
    expected_array,
    long_axis_plane,
    save,
    short_axis_planes,
    written_stack,
)

from cinema_cmr.core.errors import InputError
from cinema_cmr.core.geometry import apply_affine, lps_to_ras
from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine
from cinema_cmr.io.dicom.sort import instance_positions
from cinema_cmr.io.dicom.study import find_stacks, read_dicom


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of `written_stack`, for tests that only read it."""
    folder = tmp_path_factory.mktemp("stack")
    written_stack(folder)
    return folder


def test_a_stack_comes_back_voxel_by_voxel_in_patient_space(stack: Path) -> None:
    planes = short_axis_planes(HEART, n=6)
    study = read_dicom(stack, name="case")
    cine = study.cine(View.SAX)
    assert study.name == "case"
    assert codes(study) == []
    assert decided(study) == {"series 3": (View.SAX, True)}
    np.testing.assert_array_equal(cine.array, expected_array(planes, 12))
    np.testing.assert_allclose(cine.slice_positions_mm, np.arange(6) * 10, atol=1e-3)
    np.testing.assert_allclose(cine.frame_times_ms, np.arange(12) * 75)
    assert cine.rr_interval_ms == 900
    assert cine.slice_thickness_mm == 8
    for i, j, k in ((0, 0, 0), (63, 0, 5), (10, 50, 2)):
        truth = lps_to_ras(planes[k].points()[j, i])
        np.testing.assert_allclose(apply_affine(cine.affine, np.array([i, j, k])), truth, atol=1e-3)


@pytest.mark.medium
def test_the_heart_is_where_it_was_put(tmp_path: Path) -> None:
    """Bright voxels, taken through the affine, have the ellipsoid's centre as their centroid."""
    written_stack(tmp_path, n=12)
    cine = read_dicom(tmp_path).cine(View.SAX)
    blood = np.argwhere(cine.array[..., 0] == 900)
    centroid = apply_affine(cine.affine, blood).mean(axis=0)
    np.testing.assert_allclose(centroid, lps_to_ras(np.array(HEART.centre)), atol=1.0)


@pytest.mark.medium
@pytest.mark.parametrize("slices_first", [True, False], ids=["slice by slice", "time by time"])
def test_instance_numbers_in_either_order_scattered_over_series(tmp_path: Path, slices_first: bool) -> None:
    planes = short_axis_planes(HEART)
    writer = StudyWriter(folder=tmp_path)
    writer.add([planes[k] for k in (4, 0)], series=9)
    for series, k in ((4, 5), (7, 1), (5, 3), (12, 2)):
        writer.add([planes[k]], series=series)
    if not slices_first:
        for path in all_files(tmp_path):
            image = dcmread(path)
            image.InstanceNumber = 1000 - int(image.InstanceNumber)
            image.save_as(path)
    study = read_dicom(tmp_path)
    np.testing.assert_array_equal(study.cine(View.SAX).array, expected_array(planes, 12))
    assert all(one.kept and one.view is View.SAX for one in study.decisions)
    found, stacks = find_stacks(tmp_path)
    places = instance_positions(stacks.stacks[0], found.headers)
    number = 1 if slices_first else 999
    assert places[("series 9", number)] == (4, 0)
    assert places[("series 12", number)] == (2, 0)


@pytest.mark.medium
def test_all_views_of_a_study_and_the_plane_beside(tmp_path: Path) -> None:
    writer = StudyWriter(folder=tmp_path)
    writer.add(short_axis_planes(HEART, n=8), series=2)
    for series, turn, described in ((3, -25, "4CH"), (4, 35, "4ch wrong"), (5, 85, "cine")):
        writer.add([long_axis_plane(HEART, turn)], series=series, SeriesDescription=described)
    writer.add([long_axis_plane(HEART, 88, beside_mm=40)], series=6, SeriesDescription="2CH")
    study = read_dicom(tmp_path)
    assert decided(study) == {
        "series 2": (View.SAX, True),
        "series 3": (View.LAX_4C, True),
        "series 4": (View.LAX_3C, True),
        "series 5": (View.LAX_2C, True),
        "series 6": (View.OTHER, False),
    }
    assert [cine.view for cine in study.cines] == [
        View.SAX,
        View.LAX_2C,
        View.LAX_3C,
        View.LAX_4C,
        View.OTHER,
    ]
    beside = next(one for one in study.decisions if one.series == "series 6")
    assert beside.evidence["distance_to_axis_mm"] == pytest.approx(40, abs=3)
    assert "mm from the left ventricular long axis" in beside.reason
    assert study.cine(View.LAX_4C).array.shape == (64, 64, 1, 12)


@pytest.mark.medium
def test_a_missing_frame_is_detected_by_its_time_and_filled(tmp_path: Path) -> None:
    planes = short_axis_planes(HEART)
    StudyWriter(folder=tmp_path).add(planes, series=3, skip=[(1, 5), (4, 0)])
    study = read_dicom(tmp_path)
    truth = expected_array(planes, 12)
    found = study.cine(View.SAX).array
    np.testing.assert_allclose(found[:, :, 1, 5], (truth[:, :, 1, 4] + truth[:, :, 1, 6]) / 2)
    np.testing.assert_allclose(found[:, :, 4, 0], (truth[:, :, 4, 11] + truth[:, :, 4, 1]) / 2)
    found[:, :, 1, 5], found[:, :, 4, 0] = truth[:, :, 1, 5], truth[:, :, 4, 0]
    np.testing.assert_array_equal(found, truth)
    (missing,) = (issue for issue in study.issues if issue.code == "missing-frame")
    assert (missing.evidence["slice"], missing.evidence["frame"], missing.evidence["count"]) == ("1, 4", "0, 5", 2)


@pytest.mark.medium
def test_slices_with_another_number_of_frames_are_resampled_over_the_cycle(tmp_path: Path) -> None:
    planes = short_axis_planes(HEART)
    writer = StudyWriter(folder=tmp_path)
    writer.add(planes[:5], series=3, n_frames=24)
    writer.add(planes[5:], series=4, n_frames=12)
    study = read_dicom(tmp_path)
    cine = study.cine(View.SAX)
    assert cine.n_frames == 24
    assert codes(study) == ["frame-count-differs"]
    last = expected_array(planes[5:], 12)[:, :, 0]
    np.testing.assert_allclose(cine.array[:, :, 5, ::2], last)
    np.testing.assert_allclose(cine.array[:, :, 5, 1], (last[..., 0] + last[..., 1]) / 2)


@pytest.mark.medium
def test_triggers_that_differ_between_slices_do_not_mix_their_frames(tmp_path: Path) -> None:
    planes = short_axis_planes(HEART)
    writer = StudyWriter(folder=tmp_path)
    for k, plane in enumerate(planes):
        writer.add([plane], series=3 + k, rr_ms=800 + 30 * k)
    cine = read_dicom(tmp_path).cine(View.SAX)
    np.testing.assert_array_equal(cine.array, expected_array(planes, 12))
    np.testing.assert_allclose(cine.frame_times_ms, np.arange(12) * 875 / 12, atol=0.2)
    assert cine.rr_interval_ms == 875


@pytest.mark.medium
def test_a_repeated_slice_is_not_interleaved(tmp_path: Path) -> None:
    planes = short_axis_planes(HEART)
    writer = StudyWriter(folder=tmp_path)
    for k, plane in enumerate(planes):
        writer.add([plane], series=3 + k)
    bright = Heart(centre=(33.0, -20.0, -10.0))
    StudyWriter(folder=tmp_path / "again", heart=bright).add([planes[2].moved(1.0)], series=30)
    study = read_dicom(tmp_path)
    cine = study.cine(View.SAX)
    assert cine.array.shape == (64, 64, 6, 12)
    assert decided(study)["series 5"] == (View.SAX, False)
    left = next(one for one in study.decisions if one.series == "series 5")
    assert "series 30" in left.reason and "later" in left.reason
    np.testing.assert_array_equal(cine.array[:, :, 2, 0], bright.image(planes[2].moved(1.0), 0.0).T)


@pytest.mark.medium
def test_copies_under_other_names_are_used_once(tmp_path: Path) -> None:
    planes = written_stack(tmp_path / "a", n=3)
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    for path in list(all_files(tmp_path / "b"))[:10]:
        image = dcmread(path)
        image.SOPInstanceUID = generate_uid()
        image.SeriesInstanceUID = "9.9"
        image.save_as(path)
    study = read_dicom(tmp_path)
    np.testing.assert_array_equal(study.cine(View.SAX).array, expected_array(planes, 12))
    (issue,) = (one for one in study.issues if one.code == "duplicate-images")
    assert issue.evidence["images"] == 36
    assert decided(study) == {"series 3a": (View.SAX, True), "series 3b": (None, False)}


@pytest.mark.medium
def test_a_transverse_stack_is_not_short_axis(tmp_path: Path) -> None:
    body = Plane(centre=HEART.centre, orientation=(1.0, 0.0, 0.0, 0.0, 1.0, 0.0))
    StudyWriter(folder=tmp_path).add([body.moved(8.0 * k - 40) for k in range(11)], series=2)
    study = read_dicom(tmp_path)
    assert View.SAX not in study
    assert "no-short-axis" in codes(study)
    (decision,) = study.decisions
    assert decision.view is View.OTHER and "transverse" in decision.reason
    StudyWriter(folder=tmp_path / "more").add(short_axis_planes(HEART, n=6), series=3)
    study = read_dicom(tmp_path)
    assert decided(study) == {"series 2": (View.OTHER, False), "series 3": (View.SAX, True)}


@pytest.mark.medium
def test_of_parallel_long_axis_planes_the_one_through_the_ventricle_is_kept(tmp_path: Path) -> None:
    writer = StudyWriter(folder=tmp_path)
    writer.add(short_axis_planes(HEART), series=2)
    middle = long_axis_plane(HEART, -30)
    writer.add([middle.moved(12.0 * k) for k in (-2, -1, 0, 1)], series=3)
    study = read_dicom(tmp_path)
    cine = study.cine(View.LAX_4C)
    assert cine.array.shape == (64, 64, 1, 12)
    np.testing.assert_array_equal(cine.array[:, :, 0, 0], HEART.image(middle, 0.0).T)
    np.testing.assert_allclose(cine.affine[:3, 3], lps_to_ras(middle.position), atol=1e-3)


@pytest.mark.parametrize("time", ["trigger", "temporal", "dimension"])
def test_enhanced_objects_read_like_single_images(tmp_path: Path, time: str) -> None:
    planes = short_axis_planes(HEART, n=4)
    save(enhanced(planes, HEART, time=time), tmp_path / "all.dcm")
    cine = read_dicom(tmp_path / "all.dcm").cine(View.SAX)
    np.testing.assert_array_equal(cine.array, expected_array(planes, 10))
    assert cine.rr_interval_ms == 800
    known = time == "trigger"
    assert (cine.frame_times_ms is not None) == known


def test_two_patients_are_refused(tmp_path: Path) -> None:
    written_stack(tmp_path / "a", n=3)
    StudyWriter(folder=tmp_path / "b").add([long_axis_plane(HEART, 90)], series=4, PatientID="other")
    with pytest.raises(InputError, match="2 patients"):
        read_dicom(tmp_path)


@pytest.mark.medium
def test_the_order_of_files_does_not_matter(stack: Path) -> None:
    files = list(all_files(stack))
    one, other = read_dicom(files), read_dicom(files[::-1])
    np.testing.assert_array_equal(one.cine(View.SAX).array, other.cine(View.SAX).array)
    assert one.decisions == other.decisions


def lv_contours(reference: Path, frame: int) -> dict[int, np.ndarray]:
    """Slice number -> endocardial points, RAS mm, of the multiview study's reference."""
    lines = [line.split("\t") for line in (reference / f"GPFile_{frame:03d}.txt").read_text().splitlines()[1:]]
    points: dict[int, list[list[float]]] = {}
    for line in lines:
        if line[3] == "SAX_LV_ENDOCARDIAL":
            points.setdefault(int(line[4]), []).append([float(value) for value in line[:3]])
    return {key: lps_to_ras(np.array(value)) for key, value in points.items()}


@pytest.mark.realdata
def test_multiview_study_has_its_six_slices_and_three_long_axes(real_data: Path) -> None:
    study = read_dicom(real_data / "multiview_dicom" / "study")
    by_folder = {one.evidence["folder"]: one for one in study.decisions}
    views = {folder: one.view for folder, one in by_folder.items()}
    short_axis = ["Se5", "Se4", "Se3", "Se2", "Se1", "Se11"]
    assert [folder for folder, view in views.items() if view is View.SAX] == short_axis[::-1]
    assert [by_folder[f].reason.split(" of 6")[0] for f in short_axis] == [f"slice {k}" for k in range(6)]
    assert views["Se6"] is View.LAX_4C and views["Se7"] is View.LAX_3C and views["Se8"] is View.LAX_2C
    for folder in ("Se9", "Se10"):
        assert views[folder] is View.OTHER and not by_folder[folder].kept
        assert "from the left ventricular long axis" in by_folder[folder].reason
    cine = study.cine(View.SAX)
    assert cine.array.shape == (256, 208, 6, 25)
    np.testing.assert_allclose(np.diff(cine.slice_positions_mm), 17.7, atol=0.05)
    assert codes(study) == []


@pytest.mark.realdata
def test_multiview_reference_contours_lie_around_the_blood(real_data: Path) -> None:
    folder = real_data / "multiview_dicom"
    cine = read_dicom(folder / "study").cine(View.SAX)
    into = np.linalg.inv(cine.affine)
    for frame in (0, 10):
        for points in lv_contours(folder / "reference", frame).values():
            voxels = apply_affine(into, points)
            k = round(float(voxels[:, 2].mean()))
            assert np.abs(voxels[:, 2] - k).max() < 0.05
            inside, around = blood_and_wall(cine, voxels[:, :2], k, frame)
            assert inside > 1.4 * around


def blood_and_wall(cine: Cine, contour: np.ndarray, k: int, t: int) -> tuple[float, float]:
    """Mean intensity at 70 % and at 120 % of the contour's radius."""
    middle = contour.mean(axis=0)
    means = []
    for share in (0.7, 1.2):
        i, j = np.round(middle + share * (contour - middle)).astype(int).T
        means.append(float(cine.array[i, j, k, t].mean()))
    return means[0], means[1]


@pytest.mark.realdata
@pytest.mark.parametrize("case", ["SCD0000101", "SCD0000301", "SCD0000501"])
def test_sunnybrook_instances_go_to_their_slice_and_frame(real_data: Path, tmp_path: Path, case: str) -> None:
    with zipfile.ZipFile(real_data / "sunnybrook" / case / "dicom.zip") as archive:
        archive.extractall(tmp_path)
    study = read_dicom(tmp_path, name=case)
    cine = study.cine(View.SAX)
    found, stacks = find_stacks(tmp_path)
    places = instance_positions(stacks.stacks[0], found.headers)
    assert len(places) == cine.n_slices * 20 == len(found.headers)
    for (_, number), (position, frame) in places.items():
        assert frame == (number - 1) % 20
        assert position == cine.n_slices - 1 - (number - 1) // 20
    assert codes(study) == []
    contours = sorted((real_data / "sunnybrook" / case).rglob("*icontour*.txt"))
    assert contours
    for path in contours:
        position, frame = places[(cine.label, int(path.stem.split("-")[2]))]
        inside, around = blood_and_wall(cine, np.loadtxt(path), position, frame)
        assert inside > 1.2 * around
