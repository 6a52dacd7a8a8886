"""What the scanner keeps of an image is the acquired part of its k-space, as a plain transform of all of it has it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cinema_cmr.phantom.imaging import acquire
from cinema_cmr.phantom.styles import find_style

SHAPE = (3, 40, 36)


@pytest.mark.parametrize("coarser", [1.0, 1.63, 2.3])
def test_an_image_without_noise_is_the_plain_low_pass_of_its_signal(coarser: float) -> None:
    ideal = find_style("ideal")
    acquired = (ideal.pixel_mm * coarser, ideal.pixel_mm * coarser)
    style = replace(ideal, snr=1e9, sharing=0.0, window=0.0, acquired_mm=acquired)
    signal = np.random.default_rng(2).uniform(-1, 1, SHAPE).astype(np.float32)
    kept = [np.abs(np.fft.fftfreq(n)) * 2 * coarser <= 1 for n in SHAPE[1:]]
    space = np.fft.fft2(signal) * (kept[0][:, None] & kept[1][None])
    wanted = np.abs(np.fft.ifft2(space)) * style.full_scale
    found = acquire(signal, style, rng=np.random.default_rng(0))
    assert found.shape == SHAPE and np.abs(found - wanted).max() < 0.51, "stored values are whole numbers"


def test_frames_that_share_their_outer_lines_are_nearer_to_their_neighbours() -> None:
    style = replace(find_style("ideal"), snr=1e9)
    signal = np.random.default_rng(2).uniform(0, 1, (6, *SHAPE[1:])).astype(np.float32)
    alone, shared = (acquire(signal, replace(style, sharing=s), rng=np.random.default_rng(0)) for s in (0.0, 0.5))
    steps = [float(np.abs(np.diff(images, axis=0)).mean()) for images in (alone, shared)]
    assert steps[1] < 0.95 * steps[0]
