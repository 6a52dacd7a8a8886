"""A segmentation of 3D Slicer holds the part of the grid with segments; its voxels stay where they were."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

from cinema_cmr.core.errors import GeometryError
from cinema_cmr.io.nifti.image import read_nifti_cine
from cinema_cmr.io.nifti.labels import read_label_codes
from cinema_cmr.io.nifti.segment_extent import is_segmentation
from cinema_cmr.io.nifti.source import stored_header

SHAPE = (12, 10, 5, 1)
CODES = {1: 1, 2: 2, 3: 3}
OBLIQUE = np.array([[1.2, -0.4, 1.5, 30], [0.5, 1.3, 2.0, -12], [-0.3, 0.2, 7.5, 5], [0, 0, 0, 1]])
PART = (slice(3, 9), slice(2, 8), slice(1, 4))
KEY = "Segmentation_ReferenceImageExtentOffset"


@pytest.fixture
def sitk() -> Any:
    return pytest.importorskip("SimpleITK")


@pytest.fixture
def labels() -> np.ndarray:
    array = np.zeros(SHAPE, np.uint8)
    array[*PART, 0] = np.random.default_rng(0).choice([1, 2, 3], size=(6, 6, 3))
    return array


@pytest.fixture
def header(tmp_path: Path, labels: np.ndarray) -> bytes:
    axes = OBLIQUE.copy()
    axes[:3, :3] = np.linalg.qr(OBLIQUE[:3, :3])[0] * [1.4, 1.4, 8.0]
    nibabel.Nifti1Image(labels[..., 0], axes).to_filename(tmp_path / "drawn.nii")
    nibabel.Nifti1Image(labels[..., 0].astype(np.float32) * 90 + 10, axes).to_filename(tmp_path / "image.nii")
    found = stored_header(read_nifti_cine(tmp_path / "image.nii")[0])
    assert found is not None
    return found


def part_of(sitk: Any, folder: Path, *, mark: bool = True, move_mm: float = 0.0) -> Path:
    """What Slicer writes: the smallest box about the segments, with the place of its first voxel."""
    image = sitk.ReadImage(str(folder / "drawn.nii"))[3:9, 2:8, 1:4]
    image.SetOrigin([value + move_mm for value in image.GetOrigin()])
    if mark:
        image.SetMetaData(KEY, "3 2 1")
    path = folder / "heart.seg.nrrd"
    sitk.WriteImage(image, str(path), useCompression=True)
    return path


def test_a_part_is_placed_on_the_whole_grid(sitk: Any, tmp_path: Path, labels: np.ndarray, header: bytes) -> None:
    path = part_of(sitk, tmp_path)
    assert is_segmentation(path)
    assert np.array_equal(read_label_codes(path, SHAPE, codes=CODES, image_header=header), labels)


@pytest.mark.parametrize(("mark", "move_mm"), [(False, 0.0), (True, 0.6), (True, -40.0)])
def test_what_is_no_part_of_the_grid_is_refused(
    sitk: Any, tmp_path: Path, header: bytes, mark: bool, move_mm: float
) -> None:
    """A file of another program may have lost its place; between voxels and beyond the image nothing is known."""
    path = part_of(sitk, tmp_path, mark=mark, move_mm=move_mm)
    with pytest.raises(GeometryError, match="expected a mask on the image's grid"):
        read_label_codes(path, SHAPE, codes=CODES, image_header=header)


def test_other_files_are_no_segmentations(sitk: Any, tmp_path: Path, header: bytes) -> None:
    assert not is_segmentation(part_of(sitk, tmp_path, mark=False)) and not is_segmentation(tmp_path / "image.nii")
