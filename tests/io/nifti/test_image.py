"""NIfTI in and out: the true geometry, nothing repaired in silence, masks on the very same grid."""

from __future__ import annotations

import gzip
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from nibabel.nifti1 import Nifti1Extension

from cinema_cmr.core.annotation import LabelMap
from cinema_cmr.core.errors import GeometryError, InputError, UnreadableFileError, UsageError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine
from cinema_cmr.io.nifti.image import read_nifti_cine, write_cine, write_mask
from cinema_cmr.io.nifti.source import stored_header

ACDC = {"srow_x": [-1, 0, 0, 0], "srow_y": [0, -1, 0, 0], "srow_z": [0, 0, 1, 0], "sform_code": 2}
OF_VOXELS = {"datatype", "bitpix", "scl_slope", "scl_inter", "cal_min", "cal_max", "vox_offset"}
TEXTS = {
    **{"descrip": b"Doe, Jane", "aux_file": b"doe.xml", "db_name": b"doe", "intent_name": b"doe", "data_type": b"doe"},
    **{"extents": 19430829, "session_error": 30613, "glmax": 19870613, "glmin": 19430829, "toffset": 19430829.0},
    **{"intent_p1": 19430829.0, "regular": b"Z"},
}
"""Fields in which other programs have left names and dates."""


def oblique() -> np.ndarray:
    """Sizes 1.25, 1.5 and 8 mm along three square axes that are none of the patient's."""
    i, j = np.array([0.8, 0.36, 0.48]), np.array([-0.6, 0.48, 0.64])
    affine = np.eye(4)
    affine[:3, :3] = np.column_stack([1.25 * i, 1.5 * j, 8 * np.cross(i, j)])
    affine[:3, 3] = 40, -20, 7
    return affine


def image(shape: tuple[int, ...], dtype: Any = np.int16) -> np.ndarray:
    """Smooth in plane, rough across slices, changing little in time: an image, to a reader that looks."""
    waves = [(40, 1 / 3), (40, 1 / 3), (30, 2.0), (3, 1 / 3), (3, 1 / 3), (3, 1 / 3)]
    grid = np.meshgrid(*[np.arange(n) for n in shape], indexing="ij", sparse=True)
    values = 128 + sum(high * np.sin(g * pace) for g, (high, pace) in zip(grid, waves, strict=False))
    return np.asarray(values).astype(dtype)


def save(path: Path, array: np.ndarray, affine: np.ndarray | None = None, **fields: Any) -> Path:
    """A NIfTI-1 file with a name in a comment and header fields set to any value, `pixdim` by index."""
    made = nibabel.Nifti1Image(array, oblique() if affine is None else affine, dtype=array.dtype)
    made.header.extensions.append(Nifti1Extension("comment", b"Doe, Jane"))
    content = made.to_bytes()
    header = nibabel.Nifti1Header(content[:348], check=False)
    for name, value in fields.items():
        if isinstance(value, Mapping):
            for index, item in value.items():
                header[name][index] = item
        else:
            header[name] = value
    content = header.binaryblock + content[348:]
    path.write_bytes(gzip.compress(content, 1) if path.name.endswith(".gz") else content)
    return path


def codes(path: Path, view: View | None = None) -> set[str]:
    return {issue.code for issue in read_nifti_cine(path, view=view)[1]}


def raw_header(path: Path) -> dict[str, bytes]:
    content = path.read_bytes()
    content = gzip.decompress(content) if path.name.endswith(".gz") else content
    header = nibabel.Nifti1Header(content[:348], check=False)
    return {name: np.asarray(header[name]).tobytes() for name in header}


def fails(path: Path, error: type[InputError], match: str) -> None:
    with pytest.raises(error, match=match) as raised:
        read_nifti_cine(path)
    assert type(raised.value) is error
    assert path.name in str(raised.value) and str(path.parent) not in str(raised.value)


