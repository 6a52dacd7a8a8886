"""Which image a slice and frame shows: the one with its place and time, none where it was interpolated."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from synthetic_dicom import written_stack

from cinema_cmr.core.geometry import lps_to_ras
from cinema_cmr.io.dicom.study import read_dicom


def test_every_slice_and_frame_has_its_own_image(tmp_path: Path) -> None:
    written_stack(tmp_path / "study", n_frames=8)
    paths = sorted((tmp_path / "study").rglob("*.dcm"))
    images = {one.SOPInstanceUID: one for one in map(dcmread, paths)}
    cine = read_dicom(tmp_path / "study").cines[0]
    assert cine.sources is not None
    seen = set()
    for k, row in enumerate(cine.sources.images):
        for t, source in enumerate(row):
            assert source is not None
            image = images[source.instance_uid]
            np.testing.assert_array_equal(image.pixel_array.T.astype(np.float32), cine.array[:, :, k, t])
            origin = lps_to_ras(np.array(image.ImagePositionPatient, float))
            np.testing.assert_allclose(cine.sources.origins_mm[k], origin, atol=1e-6)
            seen.add(source.instance_uid)
    assert seen == set(images)


def test_an_interpolated_frame_has_no_image(tmp_path: Path) -> None:
    written_stack(tmp_path / "study", n_frames=8)
    paths = sorted((tmp_path / "study").rglob("*.dcm"))
    damaged = dcmread(paths[3])
    uid = damaged.SOPInstanceUID
    damaged.PixelData = damaged.PixelData[:10]
    damaged.save_as(paths[3])
    sources = read_dicom(tmp_path / "study").cines[0].sources
    assert sources is not None
    found = [image for row in sources.images for image in row]
    assert found.count(None) == 1
    assert uid not in {image.instance_uid for image in found if image}


@pytest.mark.medium
def test_slices_put_in_phase_by_their_motion_keep_their_images(tmp_path: Path) -> None:
    """Slices that start anywhere in the beat are turned in time; the images turn with them."""
    n_frames = 16
    written_stack(tmp_path / "study", n_frames=n_frames)
    images = {}
    for path in sorted((tmp_path / "study").rglob("*.dcm")):
        image = dcmread(path)
        start = 5 * (round(float(image.ImagePositionPatient[2]) * 7) % 3)
        image.InstanceNumber = (int(image.InstanceNumber) - 1) // n_frames * n_frames + (
            ((int(image.InstanceNumber) - 1) % n_frames + start) % n_frames + 1
        )
        for keyword in ("TriggerTime", "TemporalPositionIdentifier", "AcquisitionTime", "ContentTime"):
            if keyword in image:
                delattr(image, keyword)
        image.save_as(path)
        images[str(image.SOPInstanceUID)] = image
    study = read_dicom(tmp_path / "study")
    assert "slices-aligned-by-motion" in {issue.code for issue in study.issues}
    cine = study.cines[0]
    assert cine.sources is not None
    for k, row in enumerate(cine.sources.images):
        for t, source in enumerate(row):
            assert source is not None
            pixels = images[source.instance_uid].pixel_array
            np.testing.assert_array_equal(pixels.T.astype(np.float32), cine.array[:, :, k, t])
