"""Pairs of masks that every overlap and distance is checked on by another way of calculating it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

SHAPE = (14, 12, 5)


def blob(seed: int) -> np.ndarray:
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=SHAPE), (2, 2, 1))
    return np.asarray(noise > np.quantile(noise, 0.8))


def one_voxel(*at: int) -> np.ndarray:
    mask = np.zeros(SHAPE, dtype=bool)
    mask[at] = True
    return mask


PAIRS = [
    pytest.param(blob(1), blob(2), id="blobs"),
    pytest.param(blob(3), ndimage.binary_dilation(blob(3)), id="grown"),
    pytest.param(one_voxel(2, 3, 1), one_voxel(9, 5, 4), id="one voxel each"),
    pytest.param(blob(4), one_voxel(0, 0, 0), id="one voxel in the corner"),
    pytest.param(np.ones(SHAPE, dtype=bool), one_voxel(7, 6, 2), id="the whole grid"),
]
