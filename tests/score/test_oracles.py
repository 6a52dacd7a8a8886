"""Every metric again by another way: distance transforms, set dissimilarity, covariances, Efron's own formulas."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage, stats
from scipy.spatial.distance import dice as dice_dissimilarity

from cinema_cmr.score.agreement import icc_2_1
from cinema_cmr.score.overlap import dice
from cinema_cmr.score.statistics import mean_interval
from cinema_cmr.score.surface import surface_distances

SHAPE = (14, 12, 5)
SPACINGS_MM = [(1.0, 1.0, 1.0), (1.25, 1.25, 10.0), (0.7, 1.9, 6.5)]


def blob(seed: int) -> np.ndarray:
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=SHAPE), (2, 2, 1))
    return np.asarray(noise > np.quantile(noise, 0.8))


def one_voxel(*at: int) -> np.ndarray:
    mask = np.zeros(SHAPE, dtype=bool)
    mask[at] = True
    return mask


def outline(mask: np.ndarray) -> np.ndarray:
    """Voxels with a face neighbour outside, by a padded shift along each axis instead of an erosion."""
    padded = np.pad(mask, 1)
    shifted = [np.roll(padded, step, axis) for axis in range(3) for step in (-1, 1)]
    return np.asarray((padded & ~np.logical_and.reduce(shifted))[1:-1, 1:-1, 1:-1])


def distances_by_transform(first: np.ndarray, second: np.ndarray, spacing: tuple[float, ...]) -> tuple[float, float]:
    edges = outline(first), outline(second)
    fields = [ndimage.distance_transform_edt(~edge, sampling=spacing) for edge in edges]
    there, back = fields[1][edges[0]], fields[0][edges[1]]
    return max(np.percentile(there, 95), np.percentile(back, 95)), np.concatenate([there, back]).mean()


PAIRS = [
    pytest.param(blob(1), blob(2), id="blobs"),
    pytest.param(blob(3), ndimage.binary_dilation(blob(3)), id="grown"),
    pytest.param(one_voxel(2, 3, 1), one_voxel(9, 5, 4), id="one voxel each"),
    pytest.param(blob(4), one_voxel(0, 0, 0), id="one voxel in the corner"),
    pytest.param(np.ones(SHAPE, dtype=bool), one_voxel(7, 6, 2), id="the whole grid"),
]


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_dice_is_one_less_scipys_dissimilarity(first: np.ndarray, second: np.ndarray) -> None:
    assert dice(first, second) == pytest.approx(1 - dice_dissimilarity(first.ravel(), second.ravel()))


@pytest.mark.parametrize("spacing", SPACINGS_MM)
@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_distances_are_those_of_a_distance_transform(
    first: np.ndarray, second: np.ndarray, spacing: tuple[float, float, float]
) -> None:
    positions = spacing[2] * np.arange(SHAPE[2])
    found = surface_distances(first, second, pixel_mm=spacing[:2], slice_positions_mm=positions)
    assert tuple(found) == pytest.approx(distances_by_transform(first, second, spacing))


@pytest.mark.parametrize("shift", [0.0, 6.0])
def test_icc_follows_from_covariance_and_bias(shift: float) -> None:
    rng = np.random.default_rng(5)
    truth = rng.normal(60, 10, 30)
    first, second = truth + rng.normal(0, 3, 30), truth + shift + rng.normal(0, 3, 30)
    covariance, apart = np.cov(first, second), first - second
    chance = stats.sem(apart) ** 2
    expected = 2 * covariance[0, 1] / (np.trace(covariance) + apart.mean() ** 2 - chance)
    assert icc_2_1(np.stack([first, second], axis=1)) == pytest.approx(expected)


def efron_bca(values: np.ndarray, draws: int) -> tuple[float, float]:
    rng, n = np.random.default_rng(11), values.size
    means = values[rng.integers(n, size=(draws, n))].mean(axis=1)
    bias = stats.norm.ppf((means < values.mean()).mean())
    pulled = values.mean() - (values.sum() - values) / (n - 1)
    acceleration = -(-(pulled**3)).sum() / (6 * (pulled**2).sum() ** 1.5)
    z = bias + stats.norm.ppf([0.025, 0.975])
    low, high = np.quantile(means, stats.norm.cdf(bias + z / (1 - acceleration * z)))
    return float(low), float(high)


def test_bca_interval_is_efrons_and_not_the_plain_percentiles() -> None:
    values = np.random.default_rng(8).exponential(size=25)
    found = mean_interval(values, seed=0)
    low, high = efron_bca(values, 40_000)
    width = high - low
    plain = stats.bootstrap((values,), np.mean, method="percentile", rng=np.random.default_rng(0)).confidence_interval
    assert abs(plain.high - high) > 0.06 * width
    assert found.method == "BCa"
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.03 * width)
