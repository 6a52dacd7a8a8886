"""An opened view shows what was stored, turned, and gives labels back on the stored grid."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from interop_hearts import stack_cine

from cinema_cmr.core.errors import InputError, UnreadableFileError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.io.nifti.image import read_nifti_cine, write_cine, write_image
from cinema_cmr.report.display import shown
from cinema_cmr.report.record.stored import read_measurements
from cinema_cmr.serve.opened_view import OpenedView, open_view, read_codes


@pytest.fixture
def view(results: Path) -> OpenedView:
    record = read_measurements(results / "measurements.json")
    return open_view(results / "images/sax.nii.gz", View.SAX, results / "segmentation/sax.nii.gz", record)


def test_pixels_and_labels_are_those_of_the_report(view: OpenedView, results: Path) -> None:
    cine, _ = read_nifti_cine(results / "images/sax.nii.gz", view=View.SAX)
    stored = read_codes(results / "segmentation/sax.nii.gz", cine.shape, "cine")
    picture, labels = shown(cine, stored)
    slope, intercept = view.scaling
    np.testing.assert_allclose(view.pixels * slope + intercept, picture.array, rtol=1e-6)
    np.testing.assert_array_equal(view.labels, labels)
    block = np.frombuffer(view.block(2), "<i2").reshape(cine.n_frames, view.pixels.shape[1], view.pixels.shape[0])
    np.testing.assert_array_equal(block[3], view.pixels[:, :, 2, 3].T)
    codes = np.frombuffer(view.label_block(2), np.uint8).reshape(block.shape)
    np.testing.assert_array_equal(codes[3], view.labels[:, :, 2, 3].T)  # type: ignore[index]


def test_labels_return_to_the_stored_grid(view: OpenedView, results: Path) -> None:
    assert view.own is not None
    stored = read_codes(results / "segmentation/sax.nii.gz", (*view.stored_shape, *view.own.shape[2:]), "cine")
    np.testing.assert_array_equal(view.as_stored(view.own), stored)
    np.testing.assert_array_equal(view.as_shown(stored), view.own)
    one = view.own[:, :, 2, 3]
    np.testing.assert_array_equal(view.as_stored(one), stored[:, :, 2, 3])


def test_every_view_is_turned_by_the_axes_of_its_file(results: Path) -> None:
    record = read_measurements(results / "measurements.json")
    path = results / "images/lax_4c.nii.gz"
    plane = open_view(path, View.LAX_4C, results / "segmentation/lax_4c.nii.gz", record)
    picture, _ = shown(read_nifti_cine(path, view=View.LAX_4C)[0], None)
    np.testing.assert_allclose(plane.cine.affine, picture.affine, atol=1e-4)
    assert not np.allclose(picture.affine, read_nifti_cine(path, view=View.LAX_4C)[0].affine, atol=1e-4)


def test_positions_and_times_come_from_the_record(view: OpenedView) -> None:
    expected = stack_cine()
    np.testing.assert_allclose(view.cine.slice_positions_mm, expected.slice_positions_mm, atol=1e-3)
    assert view.cine.rr_interval_ms == expected.rr_interval_ms and not view.cine.has_image


def test_floating_point_images_are_scaled_to_integers(view: OpenedView, results: Path) -> None:
    cine, _ = read_nifti_cine(results / "images/sax.nii.gz", view=View.SAX)
    write_cine(cine.with_array(cine.array * np.float32(0.37) + 2), results / "images/sax.nii.gz", overwrite=True)
    record = read_measurements(results / "measurements.json")
    opened = open_view(results / "images/sax.nii.gz", View.SAX, None, record)
    slope, intercept = opened.scaling
    np.testing.assert_allclose(
        opened.pixels * slope + intercept, (view.pixels * view.scaling[0] + view.scaling[1]) * 0.37 + 2, atol=slope
    )
    with pytest.raises(InputError, match="no mask"):
        opened.label_block(0)
    write_image(cine, results / "images/sax.nii.gz", overwrite=True)


def test_a_mask_of_another_shape_or_kind_is_refused(results: Path) -> None:
    mask = results / "segmentation/sax.nii.gz"
    with pytest.raises(UnreadableFileError, match="expected a mask"):
        read_codes(mask, (5, 5, 5, 5), "cine")
    with pytest.raises(UnreadableFileError, match="expected a mask"):
        read_codes(results / "images/sax.nii.gz", (56, 46, 6, 8), "cine")
