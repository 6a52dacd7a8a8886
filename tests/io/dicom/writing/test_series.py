"""A study written as DICOM and read back is the same study, in every shape and packing."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import dcmread
from synthetic_dicom import HEART, Plane, all_files, codes, decided, long_axis_plane, short_axis_planes

from cinema_cmr.core.errors import GeometryError, InputError, OutputExistsError
from cinema_cmr.core.geometry import lps_to_ras
from cinema_cmr.core.study import Study, Subject
from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine
from cinema_cmr.io.dicom.writing.series import Compression, DicomShape, write_dicom
from cinema_cmr.io.read import read_study

MEDIUM = pytest.mark.medium
N_FRAMES = 9
RR_MS = 872.0
ROTATIONS = {View.LAX_4C: -30.0, View.LAX_3C: 30.0, View.LAX_2C: 90.0}


def cine_at(plane: Plane, view: View, positions_mm: NDArray[np.float64], **facts: Any) -> Cine:
    """The test heart on unequal grids: other sizes, other pixel lengths and other matrix along x and y."""
    (nx, ny), (dx, dy) = (56, 70), (3.1, 2.6)
    corner = np.array(plane.centre) - plane.row * dx * (nx - 1) / 2 - plane.column * dy * (ny - 1) / 2
    step = positions_mm[-1] / (len(positions_mm) - 1) if len(positions_mm) > 1 else float(facts["slice_thickness_mm"])
    lps = np.eye(4)
    lps[:3, :3] = np.stack([plane.row * dx, plane.column * dy, plane.normal * step], axis=1)
    lps[:3, 3] = corner + positions_mm[0] * plane.normal
    i, j = np.meshgrid(np.arange(nx), np.arange(ny), indexing="ij")
    in_plane = i[..., None] * lps[:3, 0] + j[..., None] * lps[:3, 1]
    slices = []
    for at in positions_mm:
        points = lps[:3, 3] + in_plane + at * plane.normal
        grid = SimpleNamespace(points=lambda points=points: points, shape=(nx, ny))
        slices.append(np.stack([HEART.image(grid, t / N_FRAMES) for t in range(N_FRAMES)], axis=-1))
    return Cine(
        array=np.stack(slices, axis=2).astype(np.float32),
        affine=lps_to_ras(lps),
        view=view,
        slice_positions_mm=positions_mm - positions_mm[0],
        **{
            "frame_times_ms": np.arange(N_FRAMES) * RR_MS / N_FRAMES,
            "rr_interval_ms": RR_MS,
            "slice_thickness_mm": 8.0,
            **facts,
        },
    )


@pytest.fixture(scope="module")
def study() -> Study:
    """Four views of unequal geometry: a short-axis stack with one wider gap, three oblique planes."""
    basal = short_axis_planes(HEART, n=5, turned_deg=20.0)[0]
    positions = np.array([0.0, 9.5, 19.0, 32.5, 42.0])
    cines = [cine_at(basal, View.SAX, positions)]
    for view, rotation in ROTATIONS.items():
        cines.append(cine_at(long_axis_plane(HEART, rotation), view, np.zeros(1), slice_thickness_mm=6.0))
    subject = Subject(sex="F", age_years=61, height_cm=163.5, weight_kg=58.25, heart_rate_bpm=69)
    return Study(name="written", cines=tuple(cines), subject=subject)


def check_same(read: Study, study: Study, *, within: float) -> None:
    assert read.subject.heart_rate_bpm == pytest.approx(study.subject.heart_rate_bpm, abs=0.5)
    assert replace(read.subject, heart_rate_bpm=None) == replace(study.subject, heart_rate_bpm=None)
    assert {cine.view for cine in study.cines} <= {cine.view for cine in read.cines}
    for cine in study.cines:
        own = read.cine(cine.view)
        np.testing.assert_allclose(own.array, cine.array, rtol=0, atol=within)
        np.testing.assert_allclose(own.affine, cine.affine, rtol=0, atol=1e-6)
        np.testing.assert_allclose(own.slice_positions_mm, cine.slice_positions_mm, atol=1e-6)
        np.testing.assert_allclose(own.frame_times_ms, cine.frame_times_ms, atol=1e-6)
        assert own.rr_interval_ms == cine.rr_interval_ms
        assert own.slice_thickness_mm == cine.slice_thickness_mm


SHAPES = [pytest.param(shape, marks=() if shape is DicomShape.ENHANCED else MEDIUM) for shape in DicomShape]


@pytest.mark.parametrize("shape", SHAPES)
def test_a_study_comes_back_the_same_in_every_shape(tmp_path: Path, study: Study, shape: DicomShape) -> None:
    folder = write_dicom(study, tmp_path / "written", shape=shape)
    read = read_study(folder)
    assert read.name == study.name
    assert codes(read) == []
    check_same(read, study, within=0)
    n_files = {DicomShape.ENHANCED: 4}.get(shape, (5 + 3) * N_FRAMES)
    assert len(list(all_files(folder))) == n_files
    n_series = {DicomShape.SERIES_PER_SLICE: 5 + 3}.get(shape, 4)
    assert len(decided(read)) == n_series


@pytest.mark.medium
@pytest.mark.parametrize("shape", [pytest.param(DicomShape.SERIES_PER_VIEW, marks=MEDIUM), DicomShape.ENHANCED])
@pytest.mark.parametrize("compression", [Compression.RLE, Compression.JPEG_LS, Compression.JPEG_2000])
def test_packed_pixels_come_back_the_same(
    tmp_path: Path, study: Study, shape: DicomShape, compression: Compression
) -> None:
    long_axis = replace(study, cines=study.cines[1:])
    plain = write_dicom(long_axis, tmp_path / "plain", shape=shape)
    packed = write_dicom(long_axis, tmp_path / "packed", shape=shape, compression=compression)
    check_same(read_study(packed), long_axis, within=0)
    assert sum(p.stat().st_size for p in all_files(packed)) < sum(p.stat().st_size for p in all_files(plain))


@pytest.mark.parametrize(
    ("shape", "bits"),
    [
        pytest.param(shape, bits, marks=() if shape is DicomShape.ENHANCED else MEDIUM)
        for shape, bits in zip(DicomShape, [12, 16, 12], strict=True)
    ],
)
def test_broken_and_negative_intensities_come_back_within_half_a_level(
    tmp_path: Path, study: Study, shape: DicomShape, bits: int
) -> None:
    scaled = [cine.with_array(cine.array * np.float32(0.37) - np.float32(41.3)) for cine in study.cines]
    changed = replace(study, cines=tuple(scaled))
    folder = write_dicom(changed, tmp_path / "written", shape=shape, bits=bits)
    span = max(float(np.ptp(cine.array)) for cine in scaled)
    check_same(read_study(folder), changed, within=0.51 * span / (2**bits - 1))


def test_pixel_spacing_names_the_distance_of_rows_first(tmp_path: Path, study: Study) -> None:
    folder = write_dicom(study, tmp_path / "written")
    image = dcmread(next(all_files(folder)))
    assert (image.Rows, image.Columns) == (70, 56)
    assert [float(value) for value in image.PixelSpacing] == pytest.approx([2.6, 3.1])
    assert image.SliceThickness == 8 and float(image.SpacingBetweenSlices) == pytest.approx(9.5)
    assert (image.TriggerTime, image.NominalInterval, image.HeartRate) == (0, RR_MS, 69)
    assert image.PatientAge == "061Y" and str(image.PatientName) == "Synthetic^Phantom"


@pytest.mark.medium
def test_slices_of_a_left_handed_grid_come_back_in_the_order_of_the_normal(tmp_path: Path, study: Study) -> None:
    sax = study.cine(View.SAX)
    affine = sax.affine.copy()
    affine[:3, 2] *= -1
    affine[:3, 3] -= affine[:3, 2] * (sax.n_slices - 1)
    turned = replace(
        sax,
        array=sax.array[:, :, ::-1],
        affine=affine,
        slice_positions_mm=(sax.slice_positions_mm[-1] - sax.slice_positions_mm)[::-1],
    )
    folder = write_dicom(replace(study, cines=(turned,)), tmp_path / "written")
    own = read_study(folder).cine(View.SAX)
    np.testing.assert_array_equal(own.array, sax.array)
    np.testing.assert_allclose(own.affine, sax.affine, atol=1e-6)


@pytest.mark.parametrize("shape", DicomShape)
def test_unknown_facts_stay_unknown(tmp_path: Path, study: Study, shape: DicomShape) -> None:
    unknown = {"frame_times_ms": None, "rr_interval_ms": None, "slice_thickness_mm": None}
    cines = tuple(replace(cine, **unknown) for cine in study.cines[:1])
    folder = write_dicom(Study(name="bare", cines=cines), tmp_path / "bare", shape=shape)
    read = read_study(folder)
    own = read.cine(View.SAX)
    assert read.subject == Subject()
    assert (own.frame_times_ms, own.rr_interval_ms, own.slice_thickness_mm) == (None, None, None)
    np.testing.assert_array_equal(own.array, cines[0].array)


def test_the_same_study_gives_the_same_bytes_and_another_one_other_uids(tmp_path: Path, study: Study) -> None:
    small = replace(study, cines=study.cines[1:2])
    other = replace(small, subject=replace(small.subject, weight_kg=59.0))
    one, again, changed = (
        write_dicom(which, tmp_path / name) for which, name in ((small, "a"), (small, "b"), (other, "c"))
    )
    assert [p.read_bytes() for p in all_files(one)] == [p.read_bytes() for p in all_files(again)]
    uids = [
        {dcmread(p, stop_before_pixels=True).SOPInstanceUID for p in all_files(folder)} for folder in (one, changed)
    ]
    assert len(uids[0]) == N_FRAMES and not uids[0] & uids[1]


@pytest.mark.medium
def test_every_series_has_its_own_uid_and_all_share_study_and_frame_of_reference(tmp_path: Path, study: Study) -> None:
    images = [dcmread(p, stop_before_pixels=True) for p in all_files(write_dicom(study, tmp_path / "written"))]
    assert len({image.SeriesInstanceUID for image in images}) == 8
    assert len({(image.StudyInstanceUID, image.FrameOfReferenceUID) for image in images}) == 1
    assert len({image.SOPInstanceUID for image in images}) == len(images)


def test_a_filled_folder_is_kept_without_overwrite(tmp_path: Path, study: Study) -> None:
    small = replace(study, cines=study.cines[1:2])
    folder = tmp_path / "written"
    folder.mkdir()
    (folder / "mine.txt").write_text("mine")
    with pytest.raises(OutputExistsError, match="written"):
        write_dicom(small, folder)
    assert [path.name for path in all_files(tmp_path)] == ["mine.txt"]
    write_dicom(small, folder, overwrite=True)
    assert len(list(all_files(tmp_path))) == N_FRAMES


def test_a_study_that_dicom_cannot_represent_leaves_nothing_behind(tmp_path: Path, study: Study) -> None:
    cine = study.cines[1]
    lost = replace(cine, orientation_known=False)
    skewed = replace(cine, affine=cine.affine + np.eye(4)[[1, 0, 2, 3]] * [[1], [0], [0], [0]])
    broken = cine.with_array(np.full_like(cine.array, np.nan))
    for bad, error in ((lost, GeometryError), (skewed, GeometryError), (broken, InputError)):
        with pytest.raises(error):
            write_dicom(replace(study, cines=(bad,)), tmp_path / "written")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("shape", DicomShape)
def test_a_validator_finds_nothing_against_the_standard(tmp_path: Path, study: Study, shape: DicomShape) -> None:
    """By David Clunie's dciodvfy, where it is installed (Debian's dicom3tools)."""
    validator = shutil.which("dciodvfy")
    if validator is None:
        pytest.skip("dciodvfy is not installed")
    folder = write_dicom(study, tmp_path / "written", shape=shape, compression=Compression.JPEG_2000)
    last = list(all_files(folder))[-1]
    done = subprocess.run([validator, str(last)], capture_output=True, text=True, check=False)
    said = [line for line in done.stderr.splitlines() if line.startswith(("Error", "Warning"))]
    assert done.returncode == 0 and said == [], done.stderr


@pytest.mark.realdata
@pytest.mark.parametrize("shape", DicomShape)
def test_a_real_study_written_anew_is_the_same_study(tmp_path: Path, real_data: Path, shape: DicomShape) -> None:
    real = read_study(real_data / "multiview_dicom" / "study")
    packed = write_dicom(real, tmp_path / "study", shape=shape, compression=Compression.JPEG_LS)
    read = read_study(packed)
    assert [cine.view for cine in read.cines] == [cine.view for cine in real.cines]
    assert codes(read) == codes(real)
    measured = tuple(cine for cine in real.cines if cine.view is not View.OTHER)
    check_same(read, replace(real, cines=measured), within=0)
