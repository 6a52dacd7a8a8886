"""Spoilt slices deviate from their neighbours clearly more than sound ones, whatever spoils them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from cinema_cmr.views.slice_quality import CLEARLY_BETTER, slice_deviation

Image = NDArray[np.float32]
N = 10


def images(seed: int, radius: float = 20.0, noise: float = 15.0) -> Image:
    """A beating disc in a body with edges, and noise of its own."""
    x, y = np.meshgrid(np.arange(96) - 48.0, np.arange(96) - 46.0, indexing="ij")
    body = 300.0 * (np.hypot(x / 40, y / 44) < 1) + 150.0 * (np.abs(x - 18) < 6) * (np.abs(y) < 30)
    frames = [body + 500.0 * (np.hypot(x, y) < radius * (0.85 + 0.15 * np.cos(2 * np.pi * t / N))) for t in range(N)]
    own = np.random.default_rng(seed).normal(0, noise, (96, 96, N))
    return np.asarray(ndimage.gaussian_filter(np.stack(frames, axis=-1), (1, 1, 0)) + own, dtype=np.float32)


NEIGHBOURS = (images(1, 19.0), images(2, 21.0))
SOUND = images(3)


def ghosts(one: Image) -> Image:
    return np.mean([np.roll(one, k, axis=0) for k in range(0, 60, 12)], axis=0)


def lines(one: Image) -> Image:
    x, y = np.indices(one.shape[:2])
    return one * (0.6 + 0.4 * np.cos(2 * np.pi * (x + y) / 7))[..., None].astype(np.float32)


def blurred(one: Image) -> Image:
    return ndimage.gaussian_filter(one, (4, 0, 0))


def noisy(one: Image) -> Image:
    return one + np.random.default_rng(4).normal(0, 60, one.shape).astype(np.float32)


def test_another_sound_acquisition_is_as_good() -> None:
    assert abs(slice_deviation(SOUND, NEIGHBOURS) - slice_deviation(images(5), NEIGHBOURS)) < CLEARLY_BETTER / 4
    brighter = (3 * SOUND).astype(np.float32)
    assert slice_deviation(brighter, NEIGHBOURS) == pytest.approx(slice_deviation(SOUND, NEIGHBOURS), abs=0.01)


@pytest.mark.parametrize("spoil", [ghosts, lines, blurred, noisy], ids=lambda spoil: spoil.__name__)
def test_a_spoilt_acquisition_deviates_clearly_more(spoil: Callable[[Image], Image]) -> None:
    spoilt = slice_deviation(spoil(SOUND), NEIGHBOURS)
    assert spoilt - slice_deviation(SOUND, NEIGHBOURS) > 1.5 * CLEARLY_BETTER


def test_one_neighbour_and_other_numbers_of_frames_are_enough() -> None:
    longer = np.concatenate([SOUND, SOUND], axis=-1)[..., ::2]
    assert slice_deviation(longer[..., :7], NEIGHBOURS[:1]) < slice_deviation(ghosts(SOUND), NEIGHBOURS[:1])
