"""Shifts between slices and the length of a beat, from images whose phases are known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from synthetic_dicom import HEART, short_axis_planes

from cinema_cmr.core.volume import Cine
from cinema_cmr.io.dicom.study import read_dicom
from cinema_cmr.views.motion import moving_images
from cinema_cmr.views.phase_shift import SliceShifts, beat_lengths, frame_distances, slice_shifts

LIMITS = {"share": 0.2, "gain": 0.12, "motion_gain": 0.5}


def moving(phases: NDArray[np.float64]) -> NDArray[np.float64]:
    """The change of the image (x, y, z, t) of the synthetic heart, by phases (z, t)."""
    planes = [replace(one, shape=(24, 24), spacing=4.0) for one in short_axis_planes(HEART, n=len(phases), gap_mm=8.0)]
    pairs = zip(planes, phases, strict=True)
    slices = [np.stack([HEART.image(plane, p % 1.0).T for p in row], axis=-1) for plane, row in pairs]
    images = np.stack(slices, axis=2).astype(np.float64)
    return images - images.mean(axis=3, keepdims=True)


@pytest.mark.parametrize("seed", range(5))
def test_random_starts_are_found_to_a_frame(seed: int) -> None:
    late = np.random.default_rng(seed).integers(0, 20, 6)
    found = slice_shifts(moving((np.arange(20) - late[:, None]) / 20))
    off = (found.frames - late - (found.frames[0] - late[0]) + 10) % 20 - 10
    assert np.abs(off).max() <= 1
    assert found.reliable.all()


def test_slices_in_phase_are_not_apart() -> None:
    found = slice_shifts(moving(np.tile(np.arange(20) / 20, (6, 1))))
    assert not found.frames.any()
    assert not found.apart(found.reference, **LIMITS).any()


def test_a_slice_half_a_cycle_late_is_apart_from_the_others() -> None:
    phases = np.tile(np.arange(20) / 20, (6, 1))
    phases[3] += 0.5
    found = slice_shifts(moving(phases))
    assert np.flatnonzero(found.apart(found.reference, **LIMITS)).tolist() == [3]


def test_noise_is_not_reliable() -> None:
    noise = np.random.default_rng(0).normal(size=(12, 12, 5, 20))
    assert not slice_shifts(noise).reliable.any()


@pytest.mark.parametrize("beat", [16.0, 19.5, 22.0])
def test_the_length_of_a_beat_in_a_longer_window(beat: float) -> None:
    found = beat_lengths(frame_distances(moving(np.tile(np.arange(45) / beat, (4, 1)))))
    np.testing.assert_allclose(found, beat, atol=0.3)


@pytest.mark.parametrize("share", [0.8, 1.0])
def test_a_window_of_a_beat_or_less_does_not_show_its_length(share: float) -> None:
    phases = np.tile(np.arange(round(20 * share)) / 20, (4, 1))
    assert np.isnan(beat_lengths(frame_distances(moving(phases)))).all()


def stacks_of(real_data: Path) -> list[Cine]:
    folders = [real_data / "multiview_dicom" / "study"]
    return [read_dicom(folder)["sax"] for folder in folders]


@pytest.mark.realdata
@pytest.mark.slow
def test_gated_slices_of_real_scans_are_in_phase(real_data: Path) -> None:
    for cine in stacks_of(real_data):
        found: SliceShifts = slice_shifts(moving_images(cine))
        assert not found.apart(found.reference, **LIMITS).any()
        assert np.abs(found.frames[found.reliable] - found.reference).max() <= 0.15 * cine.n_frames
        assert np.isnan(beat_lengths(frame_distances(moving_images(cine)))).all()
