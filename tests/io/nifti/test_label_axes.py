"""A label map stored with its axes in another order or direction than its image: its voxels stay where they were."""

from __future__ import annotations

from itertools import permutations, product
from pathlib import Path

import nibabel
import numpy as np
import pytest

from cinema_cmr.core.errors import GeometryError, UnreadableFileError
from cinema_cmr.io.nifti.image import read_nifti_cine
from cinema_cmr.io.nifti.label_axes import LabelAxes
from cinema_cmr.io.nifti.labels import read_label_codes
from cinema_cmr.io.nifti.source import stored_header

SHAPE = (6, 5, 3, 2)
CODES = {1: 1, 2: 2, 3: 3}
LABELS = np.random.default_rng(0).choice([0, 1, 2, 3], size=SHAPE).astype(np.uint8)
OBLIQUE = np.array([[1.2, -0.4, 1.5, 30], [0.5, 1.3, 2.0, -12], [-0.3, 0.2, 7.5, 5], [0, 0, 0, 1]])
ORIENTATIONS = [
    np.array(list(zip(order, signs, strict=True)), dtype=float)
    for order in permutations(range(3))
    for signs in product((1, -1), repeat=3)
]


def saved(path: Path, orientation: np.ndarray, affine: np.ndarray = OBLIQUE) -> Path:
    stored = nibabel.Nifti1Image(LABELS, affine)
    stored.header.set_zooms((*stored.header.get_zooms()[:3], 40))
    stored.as_reoriented(orientation).to_filename(path)
    return path


def image_header(folder: Path) -> bytes:
    nibabel.Nifti1Image(LABELS.astype(np.float32) * 90 + 10, OBLIQUE).to_filename(folder / "image.nii")
    header = stored_header(read_nifti_cine(folder / "image.nii")[0])
    assert header is not None
    return header


@pytest.mark.parametrize("orientation", ORIENTATIONS, ids=[str(one.astype(int).tolist()) for one in ORIENTATIONS])
def test_every_order_and_direction_of_the_axes_gives_the_same_labels(tmp_path: Path, orientation: np.ndarray) -> None:
    path = saved(tmp_path / "mask.nii", orientation)
    read = read_label_codes(path, SHAPE, codes=CODES, image_header=image_header(tmp_path))
    assert np.array_equal(read, LABELS)


def test_an_image_without_a_position_takes_the_axes_as_they_are_stored(tmp_path: Path) -> None:
    path = saved(tmp_path / "mask.nii", np.array([[0, -1], [1, 1], [2, 1]]))
    read = read_label_codes(path, SHAPE, codes=CODES, image_header=image_header(tmp_path), placed=False)
    assert np.array_equal(read, LABELS[::-1])


def test_a_mirrored_header_alone_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "mask.nii", np.array([[0, 1], [1, 1], [2, 1]]), OBLIQUE @ np.diag([-1.0, 1, 1, 1]))
    with pytest.raises(GeometryError, match="from its image, with the same shape"):
        read_label_codes(path, SHAPE, codes=CODES, image_header=image_header(tmp_path))


def test_a_torn_file_in_another_order_is_named(tmp_path: Path) -> None:
    path = saved(tmp_path / "mask.nii", np.array([[1, 1], [0, 1], [2, 1]]))
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(UnreadableFileError, match=r"'mask\.nii' is not a readable label map"):
        read_label_codes(path, SHAPE, codes=CODES, image_header=image_header(tmp_path))


def test_an_affine_without_an_inverse_leaves_the_axes_alone(tmp_path: Path) -> None:
    stored = nibabel.load(saved(tmp_path / "mask.nii", np.array([[0, -1], [1, 1], [2, 1]])))
    axes = LabelAxes.of(stored, np.zeros((4, 4)))
    assert axes.shape_on_image == SHAPE and np.array_equal(axes.apply(np.asarray(stored.dataobj)), LABELS[::-1])
