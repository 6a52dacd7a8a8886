"""A slice that shows one image in all frames contributes no stroke volume: never in silence."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest
from cine_frames import usual, write
from synthetic_dicom import codes

from cinema_cmr.io.dicom.study import read_dicom
from cinema_cmr.io.read import read_study
from cinema_cmr.views.still import still_issues


def moving(n_frames: int = 10) -> np.ndarray:
    return np.random.default_rng(0).integers(50, 900, (20, 18, 5, n_frames)).astype(np.float32)


def test_slices_of_one_image_are_an_error() -> None:
    array = moving()
    array[:, :, [1, 3]] = array[:, :, [1, 3], :1]
    (issue,) = still_issues(array)
    assert (issue.code, issue.severity, issue.evidence["slices"]) == ("still-slices", "error", "1, 3")


@pytest.mark.parametrize("kind", ["moving", "blank", "one pixel moves", "few frames"])
def test_others_are_not(kind: str) -> None:
    array = moving(5 if kind == "few frames" else 10)
    if kind != "moving":
        array[:, :, 2] = 0 if kind == "blank" else array[:, :, 2, :1]
    if kind == "one pixel moves":
        array[1, 1, 2, 4] += 1
    assert still_issues(array) == []


def test_both_readers_report_it(tmp_path: Path) -> None:
    slices = [one.with_(phases=(0.0,) * 20) if k == 2 else one for k, one in enumerate(usual())]
    assert "still-slices" in codes(read_dicom(write(tmp_path / "dicom", slices)))
    array = moving()
    array[:, :, 1] = array[:, :, 1, :1]
    nibabel.save(nibabel.Nifti1Image(array, np.diag([1.5, 1.5, 8, 1])), tmp_path / "sax.nii.gz")
    assert "still-slices" in codes(read_study(tmp_path / "sax.nii.gz"))