@pytest.mark.parametrize("dtype", ["u1", "i2", ">i2", "u2", "i4", "f4", "f8", ">f8"])
@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_voxels_keep_their_position_and_value(tmp_path: Path, dtype: str, name: str) -> None:
    array = image((20, 18, 5, 7), np.dtype(dtype))
    cine, issues = read_nifti_cine(save(tmp_path / name, array))
    np.testing.assert_array_equal(cine.array, array.astype(np.float32), strict=True)
    np.testing.assert_allclose(cine.affine, oblique(), atol=1e-5)
    np.testing.assert_allclose(cine.slice_positions_mm, np.arange(5) * 8, atol=1e-4)
    assert cine.orientation_known and cine.view is View.SAX and cine.label == "a"
    assert [issue.code for issue in issues] == ["frame-times-unknown"]
    assert issues[0].evidence["file"] == "a"


@pytest.mark.parametrize(("slope", "factor", "offset"), [(0.25, 0.25, -7), (0, 1, 0), (np.nan, 1, 0)])
def test_scaling_is_applied(tmp_path: Path, slope: float, factor: float, offset: float) -> None:
    array = image((20, 18, 5))
    cine, _ = read_nifti_cine(save(tmp_path / "a.nii", array, scl_slope=slope, scl_inter=-7))
    np.testing.assert_allclose(cine.array[..., 0], array * factor + offset)


@pytest.mark.parametrize(
    ("shape", "read_as"),
    [
        ((20, 18), (20, 18, 1, 1)),
        ((20, 18, 5), (20, 18, 5, 1)),
        ((20, 18, 1, 7), (20, 18, 1, 7)),
        ((20, 18, 5, 1, 7), (20, 18, 5, 7)),
        ((20, 18, 5, 7, 1, 1), (20, 18, 5, 7)),
        ((20, 18, 5, 1, 1), (20, 18, 5, 1)),
    ],
)
def test_shapes_go_in_and_out(tmp_path: Path, shape: tuple[int, ...], read_as: tuple[int, ...]) -> None:
    path = save(tmp_path / "a.nii", image(shape))
    cine, issues = read_nifti_cine(path)
    assert cine.array.shape == read_as
    assert ("singleton-axes" in {issue.code for issue in issues}) == (len(shape) > 4)
    write_mask((cine.array > 128).astype(np.uint8) * 3, cine, tmp_path / "mask.nii")
    written = nibabel.load(tmp_path / "mask.nii")
    assert written.shape == shape
    np.testing.assert_array_equal(np.asarray(written.dataobj), (image(shape) > 128) * 3)


@pytest.mark.parametrize(
    ("fields", "expected", "oriented", "issue"),
    [
        ({"qform_code": 0}, oblique(), True, None),
        ({"sform_code": 0, "qform_code": 1}, oblique(), True, None),
        ({"sform_code": 0, "qform_code": 0}, np.diag([-1.25, -1.5, 8, 1]), False, "orientation-unknown"),
        ({**ACDC, "qform_code": 0}, np.diag([-1.25, -1.5, 8, 1]), False, "orientation-unknown"),
        ({"qform_code": 1, "qoffset_x": 99}, oblique(), True, "sform-qform-differ"),
        ({"pixdim": {1: 2.5}}, oblique(), True, "spacing-disagrees"),
    ],
)
def test_the_affine_is_chosen_by_rule(
    tmp_path: Path, fields: dict[str, Any], expected: np.ndarray, oriented: bool, issue: str | None
) -> None:
    made = nibabel.Nifti1Image(image((20, 18, 5)), oblique())
    made.set_qform(oblique(), code=2)
    names = ("quatern_b", "quatern_c", "quatern_d", "qoffset_x", "qoffset_y", "qoffset_z", "qform_code")
    fields = {name: made.header[name] for name in names} | {"pixdim": {0: made.header["pixdim"][0]}} | fields
    cine, issues = read_nifti_cine(save(tmp_path / "a.nii", image((20, 18, 5)), **fields))
    np.testing.assert_allclose(cine.affine, expected, atol=1e-5)
    assert cine.orientation_known == oriented
    assert [found.code for found in issues] == ([issue] if issue else [])


