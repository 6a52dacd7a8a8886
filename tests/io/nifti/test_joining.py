"""A file a frame, a file a slice, or both are one cine: the one that a single file holds."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel
import numpy as np
import pytest

from cinema_cmr.core.errors import InputError
from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine
from cinema_cmr.io.read import read_study

SHAPE = (20, 18, 5, 8)
STEP_MS = 100.0
IMAGE = np.random.default_rng(0).integers(50, 900, SHAPE).astype(np.int16)
AFFINE = np.array([[-1.2, 0.0, 0.0, 40.0], [0.0, 0.96, -4.8, -30.0], [0.0, -0.72, -6.4, 12.0], [0, 0, 0, 1.0]])
"""Oblique, with slices 8 mm apart."""


def save(path: Path, array: np.ndarray, affine: np.ndarray = AFFINE, *, step_ms: float | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nibabel.Nifti1Image(array, affine)
    if step_ms:
        image.header.set_zooms((*image.header.get_zooms()[:3], step_ms))
        image.header.set_xyzt_units("mm", "msec")
    nibabel.save(image, path)


def moved(k: int) -> np.ndarray:
    affine = AFFINE.copy()
    affine[:3, 3] += k * AFFINE[:3, 2]
    return affine


def same(cine: Cine) -> None:
    np.testing.assert_array_equal(cine.array, IMAGE)
    np.testing.assert_allclose(cine.affine, AFFINE, atol=1e-4)
    np.testing.assert_allclose(cine.slice_positions_mm, 8.0 * np.arange(SHAPE[2]), atol=1e-4)


def codes(study: Study) -> dict[str, str]:
    return {issue.code: issue.severity for issue in study.issues}


@pytest.mark.parametrize("name", ["cine_sax_{}.nii", "{}_cine_trufi.nii", "cine_s{}.nii"])
def test_a_file_a_slice_is_a_stack(tmp_path: Path, name: str) -> None:
    for k in range(SHAPE[2]):
        save(tmp_path / name.format(9 + k), IMAGE[:, :, k : k + 1], moved(k), step_ms=STEP_MS)
    study = read_study(tmp_path)
    same(study[View.SAX])
    assert study[View.SAX].rr_interval_ms == pytest.approx(800)
    assert codes(study) == {"cycle-from-frames": "info", "slices-joined": "info"}
    assert "(5 files)" in study.decisions[0].series


def test_a_missing_slice_is_told(tmp_path: Path) -> None:
    for k in (0, 1, 2, 4):
        save(tmp_path / f"sax_{k}.nii", IMAGE[:, :, k : k + 1], moved(k))
    study = read_study(tmp_path)
    np.testing.assert_allclose(study[View.SAX].slice_positions_mm, [0, 8, 16, 32], atol=1e-4)
    save(tmp_path / "sax_5.nii", IMAGE[:, :, 4:], moved(5))
    assert codes(read_study(tmp_path))["slice-gap"] == "warning"


@pytest.mark.parametrize("name", ["9_sax_t{:.0f}.nii", "sax_time{:.0f}.nii"])
def test_a_file_a_frame_with_its_trigger_time(tmp_path: Path, name: str) -> None:
    for t in range(SHAPE[3]):
        save(tmp_path / name.format(t * STEP_MS), IMAGE[..., t])
    cine = read_study(tmp_path)[View.SAX]
    same(cine)
    assert cine.frame_times_ms is not None and cine.rr_interval_ms == pytest.approx(800)
    np.testing.assert_allclose(cine.frame_times_ms, STEP_MS * np.arange(SHAPE[3]))


@pytest.mark.parametrize("name", ["sax_ph{:02d}.nii", "vol{:04d}.nii", "sax_frame{}.nii"])
def test_a_file_a_frame_by_number_has_no_times(tmp_path: Path, name: str) -> None:
    for t in range(SHAPE[3]):
        save(tmp_path / name.format(t + 7), IMAGE[..., t])
    cine = read_study(tmp_path)[View.SAX]
    same(cine)
    assert cine.frame_times_ms is None and cine.rr_interval_ms is None


def test_frames_in_the_order_of_trigger_times_beside_them(tmp_path: Path) -> None:
    for t in range(SHAPE[3]):
        stem = f"sax_{t * 5 % 8}"
        save(tmp_path / f"{stem}.nii", IMAGE[..., t])
        (tmp_path / f"{stem}.json").write_text(json.dumps({"TriggerDelayTime": t * STEP_MS, "RepetitionTime": 0.04}))
    study = read_study(tmp_path)
    same(study[View.SAX])
    assert codes(study) == {"frame-times-joined": "info"}


def test_a_file_a_slice_and_a_frame(tmp_path: Path) -> None:
    for k in range(SHAPE[2]):
        for t in range(SHAPE[3]):
            save(tmp_path / f"{101 + k}_sa_t{t * 100}.nii", IMAGE[:, :, k : k + 1, t], moved(k))
    study = read_study(tmp_path)
    same(study[View.SAX])
    assert codes(study) == {"frame-times-joined": "info", "slices-joined": "info"}


def test_slices_without_positions_are_stacked_by_slice_numbers_alone(tmp_path: Path) -> None:
    plain = np.diag([-1.2, -1.2, 8.0, 1.0])
    for k in range(SHAPE[2]):
        save(tmp_path / "numbers" / f"sax_{k}.nii", IMAGE[:, :, k : k + 1], plain)
        save(tmp_path / "slices" / f"sax_slice{k}.nii", IMAGE[:, :, k : k + 1], plain)
    with pytest.raises(InputError, match=r"name frames NAME_frame01, .* slices without positions NAME_slice01"):
        read_study(tmp_path / "numbers")
    study = read_study(tmp_path / "slices")
    np.testing.assert_array_equal(study[View.SAX].array, IMAGE)
    assert codes(study)["slice-positions-unknown"] == "warning"


def test_numbered_stacks_on_one_grid_are_never_frames(tmp_path: Path) -> None:
    """They may be patients: resampled data sets have one grid for all."""
    for k in range(12):
        save(tmp_path / f"p{k}.nii", IMAGE[..., k % 8])
    with pytest.raises(InputError, match="differ in a number alone"):
        read_study(tmp_path)


def test_slices_in_folders_of_their_own_are_one_stack(tmp_path: Path) -> None:
    for k in range(SHAPE[2]):
        save(tmp_path / f"slice{k:02d}" / "cine.nii", IMAGE[:, :, k : k + 1], moved(k), step_ms=STEP_MS)
    same(read_study(tmp_path)[View.SAX])


def test_stacks_or_frames_in_folders_of_their_own_are_several_studies(tmp_path: Path) -> None:
    for k in range(3):
        save(tmp_path / "stacks" / f"p{k}" / "cine.nii", IMAGE, moved(k), step_ms=STEP_MS)
        save(tmp_path / "frames" / f"t{k}" / "cine.nii", IMAGE[:, :, :1, k], AFFINE)
    for folder in ("stacks", "frames"):
        with pytest.raises(InputError, match="one by one, or put the files of one scan into one folder"):
            read_study(tmp_path / folder)
