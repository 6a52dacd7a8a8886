"""A NIfTI stack of two beats has the heart rate of one, and a stack of one beat is left as it is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from synthetic_dicom import HEART, expected_array, short_axis_planes

from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine
from cinema_cmr.io.nifti.beats import with_true_beat
from cinema_cmr.io.nifti.image import write_cine
from cinema_cmr.io.read import read_study

N, STEP_MS = 16, 45.0


def cine(beats: float) -> Cine:
    one = expected_array(short_axis_planes(HEART, n=5, gap_mm=9.0), N)
    frames = np.arange(round(beats * N)) % N
    affine = np.diag([3.0, 3.0, 9.0, 1.0])
    affine[:3, :3] = np.array([[0.8, 0.36, 0.48], [0.0, 0.8, -0.6], [-0.6, 0.48, 0.64]]) @ affine[:3, :3]
    return Cine(
        array=one[..., frames],
        affine=affine,
        view=View.SAX,
        slice_positions_mm=9.0 * np.arange(5),
        frame_times_ms=STEP_MS * np.arange(len(frames)),
        rr_interval_ms=STEP_MS * len(frames),
    )


def read(made: Cine, folder: Path) -> Study:
    write_cine(made, folder / "sax.nii.gz")
    return read_study(folder / "sax.nii.gz")


@pytest.mark.parametrize("beats", [1.25, 2])
def test_more_than_a_beat_in_a_file_has_the_rate_of_one(tmp_path: Path, beats: float) -> None:
    study = read(cine(beats), tmp_path)
    assert study["sax"].rr_interval_ms == pytest.approx(N * STEP_MS, rel=0.03)
    assert [one.code for one in study.issues if one.code in ("window-longer", "cycle-from-frames")] == ["window-longer"]


def test_one_beat_is_left_as_it_is() -> None:
    made = cine(1.0)
    assert with_true_beat(made) == (made, ())


@pytest.mark.parametrize("beats", [0.6, 0.65])
def test_frames_that_do_not_close_a_beat_keep_their_cycle_with_a_warning(tmp_path: Path, beats: float) -> None:
    """As of prospective triggering: heart rate and cardiac output from frames and step are too large."""
    study = read(cine(beats), tmp_path)
    assert study["sax"].rr_interval_ms == pytest.approx(round(beats * N) * STEP_MS)
    (warning,) = [one for one in study.issues if one.code == "window-incomplete"]
    assert warning.severity == "warning" and "give --heart-rate" in warning.message


def test_a_stated_cycle_stays() -> None:
    made = replace(cine(2), rr_interval_ms=N * STEP_MS)
    assert with_true_beat(made) == (made, ())