def test_default_grids_are_reported(tmp_path: Path) -> None:
    aligned = save(tmp_path / "a.nii", image((20, 18, 5)), np.diag([-1.458, -1.458, 10, 1]))
    assert codes(aligned) == {"orientation-unknown"}
    assert read_nifti_cine(aligned)[0].spacing_mm == pytest.approx((1.458, 1.458, 10))
    cubes = save(tmp_path / "b.nii", image((20, 18, 5)), np.eye(4))
    assert codes(cubes) == {"orientation-unknown", "spacing-implausible"}


def test_skewed_axes_are_reported_and_volumes_are_true(tmp_path: Path) -> None:
    affine = oblique()
    affine[:3, 2] += 8 * np.tan(np.radians(3)) * affine[:3, 0] / 1.25
    cine, issues = read_nifti_cine(save(tmp_path / "a.nii", image((20, 18, 5)), affine))
    (skew,) = [issue for issue in issues if issue.code == "axes-not-square"]
    assert skew.evidence["skew_deg"] == pytest.approx(3, abs=0.01)
    assert skew.severity == "warning"
    assert cine.slice_positions_mm[1] == pytest.approx(8)
    assert cine.voxel_volumes_ml[2] == pytest.approx(np.linalg.det(affine[:3, :3]) / 1000)


@pytest.mark.parametrize(("unit", "scale"), [(1, 1000), (3, 0.001)])
def test_lengths_in_other_units_become_mm(tmp_path: Path, unit: int, scale: float) -> None:
    affine = np.diag([*[1 / scale] * 3, 1]) @ oblique()
    path = save(tmp_path / "a.nii", image((20, 18, 5)), affine, xyzt_units=unit)
    assert read_nifti_cine(path)[0].spacing_mm == pytest.approx((1.25, 1.5, 8))
    assert codes(path) == {"units-converted"}


@pytest.mark.parametrize("value", [0.0, -1.5, np.nan, np.inf])
@pytest.mark.parametrize("axis", [1, 2, 3])
def test_sizes_that_cannot_be_are_refused(tmp_path: Path, axis: int, value: float) -> None:
    path = save(tmp_path / "a.nii.gz", image((20, 18, 5)), pixdim={axis: value})
    fails(path, GeometryError, f"voxel size along {'xyz'[axis - 1]} is {value:g}; expected above 0 mm")


def test_a_single_plane_may_lack_its_thickness(tmp_path: Path) -> None:
    path = save(tmp_path / "a.nii", image((20, 18)), pixdim={3: 0}, sform_code=0)
    assert {"slice-thickness-unknown", "single-slice"} < codes(path)
    assert "single-slice" not in codes(path, view=View.LAX_4C)


@pytest.mark.parametrize("value", [np.nan, np.inf, 0])
def test_an_affine_that_cannot_be_is_refused(tmp_path: Path, value: float) -> None:
    path = save(tmp_path / "a.nii", image((20, 18, 5)), srow_x=[value] * 4, srow_y=[0] * 4)
    fails(path, GeometryError, "affine")


@pytest.mark.parametrize(("step", "unit", "cycle_ms"), [(0.04, 8, 1000), (40, 16, 1000), (10000, 24, None)])
def test_frame_times_are_read(tmp_path: Path, step: float, unit: int, cycle_ms: float | None) -> None:
    path = save(tmp_path / "a.nii", image((20, 18, 5, 25)), pixdim={4: step}, xyzt_units=2 + unit)
    cine, issues = read_nifti_cine(path)
    np.testing.assert_allclose(cine.frame_times_ms, np.arange(25) * (40 if cycle_ms else 10), rtol=1e-6)
    assert cine.rr_interval_ms == (cycle_ms and pytest.approx(cycle_ms))
    assert {issue.code for issue in issues} == ({"cycle-from-frames"} if cycle_ms else set())


def test_a_few_frames_are_no_cycle(tmp_path: Path) -> None:
    path = save(tmp_path / "a.nii", image((20, 18, 5, 2)), pixdim={4: 0.25}, xyzt_units=10)
    cine, _ = read_nifti_cine(path)
    assert cine.rr_interval_ms is None


