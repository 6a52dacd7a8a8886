"""Label maps from files: codes translated once, never repaired, on their image's grid or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

from cinema_cmr.core.errors import GeometryError, InputError, UnreadableFileError
from cinema_cmr.io.nifti.image import read_nifti_cine
from cinema_cmr.io.nifti.labels import read_label_codes
from cinema_cmr.io.nifti.source import stored_header

SHAPE = (6, 5, 3)
AFFINE = np.diag([-1.5, -1.5, 8.0, 1.0])
CODES = {10: 3, 20: 2, 30: 1}


def codes_array(dtype: Any = np.uint8) -> Any:
    return np.random.default_rng(0).choice([0, 10, 20, 30], size=SHAPE).astype(dtype)


def saved(path: Path, array: Any, affine: Any = AFFINE) -> Path:
    nibabel.Nifti1Image(array, affine).to_filename(path)
    return path


def image_header(path: Path, affine: Any = AFFINE) -> bytes:
    image = np.random.default_rng(1).uniform(0, 900, SHAPE).astype(np.float32)
    header = stored_header(read_nifti_cine(saved(path, image, affine))[0])
    assert header is not None
    return header


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32, np.float64])
def test_codes_are_translated(tmp_path: Path, dtype: Any) -> None:
    read = read_label_codes(saved(tmp_path / "m.nii.gz", codes_array(dtype)), (*SHAPE, 1), codes=CODES)
    assert read.dtype == np.uint8 and read.shape == (*SHAPE, 1)
    for code, ours in {0: 0, **CODES}.items():
        assert np.array_equal(read[..., 0] == ours, codes_array() == code)


def test_an_unlisted_code_is_refused_not_dropped(tmp_path: Path) -> None:
    array = codes_array()
    array[0, 0, 0] = 4
    with pytest.raises(InputError, match=r"holds the values \[4\].*\[0, 10, 20, 30\]"):
        read_label_codes(saved(tmp_path / "m.nii", array), (*SHAPE, 1), codes=CODES)


@pytest.mark.parametrize("value", [10.5, np.nan, -1.0])
def test_interpolated_labels_are_refused(tmp_path: Path, value: float) -> None:
    array = codes_array(np.float32)
    array[1, 1, 1] = value
    with pytest.raises(InputError, match="holds the values"):
        read_label_codes(saved(tmp_path / "m.nii", array), (*SHAPE, 1), codes=CODES)


def test_another_shape_than_the_image_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GeometryError, match="on the image's grid"):
        read_label_codes(saved(tmp_path / "m.nii", codes_array()), (5, 6, 3, 1), codes=CODES)


def test_the_same_place_as_the_image_passes(tmp_path: Path) -> None:
    header = image_header(tmp_path / "i.nii")
    nudged = AFFINE.copy()
    nudged[0, 3] = 0.3
    path = saved(tmp_path / "m.nii", codes_array(), nudged)
    assert read_label_codes(path, (*SHAPE, 1), codes=CODES, image_header=header).any()


@pytest.mark.parametrize("wrong", ["flipped", "shifted", "spacing"])
def test_the_same_shape_in_another_place_is_refused(tmp_path: Path, wrong: str) -> None:
    affine = AFFINE.copy()
    if wrong == "flipped":
        affine[:, 0] *= -1
    elif wrong == "shifted":
        affine[2, 3] = 8.0
    else:
        affine[2, 2] = 10.0
    header = image_header(tmp_path / "i.nii")
    with pytest.raises(GeometryError, match="on the image's grid"):
        path = saved(tmp_path / "m.nii", codes_array(), affine)
        read_label_codes(path, (*SHAPE, 1), codes=CODES, image_header=header)


def test_sizes_in_pixdim_only_are_compared_too(tmp_path: Path) -> None:
    header = image_header(tmp_path / "i.nii", np.diag([-1.0, -1.0, 1.0, 1.0]))
    mask = nibabel.Nifti1Image(codes_array(), np.diag([-1.0, -1.0, 1.0, 1.0]))
    mask.header["pixdim"][3] = 10.0
    (tmp_path / "m.nii").write_bytes(mask.to_bytes())
    with pytest.raises(GeometryError, match=r"'m.nii' has voxels of \[1.0, 1.0, 10.0\] mm"):
        read_label_codes(tmp_path / "m.nii", (*SHAPE, 1), codes=CODES, image_header=header)


def test_a_damaged_or_missing_file_is_named(tmp_path: Path) -> None:
    whole = saved(tmp_path / "m.nii.gz", codes_array()).read_bytes()
    for content in (b"", b"no image", whole[: len(whole) // 2]):
        (tmp_path / "torn.nii.gz").write_bytes(content)
        with pytest.raises(UnreadableFileError, match=r"'torn.nii.gz' is not a readable"):
            read_label_codes(tmp_path / "torn.nii.gz", (*SHAPE, 1), codes=CODES)
    with pytest.raises(UnreadableFileError, match=r"absent"):
        read_label_codes(tmp_path / "absent.nii", (*SHAPE, 1), codes=CODES)


def test_damaged_extents_of_a_file_that_is_not_compressed_are_named(tmp_path: Path) -> None:
    content = bytearray(saved(tmp_path / "m.nii", codes_array()).read_bytes())
    content[40:56] = np.array([3, 6, -500, 3, 1, 1, 1, 1], "<i2").tobytes()
    (tmp_path / "m.nii").write_bytes(content)
    with pytest.raises(UnreadableFileError, match=r"'m.nii' is not a readable"):
        read_label_codes(tmp_path / "m.nii", (*SHAPE, 1), codes=CODES)
