"""Phase of the cycle in the slices of a stack, from the images alone: beat length, and shifts between slices.

A slice's phases show in how alike its frames are: systole moves fast, diastasis hardly. The matrix of distances between
frames is the same in neighbouring slices whatever they show, apart from a shift of the cycle; unlike the motion itself
it does not change its sign between ventricle and atrium. In three Sunnybrook patients and the multi-view study, all
gated, shifts between neighbours found in this way are at most one frame (tests/views/test_phase_shift.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["SliceShifts", "beat_lengths", "frame_distances", "moving_slices", "slice_shifts"]

Array = NDArray[np.float64]
Spectra = NDArray[np.complex128]

_ALIKE = 0.6
"""Correlation of a slice's distance matrix with those of the others from which its shift is reliable."""
_MOVING_SHARE = 0.25
"""Share of the strongest motion of any slice below which a slice shows no motion of its own, as beyond the apex."""
_RETURN = 0.45
"""Distance between frames one beat apart, as a share of the largest: the images return to where they were."""
_NEARLY_EQUAL = 0.05
_SHORTEST_BEAT = 8
_PAIRS_APART = 2
"""Smallest number of pairs of frames one beat apart that show it."""


@dataclass(frozen=True, kw_only=True)
class SliceShifts:
    """Shift of each slice that brings it in phase with the others."""

    frames: NDArray[np.int64]
    """(z,) number of frames that each slice is late: `np.roll(images, -frames[z])` is in phase."""
    scores: Array
    """(z, t) correlation of each slice's frame distances with the others', by its shift."""
    motion_scores: Array
    """(z, t) correlation of each slice's motion with that of its neighbours, by its shift."""
    moving: NDArray[np.bool_]
    """(z,) slices that show motion of their own."""

    @property
    def alike(self) -> Array:
        """(z,) correlation of the frame distances with the others' at the shift."""
        return self._at(self.scores, self.frames)

    @property
    def reliable(self) -> NDArray[np.bool_]:
        """(z,) slices that move, as the others do."""
        return np.asarray(self.moving & (self.alike > _ALIKE))

    @property
    def reference(self) -> int:
        """The most common shift of the moving slices."""
        return self.reference_of(self.moving)

    def reference_of(self, slices: NDArray[np.bool_]) -> int:
        """Return the most common shift of some slices; 0 of none, as where nothing moves."""
        values, counts = np.unique(self.frames[slices], return_counts=True)
        return int(values[counts.argmax()]) if values.size else 0

    def apart(self, reference: int, *, share: float, gain: float, motion_gain: float) -> NDArray[np.bool_]:
        """Return the reliable slices that are out of phase with a shift by at least `share` of the cycle.

        The shift must improve the correlation of the distances by `gain`, or that of the motion by `motion_gain`.
        """
        n = self.scores.shape[1]
        difference = np.abs((self.frames - reference + n // 2) % n - n // 2)
        there = np.full_like(self.frames, reference)
        better = self.alike - self._at(self.scores, there)
        moves = self._at(self.motion_scores, self.frames) - self._at(self.motion_scores, there)
        clear = (better > gain) | ((better > -_NEARLY_EQUAL) & (moves > motion_gain))
        return np.asarray(self.reliable & (difference >= share * n) & clear)

    @staticmethod
    def _at(scores: Array, shifts: NDArray[np.int64]) -> Array:
        return np.take_along_axis(scores, (shifts % scores.shape[1])[:, None], axis=1)[:, 0]


def frame_distances(moving: Array) -> Array:
    """Return the (z, t, t) root mean square distances between the frames of each slice of `moving_images`."""
    by_slice = _pixels_by_slice(moving)
    gram = by_slice.transpose(0, 2, 1) @ by_slice / by_slice.shape[1]
    power = np.einsum("ztt->zt", gram)
    distances: Array = np.sqrt(np.maximum(power[:, :, None] + power[:, None, :] - 2 * gram, 0))
    return distances


def _pixels_by_slice(moving: Array) -> Array:
    """Return (z, pixels, t) of (x, y, z, t)."""
    return np.moveaxis(moving, 2, 0).reshape(moving.shape[2], -1, moving.shape[3])


def moving_slices(distances: Array) -> NDArray[np.bool_]:
    """Return the (z,) slices that move themselves, by the distances (z, t, t) between their frames."""
    energy = distances.mean(axis=(1, 2))
    return np.asarray(energy > _MOVING_SHARE * energy.max())


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


def slice_shifts(moving: Array) -> SliceShifts:
    """Return the shift of each slice relative to the first frame of most, from `moving_images` over one beat.

    Slices are aligned one by one, the one most like its aligned neighbours next, then each with the mean of the others.
    """
    distances = frame_distances(moving)
    shapes = _standardised(distances)
    n = shapes.shape[1]
    energy, strong = distances.mean(axis=(1, 2)), moving_slices(distances)
    shifts = _chained_shifts(shapes, first=int(np.where(strong, energy, 0).argmax()))
    for _ in range(3):
        aligned = np.stack([_rolled(shape, int(shift)) for shape, shift in zip(shapes, shifts, strict=True)])
        others = (aligned * strong[:, None, None]).sum(axis=0) - aligned * strong[:, None, None]
        scores = np.stack([_scores(other, shape) for other, shape in zip(others, shapes, strict=True)])
        shifts = scores.argmax(axis=1)
    motion = _cross_spectra(_unit_motion(moving))
    first = int(np.where(strong, energy, 0).argmax())
    shifts, motion_scores = _unambiguous_shifts(scores, motion, first=first)
    return SliceShifts(frames=(shifts + n // 2) % n - n // 2, scores=scores, motion_scores=motion_scores, moving=strong)


def _chained_shifts(shapes: Array, *, first: int) -> NDArray[np.int64]:
    """Align the slices one by one, from the first, with their nearest two aligned neighbours."""
    shifts = np.zeros(len(shapes), dtype=np.int64)
    done = [first]
    while len(done) < len(shapes):
        options = []
        for k in set(range(len(shapes))) - set(done):
            near = sorted(done, key=lambda j: abs(j - k))[:2]
            scores = _scores(np.sum([_rolled(shapes[j], int(shifts[j])) for j in near], axis=0), shapes[k])
            options.append((float(scores.max()) - 0.05 * abs(near[0] - k), k, int(scores.argmax())))
        _, chosen, shift = max(options)
        shifts[chosen] = shift
        done.append(chosen)
    return shifts


def _unambiguous_shifts(scores: Array, motion: Spectra, *, first: int) -> tuple[NDArray[np.int64], Array]:
    """Choose between shifts of nearly equal score, as of contraction and relaxation, by the neighbours' motion.

    `motion` are cross-spectra. Also returns the (z, t) correlation of the motion with that of the neighbours, by the
    shift.
    """
    shifts, n = scores.argmax(axis=1), scores.shape[1]
    for k in sorted(range(len(scores)), key=lambda k: abs(k - first))[1:]:
        inward = 1 if k < first else -1
        inner = [j for j in (k + inward, k + 2 * inward) if abs(j - first) < abs(k - first)]
        likely = scores[k] >= scores[k].max() - _NEARLY_EQUAL
        shifts[k] = int(np.where(likely, _motion_scores(motion, shifts, k, inner, n), -np.inf).argmax())
    sides = [[j for j in (k - 1, k + 1) if 0 <= j < len(scores)] for k in range(len(scores))]
    return shifts, np.stack([_motion_scores(motion, shifts, k, beside, n) for k, beside in enumerate(sides)])


def _motion_scores(motion: Spectra, shifts: NDArray[np.int64], k: int, others: Sequence[int], n: int) -> Array:
    """Return the (t,) correlation of the motion of slice k, by its shift, with that of other slices at theirs."""
    at = np.arange(motion.shape[-1])
    moved = {j: np.exp(2j * np.pi * at * int(shifts[j]) / n) for j in others}
    cross = sum(np.conj(moved[j]) * motion[j, k] for j in others)
    power = np.fft.irfft(sum(np.conj(moved[i]) * moved[j] * motion[i, j] for i in others for j in others), n)[0]
    correlation: Array = np.fft.irfft(cross, n) / max(float(np.sqrt(max(power, 0.0))), 1e-9)
    return correlation


def _cross_spectra(motion: Array) -> Spectra:
    """Return the (z, z, f) cross-spectra over time of (z, pixels, t), summed over the pixels."""
    spectra = np.moveaxis(np.fft.rfft(motion, axis=-1), -1, 0)
    return np.moveaxis(np.conj(spectra) @ spectra.swapaxes(1, 2), 0, -1)


def _unit_motion(moving: Array) -> Array:
    """Return the (z, pixels, t) change of the image, of norm 1 in each slice."""
    by_slice = _pixels_by_slice(moving)
    norm = np.linalg.norm(by_slice, axis=(1, 2), keepdims=True)
    unit: Array = by_slice / np.maximum(norm, 1e-9)
    return unit


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
