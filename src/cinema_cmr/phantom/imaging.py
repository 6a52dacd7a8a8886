"""What the scanner makes of signal: coils, off-resonance bands, limited k-space, view sharing, noise, magnitude.

Order as in the machine: shading and bands act on the object, k-space is cut to the acquired resolution (Gibbs
ringing), its outer part is shared between neighbouring frames, noise is white in the acquired part of k-space,
and the magnitude gives it Rice's distribution (Gudbjartsson and Patz, Magn Reson Med 1995;34:910).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from cinema_cmr.phantom.arrays import magnitude
from cinema_cmr.phantom.body import Body
from cinema_cmr.phantom.cycle import smoothstep
from cinema_cmr.phantom.planes import ImagePlane
from cinema_cmr.phantom.styles import Style

__all__ = ["acquire", "object_map"]

Floats = NDArray[np.float32]

_COIL_WIDTH_MM = 95.0


def object_map(body: Body, plane: ImagePlane, index: int, style: Style) -> Floats:
    """(x, y) what multiplies the signal of a slice: coil shading, 1 over the heart, and off-resonance bands."""
    points = plane.points(index)
    return np.asarray(_shading(body, points, style) * _bands(body, points, style), dtype=np.float32)


def _shading(body: Body, points: NDArray[np.float64], style: Style) -> Floats:
    """Four coils in front of the chest and two behind, as root of the sum of squares."""
    at = points.astype(np.float32)
    origin = body.heart.origin
    front, back = body.half_depth_mm + 15, -body.half_depth_mm - 20
    coils = [(origin[0] + dx, front, origin[2] + dz) for dx in (-70, 50) for dz in (-60, 60)]
    coils += [(origin[0] + dx, back, origin[2]) for dx in (-70, 70)]
    power = np.zeros(points.shape[:-1], dtype=np.float32)
    for coil in coils:
        near = 1 + _apart_sq(at, coil) * np.float32(1 / _COIL_WIDTH_MM**2)
        power += 1 / (near * near * near)
    sensitivity = np.sqrt(power)
    heart = body.heart.to_ras(np.array(0.0), np.array(0.0), np.array(40.0))
    there = float(sensitivity.ravel()[np.argmin(_apart_sq(at, heart))])
    return np.asarray((sensitivity / there) ** style.bias_field, dtype=np.float32)


def _apart_sq(points: Floats, place: Sequence[float] | NDArray[np.float64]) -> Floats:
    """Points (..., 3) -> squared distance (...) from a place."""
    squared = np.zeros(points.shape[:-1], dtype=np.float32)
    for axis in range(3):
        away = points[..., axis] - np.float32(place[axis])
        squared += away * away
    return squared


def _bands(body: Body, points: NDArray[np.float64], style: Style) -> Floats:
    """Dark bands where the field is half a turn per TR off; the shim is best at the heart.

    The field bends quadratically away from the shimmed volume and where the lung meets the diaphragm.
    """
    if style.banding == 0:
        return np.ones(points.shape[:-1], dtype=np.float32)
    rng = np.random.default_rng((body.subject.seed, 13))
    away = (points - body.heart.to_ras(np.array(0.0), np.array(0.0), np.array(40.0))).astype(np.float32)
    scale = 165.0 - 65.0 * style.banding
    bent = rng.uniform(0.6, 1.3, 3) * rng.choice([-1.0, 1.0], 3)
    phase = (away / scale) ** 2 @ (np.pi * bent).astype(np.float32)
    lung = body.texture.at(points, 70.0, shift=31.0)
    phase = phase + 0.5 * style.banding * lung * (style.field_tesla / 1.5)
    nearest = np.abs((phase % np.float32(2 * np.pi)) - np.float32(np.pi))
    return np.asarray(1 - 0.7 * np.exp(-0.5 * (nearest / 0.28) ** 2), dtype=np.float32)


def acquire(signal: Floats, style: Style, *, rng: np.random.Generator) -> Floats:
    """Magnitude images (t, x, y) of the frames of one slice, in the scanner's stored values.

    `signal` is (t, x, y), blood in the middle of the image near 1, fat negative.
    """
    window, core = _window(signal.shape[1:], style)
    # Only the acquired part of k-space is worked on; the rest stays empty.
    lines = np.flatnonzero(window.any(axis=1)), np.flatnonzero(window.any(axis=0))
    acquired = np.ix_(*lines)
    kept, share = window[acquired], (style.sharing * (1 - core[acquired])).astype(np.float32)
    space = _forth(signal, lines)
    noise = rng.standard_normal((2, *space.shape), dtype=np.float32)
    noise *= np.float32(np.sqrt(window.size / float((window**2).mean())) / style.snr)
    images = np.empty(signal.shape, dtype=np.float32)
    # Frame by frame: one fits in a processor's cache, all of them do not.
    for t, own in enumerate(space):
        noisy = np.empty(own.shape, dtype=np.complex64)
        noisy.real, noisy.imag = noise[0, t], noise[1, t]
        noisy += own
        if len(signal) > 2 and style.sharing > 0:
            others = space[t - 1] + space[(t + 1) % len(space)]
            others *= np.float32(0.5)
            others -= own
            others *= share
            noisy += others
        noisy *= kept
        image = _back(noisy, lines, window.shape)
        images[t] = magnitude(image.real, image.imag)
    return np.round(np.multiply(images, np.float32(style.full_scale), out=images), out=images)


def _forth(signal: Floats, lines: tuple[NDArray[np.intp], NDArray[np.intp]]) -> NDArray[np.complex64]:
    """(t, kx, ky) the given lines of the k-space of real images (t, x, y); half of it mirrors the other."""
    nx, ny = signal.shape[1:]
    right = lines[1] <= ny // 2
    half = fft.fft(fft.rfft(signal, axis=2, workers=1)[:, :, lines[1][right]], axis=1, workers=1, overwrite_x=True)
    mirrored = half[:, (-lines[0]) % nx][:, :, np.searchsorted(lines[1][right], ny - lines[1][~right])]
    return np.concatenate([half[:, lines[0]], np.conj(mirrored, out=mirrored)], axis=2)


def _back(
    space: NDArray[np.complex64], lines: tuple[NDArray[np.intp], NDArray[np.intp]], shape: tuple[int, ...]
) -> NDArray[np.complex64]:
    """The image of `shape` of the acquired part of k-space; lines that hold nothing are not transformed."""
    columns = np.zeros((shape[0], space.shape[1]), dtype=np.complex64)
    columns[lines[0]] = space
    whole = np.zeros(shape, dtype=np.complex64)
    whole[:, lines[1]] = fft.ifft(columns, axis=0, workers=1, overwrite_x=True)
    return np.asarray(fft.ifft(whole, axis=1, workers=1, overwrite_x=True))


def _window(shape: tuple[int, ...], style: Style) -> tuple[Floats, Floats]:
    """(x, y) what of k-space is kept, and its core that is never shared between frames."""
    kept, core = [], []
    for count, acquired in zip(shape, style.acquired_mm, strict=True):
        frequency = np.abs(fft.fftfreq(count)) * 2 * acquired / style.pixel_mm
        rolled = smoothstep((1 - frequency) / max(style.window, 1e-3)) if style.window > 0 else frequency <= 1
        kept.append(np.where(frequency <= 1, rolled, 0.0))
        core.append(smoothstep((0.45 - frequency) / 0.2))
    window = kept[0][:, None] * kept[1][None]
    return window.astype(np.float32), (core[0][:, None] * core[1][None]).astype(np.float32)
