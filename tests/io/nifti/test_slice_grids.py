"""Slices of one scan on grids and with numbers of frames of their own become one stack."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest

from cinema_cmr.core.vocabulary import View
from cinema_cmr.io.nifti.slice_grids import are_parallel
from cinema_cmr.io.read import read_study

N_SLICES = 5
AFFINE = np.array([[-1.2, 0.0, 0.0, 40.0], [0.0, 0.96, -4.8, -30.0], [0.0, -0.72, -6.4, 12.0], [0, 0, 0, 1.0]])


def image(k: int, n_frames: int = 8) -> np.ndarray:
    """A smooth slice (x, y, 1, t) that changes over the cycle."""
    x, y = np.meshgrid(np.arange(24.0), np.arange(20.0), indexing="ij")
    phase = np.arange(n_frames) / n_frames
    beat = 200 * np.cos(2 * np.pi * phase)
    return ((300 + 10 * x + 5 * y + 20 * k)[..., None] + beat)[:, :, None].astype(np.int16)


def save(
    folder: Path, k: int, array: np.ndarray, *, offset: tuple[float, float] = (0.0, 0.0), scale: float = 1.0
) -> None:
    affine = AFFINE.copy()
    affine[:3, 3] += k * AFFINE[:3, 2] + AFFINE[:3, 0] * offset[0] + AFFINE[:3, 1] * offset[1]
    affine[:3, :2] *= scale
    written = nibabel.Nifti1Image(array, affine)
    written.header.set_zooms((*written.header.get_zooms()[:3], 800 / array.shape[3]))
    written.header.set_xyzt_units("mm", "msec")
    nibabel.save(written, folder / f"cine_sax_{k}.nii")


def test_a_cropped_slice_is_put_back_at_its_place(tmp_path: Path) -> None:
    for k in range(N_SLICES):
        save(tmp_path, k, image(k)[3:-2, 4:] if k < 2 else image(k), offset=(3, 4) if k < 2 else (0, 0))
    study = read_study(tmp_path)
    array = study[View.SAX].array
    assert array.shape == (24, 20, N_SLICES, 8)
    for k in range(N_SLICES):
        np.testing.assert_allclose(array[3:-2, 4:, k], image(k)[3:-2, 4:, 0], atol=0.5)
    np.testing.assert_allclose(study[View.SAX].affine, AFFINE, atol=1e-3)
    (issue,) = (one for one in study.issues if one.code == "slices-regridded")
    assert issue.evidence["slices"] == "0, 1" and "matrix" in issue.message


def test_larger_pixels_are_resampled(tmp_path: Path) -> None:
    for k in range(N_SLICES):
        coarse = image(k).reshape(12, 2, 10, 2, 1, 8).mean(axis=(1, 3))
        save(
            tmp_path,
            k,
            coarse if k == 2 else image(k),
            offset=(0.5, 0.5) if k == 2 else (0, 0),
            scale=2.0 if k == 2 else 1.0,
        )
    array = read_study(tmp_path)[View.SAX].array
    np.testing.assert_allclose(array[1:-1, 1:-1, 2], image(2)[1:-1, 1:-1, 0], atol=1.5)


def test_another_number_of_frames_is_resampled_over_the_cycle_with_a_flag(tmp_path: Path) -> None:
    for k in range(N_SLICES):
        save(tmp_path, k, image(k, 16 if k == 4 else 8))
    study = read_study(tmp_path)
    np.testing.assert_allclose(study[View.SAX].array[:, :, 4], image(4)[:, :, 0], atol=1.5)
    assert study[View.SAX].rr_interval_ms == pytest.approx(800)
    (issue,) = (one for one in study.issues if one.code == "frame-count-differs")
    assert issue.severity == "warning" and "1 another number" in issue.message


def test_planes_across_each_other_are_not_parallel() -> None:
    across = AFFINE[:, [2, 1, 0, 3]]
    assert are_parallel([AFFINE, AFFINE]) and not are_parallel([AFFINE, across])
