"""Image formation of the scanner: coils, off-resonance bands, limited k-space, view sharing, noise and magnitude.

The order is that of the machine: bias field and bands act on the object, k-space is truncated to the acquired
resolution (Gibbs ringing), its outer part is shared between neighbouring frames, noise is white in the acquired part of
k-space, and the magnitude gives it a Rice distribution (Gudbjartsson and Patz, Magn Reson Med 1995;34:910).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from cinema_cmr.phantom.anatomy.body import Body
from cinema_cmr.phantom.arrays import magnitude
from cinema_cmr.phantom.cycle import smoothstep
from cinema_cmr.phantom.planes import ImagePlane
from cinema_cmr.phantom.styles import Style

__all__ = ["acquire", "signal_gain"]

Floats = NDArray[np.float32]

_COIL_WIDTH_MM = 95.0


def signal_gain(body: Body, plane: ImagePlane, index: int, style: Style) -> Floats:
    """Return the (x, y) factor of the signal of a slice: bias field, 1 over the heart, times off-resonance bands."""
    points = plane.points(index)
    return np.asarray(_bias_field(body, points, style) * _bands(body, points, style), dtype=np.float32)


def _bias_field(body: Body, points: NDArray[np.float64], style: Style) -> Floats:
    """Return the sensitivity of four coils in front of the chest and two behind, as root of the sum of squares."""
    single = points.astype(np.float32)
    origin = body.heart.origin
    front, back = body.half_depth_mm + 15, -body.half_depth_mm - 20
    coils = [(origin[0] + dx, front, origin[2] + dz) for dx in (-70, 50) for dz in (-60, 60)]
    coils += [(origin[0] + dx, back, origin[2]) for dx in (-70, 70)]
    power = np.zeros(points.shape[:-1], dtype=np.float32)
    for coil in coils:
        near = 1 + _squared_distance(single, coil) * np.float32(1 / _COIL_WIDTH_MM**2)
        power += 1 / (near * near * near)
    sensitivity = np.sqrt(power)
    heart = body.heart.to_ras(np.array(0.0), np.array(0.0), np.array(40.0))
    at_heart = float(sensitivity.ravel()[np.argmin(_squared_distance(single, heart))])
    return np.asarray((sensitivity / at_heart) ** style.bias_field, dtype=np.float32)


def _squared_distance(points: Floats, place: Sequence[float] | NDArray[np.float64]) -> Floats:
    """Return the squared distance (...) of points (..., 3) from a place."""
    squared = np.zeros(points.shape[:-1], dtype=np.float32)
    for axis in range(3):
        away = points[..., axis] - np.float32(place[axis])
        squared += away * away
    return squared


def _bands(body: Body, points: NDArray[np.float64], style: Style) -> Floats:
    """Return dark bands where the field is off resonance by half a cycle per TR; the shim is best at the heart.

    The field deviates quadratically away from the shimmed volume, and where the lung meets the diaphragm.
    """
    if style.banding == 0:
        return np.ones(points.shape[:-1], dtype=np.float32)
    rng = np.random.default_rng((body.subject.seed, 13))
    away = (points - body.heart.to_ras(np.array(0.0), np.array(0.0), np.array(40.0))).astype(np.float32)
    scale = 165.0 - 65.0 * style.banding
    curvature = rng.uniform(0.6, 1.3, 3) * rng.choice([-1.0, 1.0], 3)
    phase = (away / scale) ** 2 @ (np.pi * curvature).astype(np.float32)
    lung = body.texture.at(points, 70.0, shift=31.0)
    phase = phase + 0.5 * style.banding * lung * (style.field_tesla / 1.5)
    nearest = np.abs((phase % np.float32(2 * np.pi)) - np.float32(np.pi))
    return np.asarray(1 - 0.7 * np.exp(-0.5 * (nearest / 0.28) ** 2), dtype=np.float32)


def acquire(signal: Floats, style: Style, *, rng: np.random.Generator) -> Floats:
    """Acquire the frames of one slice as magnitude images (t, x, y) in stored values of the scanner.

    `signal` is (t, x, y), with blood in the middle of the image near 1 and fat negative.
    """
    window, core = _k_space_window(signal.shape[1:], style)
    # Only the acquired part of k-space is computed; the rest stays empty.
    lines = np.flatnonzero(window.any(axis=1)), np.flatnonzero(window.any(axis=0))
    acquired = np.ix_(*lines)
    kept, share = window[acquired], (style.sharing * (1 - core[acquired])).astype(np.float32)
    space = _to_k_space(signal, lines)
    noise = rng.standard_normal((2, *space.shape), dtype=np.float32)
    noise *= np.float32(np.sqrt(window.size / float((window**2).mean())) / style.snr)
    images = np.empty(signal.shape, dtype=np.float32)
    # Frame by frame: one frame fits into the cache of a processor, all of them do not.
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
        image = _to_image(noisy, lines, window.shape)
        images[t] = magnitude(image.real, image.imag)
    return np.round(np.multiply(images, np.float32(style.full_scale), out=images), out=images)


def _to_k_space(signal: Floats, lines: tuple[NDArray[np.intp], NDArray[np.intp]]) -> NDArray[np.complex64]:
    """Return the given lines (t, kx, ky) of the k-space of real images (t, x, y), using its conjugate symmetry."""
    nx, ny = signal.shape[1:]
    right = lines[1] <= ny // 2
    half = fft.fft(fft.rfft(signal, axis=2, workers=1)[:, :, lines[1][right]], axis=1, workers=1, overwrite_x=True)
    mirrored = half[:, (-lines[0]) % nx][:, :, np.searchsorted(lines[1][right], ny - lines[1][~right])]
    return np.concatenate([half[:, lines[0]], np.conj(mirrored, out=mirrored)], axis=2)


def _to_image(
    space: NDArray[np.complex64], lines: tuple[NDArray[np.intp], NDArray[np.intp]], shape: tuple[int, ...]
) -> NDArray[np.complex64]:
    """Return the image of `shape` from the acquired part of k-space, without transforming empty lines."""
    columns = np.zeros((shape[0], space.shape[1]), dtype=np.complex64)
    columns[lines[0]] = space
    whole = np.zeros(shape, dtype=np.complex64)
    whole[:, lines[1]] = fft.ifft(columns, axis=0, workers=1, overwrite_x=True)
    return np.asarray(fft.ifft(whole, axis=1, workers=1, overwrite_x=True))


def _k_space_window(shape: tuple[int, ...], style: Style) -> tuple[Floats, Floats]:
    """Return the (x, y) weights of acquired k-space, and of its core, which is never shared between frames."""
    kept, core = [], []
    for count, acquired in zip(shape, style.acquired_mm, strict=True):
        frequency = np.abs(fft.fftfreq(count)) * 2 * acquired / style.pixel_mm
        rolled = smoothstep((1 - frequency) / max(style.window, 1e-3)) if style.window > 0 else frequency <= 1
        kept.append(np.where(frequency <= 1, rolled, 0.0))
        core.append(smoothstep((0.45 - frequency) / 0.2))
    window = kept[0][:, None] * kept[1][None]
    return window.astype(np.float32), (core[0][:, None] * core[1][None]).astype(np.float32)