@pytest.mark.parametrize("told", [(0, 8), (1, 8), (0.04, 16), (0.04, 0), (-0.04, 8), (np.nan, 8), (2, 8)])
def test_placeholder_frame_times_are_unknown(tmp_path: Path, told: tuple[float, int]) -> None:
    path = save(tmp_path / "a.nii", image((20, 18, 5, 25)), pixdim={4: told[0]}, xyzt_units=2 + told[1])
    cine, _ = read_nifti_cine(path)
    assert (cine.frame_times_ms, cine.rr_interval_ms) == (None, None)
    assert codes(path) == {"frame-times-unknown"}


def test_time_first_is_detected_by_square_pixels_too(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).normal(size=(40, 64, 64, 10)).astype(np.float32)
    sizes = {"sform_code": 0, "pixdim": {1: 30.0, 2: 1.5, 3: 1.5}}
    fails(save(tmp_path / "a.nii", noise, **sizes), GeometryError, "time")


@pytest.mark.parametrize("shape", [(64, 64, 30, 20), (40, 40, 36, 10), (64, 70, 1, 60), (16, 16, 12, 30)])
def test_time_last_is_not_mistaken(tmp_path: Path, shape: tuple[int, ...]) -> None:
    assert codes(save(tmp_path / "a.nii", image(shape))) <= {"frame-times-unknown", "single-slice"}


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_voxels_that_are_no_numbers_are_counted_and_refused(tmp_path: Path, value: float) -> None:
    array = image((20, 18, 5, 2), np.float64)
    array[3, 4, 2, :], array[0, 0, 0, 0] = value, 1e300
    fails(save(tmp_path / "a.nii.gz", array), UnreadableFileError, "3 of 3600 voxels are NaN or infinite")


@pytest.mark.parametrize("values", [(0, 1, 2, 3), (0, 255), (0.0, 4.0), (0, 3, 10), (1, 2)])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_a_label_map_is_refused(tmp_path: Path, values: tuple[float, ...], dtype: Any) -> None:
    array = np.random.default_rng(0).choice(values, (20, 18, 5)).astype(dtype)
    fails(save(tmp_path / "a.nii.gz", array), InputError, "those of a label map")


@pytest.mark.parametrize(("top", "dtype"), [(1, np.float32), (255, np.uint8), (100, np.int16)])
def test_a_map_of_probabilities_is_refused(tmp_path: Path, top: float, dtype: Any) -> None:
    distance = np.hypot(*np.meshgrid(np.arange(64) - 32, np.arange(64) - 32))[..., None, None]
    likely = np.clip((14 - distance) / 4 + 0.5, 0, 1) * top * np.ones((1, 1, 5, 10))
    fails(save(tmp_path / "sax.nii.gz", likely.astype(dtype)), InputError, "map of probabilities")
    spiked = np.append(image((64, 64, 5, 10), np.float32).ravel()[:-1], 1e6).reshape(64, 64, 5, 10)
    assert read_nifti_cine(save(tmp_path / "spiked.nii.gz", spiked))[0].n_frames == 10


def test_a_blank_image_is_refused_and_blank_frames_are_reported(tmp_path: Path) -> None:
    array = image((20, 18, 5, 4))
    array[:, :, 1, 2:] = 0
    (blank,) = [i for i in read_nifti_cine(save(tmp_path / "a.nii", array))[1] if i.code == "blank-images"]
    assert blank.evidence["images"] == 2
    fails(save(tmp_path / "b.nii", np.full_like(array, 7)), InputError, "every voxel is 7")


