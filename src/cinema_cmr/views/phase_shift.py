"""Phase of the cycle in the slices of a stack, from the images alone: beat length, and shifts between slices.

A slice's phases show in how alike its frames are: systole moves fast, diastasis hardly. The matrix of distances between
frames is the same in neighbouring slices whatever they show, apart from a shift of the cycle; unlike the motion itself
it does not change its sign between ventricle and atrium. In three Sunnybrook patients and the multi-view study, all
gated, shifts between neighbours found in this way are at most one frame (tests/views/test_phase_shift.py).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.volume import Cine
from cinema_cmr.views.motion import moving_images

__all__ = ["SliceShifts", "beat_lengths", "frame_distances", "slice_shifts"]

Array = NDArray[np.float64]

_ALIKE = 0.6
"""Correlation of a slice's distance matrix with those of the others from which its shift is reliable."""
_MOVING_SHARE = 0.25
"""Share of the strongest motion of any slice below which a slice shows no motion of its own, as beyond the apex."""
_RETURN = 0.45
"""Distance between frames one beat apart, as a share of the largest: the images return to where they were."""
_SHORTEST_BEAT = 8
_PAIRS_APART = 2
"""Smallest number of pairs of frames one beat apart that show it."""


@dataclass(frozen=True, kw_only=True)
class SliceShifts:
    """Shift of each slice that brings it in phase with the others."""

    frames: NDArray[np.int64]
    """(z,) number of frames that each slice is late: `np.roll(images, -frames[z])` is in phase."""
    alike: Array
    """(z,) correlation of each slice's frame distances with the others', after the shift."""
    gain: Array
    """(z,) increase of the correlation by the shift."""
    reliable: NDArray[np.bool_]
    """(z,) slices that move and agree with the others."""


def frame_distances(cine: Cine) -> Array:
    """Return the (z, t, t) distances between the frames of each slice near the heart, root mean square."""
    moving = moving_images(cine)
    by_slice = np.moveaxis(moving, 2, 0).reshape(moving.shape[2], -1, moving.shape[3])
    gram = np.einsum("zpt,zps->zts", by_slice, by_slice) / by_slice.shape[1]
    power = np.einsum("ztt->zt", gram)
    distances: Array = np.sqrt(np.maximum(power[:, :, None] + power[:, None, :] - 2 * gram, 0))
    return distances


def beat_lengths(distances: Array) -> Array:
    """Return the (z,) length of a beat in frames, fractional; NaN where the images do not return within the cine.

    `distances` (z, t, t) between frames. A beat is the first lag, after which frames differ most, at which they are
    alike again; a cine of one beat or less has none.
    """
    return np.array([_beat_length(one) for one in distances])


def _beat_length(distances: Array) -> float:
    n = len(distances)
    by_lag = np.array([np.diagonal(distances, lag).mean() for lag in range(n - _PAIRS_APART + 1)])
    if by_lag.max() <= 0:
        return float("nan")
    for lag in range(_SHORTEST_BEAT, len(by_lag) - 1):
        before, here, after = by_lag[lag - 1 : lag + 2]
        if here < before and here <= after and here < _RETURN * by_lag[:lag].max():
            curvature = before - 2 * here + after
            return float(lag + 0.5 * (before - after) / curvature) if curvature > 0 else float(lag)
    return float("nan")


def slice_shifts(distances: Array) -> SliceShifts:
    """Return the shift of each slice relative to the first frame of most, from `distances` (z, t, t) over one beat.

    Slices are aligned one by one, the one most like its aligned neighbours next, then each with the mean of the others.
    """
    shapes = _standardised(distances)
    n_slices, n = shapes.shape[:2]
    energy = distances.mean(axis=(1, 2))
    moving = energy > _MOVING_SHARE * energy.max()
    shifts = np.zeros(n_slices, dtype=np.int64)
    done = [int(np.where(moving, energy, 0).argmax())]
    while len(done) < n_slices:
        options = []
        for k in set(range(n_slices)) - set(done):
            near = sorted(done, key=lambda j: abs(j - k))[:2]
            reference = np.sum([_rolled(shapes[j], int(shifts[j])) for j in near], axis=0)
            scores = _scores(reference, shapes[k])
            options.append((float(scores.max()) - 0.05 * abs(near[0] - k), k, int(scores.argmax())))
        _, chosen, shift = max(options)
        shifts[chosen] = shift
        done.append(chosen)
    for _ in range(3):
        aligned = np.stack([_rolled(shape, int(shift)) for shape, shift in zip(shapes, shifts, strict=True)])
        total = (aligned * moving[:, None, None]).sum(axis=0)
        others = total - aligned * moving[:, None, None]
        scores = np.stack([_scores(other, shape) for other, shape in zip(others, shapes, strict=True)])
        shifts = scores.argmax(axis=1)
    best, unmoved = scores.max(axis=1), scores[:, 0]
    wrapped = (shifts + n // 2) % n - n // 2
    return SliceShifts(frames=wrapped, alike=best, gain=best - unmoved, reliable=moving & (best > _ALIKE))


def _standardised(distances: Array) -> Array:
    """Return distance matrices with mean 0 and SD 1 off the diagonal, which is 0."""
    n = distances.shape[1]
    off = ~np.eye(n, dtype=bool)
    values = distances[:, off]
    mean, spread = values.mean(axis=1), np.maximum(values.std(axis=1), 1e-9)
    shapes: Array = np.where(off, (distances - mean[:, None, None]) / spread[:, None, None], 0.0)
    return shapes


def _rolled(shape: Array, shift: int) -> Array:
    return np.roll(shape, (-int(shift), -int(shift)), axis=(0, 1))


def _scores(reference: Array, shape: Array) -> Array:
    """Return the (t,) correlation of a matrix, moved back by each number of frames, with the reference."""
    n = len(shape)
    product = np.fft.ifft2(np.conj(np.fft.fft2(reference)) * np.fft.fft2(shape)).real
    norm = np.linalg.norm(reference) * np.linalg.norm(shape)
    scores: Array = np.diagonal(product) / max(float(norm), 1e-9)
    return scores if len(scores) == n else np.zeros(n)