def test_truncated_damaged_and_other_files_are_refused(tmp_path: Path) -> None:
    plain = save(tmp_path / "a.nii", image((20, 18, 5))).read_bytes()
    packed = gzip.compress(plain)
    for n_bytes in (0, 2, 10, 200, 347, 351, 352, 1000, len(plain) - 1):
        (tmp_path / "b.nii").write_bytes(plain[:n_bytes])
        fails(tmp_path / "b.nii", UnreadableFileError, "truncated|not a NIfTI")
    for n_bytes in (2, 9, 12, 50, len(packed) // 2, len(packed) - 8, len(packed) - 1):
        (tmp_path / "b.nii.gz").write_bytes(packed[:n_bytes])
        fails(tmp_path / "b.nii.gz", UnreadableFileError, "truncated|not a NIfTI")
    flipped = bytearray(gzip.compress(plain, 0))
    flipped[2000] ^= 1
    (tmp_path / "c.nii.gz").write_bytes(flipped)
    fails(tmp_path / "c.nii.gz", UnreadableFileError, "damaged")
    (tmp_path / "d.nii.gz").write_bytes(b"a text that calls itself an image" * 50)
    fails(tmp_path / "d.nii.gz", UnreadableFileError, "not a NIfTI")
    fails(tmp_path / "e.nii.gz", UnreadableFileError, "cannot be opened")


@pytest.mark.parametrize(
    ("fields", "error", "match"),
    [
        ({"magic": b"ni1\0"}, UnreadableFileError, "pair"),
        ({"magic": b""}, UnreadableFileError, "Analyze"),
        ({"sizeof_hdr": 99}, UnreadableFileError, "not a NIfTI"),
        ({"datatype": 128}, InputError, "data type 128 is colour or complex"),
        ({"datatype": 32}, InputError, "data type 32 is colour or complex"),
        ({"datatype": 31000}, UnreadableFileError, "unknown data type 31000"),
        ({"dim": [3, 30000, 30000, 30000, 1, 1, 1, 1]}, UnreadableFileError, "header is damaged"),
        ({"vox_offset": np.nan}, UnreadableFileError, "header is damaged"),
        ({"vox_offset": 12}, UnreadableFileError, "header is damaged"),
        ({"dim": [1, 1800, 1, 1, 1, 1, 1, 1]}, GeometryError, "has 1 axes"),
        ({"dim": [9, 20, 18, 5, 1, 1, 1, 1]}, GeometryError, "has 9 axes"),
        ({"dim": [3, 20, -18, 5, 1, 1, 1, 1]}, GeometryError, "-18"),
        ({"dim": [5, 10, 9, 5, 2, 2, 1, 1]}, GeometryError, "more than four axes"),
    ],
)
def test_headers_that_cannot_be_used(
    tmp_path: Path, fields: dict[str, Any], error: type[InputError], match: str
) -> None:
    fails(save(tmp_path / "a.nii.gz", image((20, 18, 5)), **fields), error, match)


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
@pytest.mark.parametrize(
    "fields",
    [
        {"qform_code": 3, "quatern_b": 0.5, "qoffset_x": 3.25, "xyzt_units": 10, "pixdim": {4: 0.04}},
        {**ACDC, "qform_code": 0, "pixdim": {0: 0, 5: 0, 7: 2}, "xyzt_units": 0},
        {"scl_slope": 0.25, "scl_inter": -7, "cal_max": 900, "dim_info": 57},
    ],
)
def test_a_mask_has_its_images_own_header_without_its_texts(tmp_path: Path, fields: dict[str, Any], name: str) -> None:
    path = save(tmp_path / name, image((20, 18, 5, 7)), **fields, **TEXTS)
    cine, _ = read_nifti_cine(path)
    labels = np.random.default_rng(0).integers(0, 4, (20, 18, 5, 7), np.uint8)
    write_mask(LabelMap(array=labels), cine, tmp_path / f"mask_{name}")
    before, after = raw_header(path), raw_header(tmp_path / f"mask_{name}")
    assert {field for field in before if before[field] != after[field]} <= OF_VOXELS | set(TEXTS)
    written = nibabel.load(tmp_path / f"mask_{name}")
    assert all(not np.any(np.frombuffer(after[field], np.uint8)) for field in set(TEXTS) - {"descrip"})
    assert b"doe" not in (stored_header(cine) or b"").lower() + written.to_bytes().lower()
    assert written.get_data_dtype() == np.uint8
    np.testing.assert_array_equal(written.get_fdata(), labels)
    np.testing.assert_array_equal(written.affine, nibabel.load(path).affine)


@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
@pytest.mark.parametrize("order", ["<", ">"])
def test_a_cine_comes_back(tmp_path: Path, kind: Any, order: str) -> None:
    header = kind.header_class(endianness=order)
    made = kind(image((20, 18, 5, 7)), oblique(), header, dtype=np.int16)
    (tmp_path / "a.nii").write_bytes(made.to_bytes())
    cine, _ = read_nifti_cine(tmp_path / "a.nii")
    write_cine(cine, tmp_path / "b.nii.gz")
    again = nibabel.load(tmp_path / "b.nii.gz")
    assert isinstance(again, kind)
    np.testing.assert_array_equal(again.get_fdata(), image((20, 18, 5, 7)))
    np.testing.assert_allclose(again.affine, oblique(), atol=1e-5)


def from_dicom(n_frames: int = 20, positions: tuple[float, ...] = (0, 8, 16, 24, 32)) -> Cine:
    return Cine(
        array=image((20, 18, 5, n_frames), np.float32),
        affine=oblique(),
        view=View.SAX,
        slice_positions_mm=np.array(positions, dtype=float),
        frame_times_ms=np.arange(n_frames) * 42.5,
    )


def test_a_cine_from_dicom_gets_a_header(tmp_path: Path) -> None:
    write_mask((from_dicom().array > 128).astype(np.uint8), from_dicom(), tmp_path / "mask.nii.gz")
    assert (tmp_path / "mask.nii.gz").read_bytes()[4:8] == bytes(4), "no time, so that runs repeat"
    header = nibabel.load(tmp_path / "mask.nii.gz").header
    for affine, code in (header.get_sform(coded=True), header.get_qform(coded=True)):
        np.testing.assert_allclose(affine, oblique(), atol=1e-5)
        assert code == 1
    assert (*header.get_zooms(), *header.get_xyzt_units()) == (1.25, 1.5, 8, 42.5, "mm", "msec")
    write_cine(from_dicom(n_frames=1), tmp_path / "frame.nii")
    assert nibabel.load(tmp_path / "frame.nii").shape == (20, 18, 5)
    write_cine(from_dicom(positions=(0, 8, 12, 24, 32)), tmp_path / "uneven.nii")
    assert b"uneven" in raw_header(tmp_path / "uneven.nii")["descrip"]
    cine, issues = read_nifti_cine(tmp_path / "uneven.nii")
    assert cine.frame_times_ms == pytest.approx(np.arange(20) * 42.5)
    assert cine.rr_interval_ms == pytest.approx(850)
    assert {issue.code for issue in issues} == {"cycle-from-frames"}


@pytest.mark.parametrize(
    ("shape", "dtype", "name", "error"),
    [
        ((20, 18, 5, 19), np.uint8, "mask.nii", GeometryError),
        ((20, 18, 5, 20), np.int64, "mask.nii", TypeError),
        ((20, 18, 5, 20), np.uint8, "mask.png", UsageError),
        ((20, 18, 5, 20), np.uint8, "there.nii", InputError),
    ],
)
def test_a_mask_that_does_not_fit_is_not_written(
    tmp_path: Path, shape: tuple[int, ...], dtype: Any, name: str, error: type[Exception]
) -> None:
    (tmp_path / "there.nii").write_text("before")
    with pytest.raises(error):
        write_mask(np.zeros(shape, dtype), from_dicom(), tmp_path / name)
    assert os.listdir(tmp_path) == ["there.nii"]


@pytest.mark.realdata
def test_acdc_keeps_its_header_and_its_label_maps_are_refused(real_data: Path, tmp_path: Path) -> None:
    folder = real_data / "acdc" / "database" / "training" / "patient090"
    for path in folder.glob("*.nii.gz"):
        if "_gt" in path.name:
            fails(path, InputError, "those of a label map")
            continue
        cine, _ = read_nifti_cine(path)
        write_mask(np.zeros(cine.array.shape, np.uint8), cine, tmp_path / path.name)
        before, after = raw_header(path), raw_header(tmp_path / path.name)
        assert {field for field in before if before[field] != after[field]} <= OF_VOXELS
        assert cine.spacing_mm == pytest.approx((1.78571, 1.78571, 10)) and not cine.orientation_known
