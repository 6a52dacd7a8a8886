"""Structures inside the blood: papillary muscles, trabeculae, valve leaflets and jets of fast blood."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from cinema_cmr.phantom.anatomy.heart import N_THETA, N_Z, Heart, HeartFrame, HeartPoints
from cinema_cmr.phantom.anatomy.surfaces import FrameSurfaces
from cinema_cmr.phantom.arrays import clip_to_unit, magnitude
from cinema_cmr.phantom.cycle import smoothstep

__all__ = ["Muscles", "leaflet_share"]

Floats = NDArray[np.float32]

_PAPILLARY_DEG = (140.0, -125.0)
"""Angles of the anterolateral and posteromedial muscle."""


@dataclass(frozen=True, kw_only=True)
class Muscles:
    """Papillary muscles and trabeculae of a heart; labels count them as blood."""

    heart: Heart

    @cached_property
    def _variation(self) -> NDArray[np.float64]:
        rng = np.random.default_rng((self.heart.subject.seed, 10))
        return rng.uniform(-1, 1, (2, 4))

    @cached_property
    def _left_layer(self) -> Floats:
        """(theta * z) thickness in mm of the trabeculae along the inner side of the left ventricle."""
        rng = np.random.default_rng((self.heart.subject.seed, 11))
        return _ridges(rng, (2.6, 9.0), mean_mm=1.7 * float(rng.uniform(0.7, 2.4)))

    @cached_property
    def _right_layer(self) -> Floats:
        """(theta * z) thickness in mm of the trabeculae of the right ventricle, which are coarser."""
        rng = np.random.default_rng((self.heart.subject.seed, 12))
        return _ridges(rng, (1.9, 16.0), mean_mm=5.5)

    def muscle_share(self, points: HeartPoints, frame: HeartFrame) -> Floats:
        """Return the fraction of muscle in the blood of the left ventricle: papillary muscles and trabeculae."""
        level = (points.z - np.float32(frame.left.base_mm)) / np.float32(frame.left.length_mm)
        inner = frame.endo.ravel()[points.index]
        apical = np.clip((level - 0.35) * 2.2, 0, 1.6)
        layer = self._left_layer[points.index] * (0.5 + apical)
        share = np.clip((points.radius - inner + layer) * np.float32(0.6), 0, 0.75)
        for side, angle in enumerate(_PAPILLARY_DEG):
            share = np.maximum(share, self._papillary(points, frame, level, side, angle))
        return np.asarray(share, dtype=np.float32)

    def _papillary(self, points: HeartPoints, frame: HeartFrame, level: Floats, side: int, angle: float) -> Floats:
        """Return the fraction of one muscle, from the wall at level 0.75 to its end at 0.35; thicker in systole."""
        draw = self._variation[side]
        twisted = np.radians(angle + 12 * draw[0]) + frame.left.twist_rad * 0.3
        scale = np.sqrt(self.heart.left.length_mm / frame.left.length_mm)
        width = np.float32((4.9 + 1.0 * draw[1]) * scale * np.sqrt(self.heart.left.radius_mm / 26.0))
        shape = clip_to_unit((level - np.float32(0.3 + 0.05 * draw[2])) * 9)
        shape *= clip_to_unit((np.float32(0.86) - level) * 9)
        inner = np.maximum(frame.endo.ravel()[points.index], 0)
        reach = np.maximum(inner - width * np.float32(0.8 - 0.3 * draw[3]), 0.3 * inner)
        right, up = np.float32(np.cos(twisted)), np.float32(np.sin(twisted))
        outwards = points.x * right + points.y * up - reach
        sideways = points.y * right - points.x * up
        across = magnitude(outwards * np.float32(0.8), sideways * np.float32(1.05))
        across = across - np.float32(0.8) * (self._left_layer[points.index] - 1.2)
        share = clip_to_unit((width * shape - across) * np.float32(0.7) + np.float32(0.3))
        share *= shape > 0
        return share

    def free_share(self, points: HeartPoints, part: FrameSurfaces, strands: Floats) -> Floats:
        """Return the fraction of blood in the right ventricle, reduced by trabeculae of the free wall and strands."""
        outer = part.frame.rv_blood.ravel()[points.index]
        apical = np.clip((points.z - 5) / 45, 0.35, 1.4)
        layer = self._right_layer[points.index] * apical
        muscle = np.clip((points.radius - outer + layer) * np.float32(0.5), 0, 0.8)
        crossing = np.clip((strands - 2.1 + 0.8 * apical) * 0.9, 0, 0.75)
        return np.asarray(1 - np.maximum(muscle, crossing), dtype=np.float32)

    def jet(self, points: HeartPoints, frame: HeartFrame) -> Floats:
        """Return the signal lost by fast blood, 0 to 1: mitral inflow in early filling, LV outflow in systole."""
        inflow = max(0.0, frame.filling_rate - 2.5) / 8.0
        outflow = max(0.0, -frame.filling_rate - 1.5) / 8.0
        if inflow == 0 and outflow == 0:
            return np.zeros(points.z.shape, dtype=np.float32)
        depth = points.z - np.float32(frame.left.base_mm)
        to_apex = np.exp(-0.5 * (((points.x + 6) / 6) ** 2 + ((points.y + 6) / 6) ** 2)) * (depth < 34)
        to_aorta = np.exp(-0.5 * (((points.x - 11) / 7) ** 2 + ((points.y - 10) / 7) ** 2)) * (depth < 20)
        return np.asarray(np.clip(inflow * to_apex + outflow * to_aorta, 0, 0.85), dtype=np.float32)


def _ridges(rng: np.random.Generator, widths: tuple[float, float], *, mean_mm: float) -> Floats:
    noise = ndimage.gaussian_filter(rng.standard_normal((N_THETA, N_Z)), widths, mode=("wrap", "nearest"))
    noise /= noise.std()
    return np.asarray(mean_mm * np.clip(0.35 + 1.0 * noise, 0, 2.6), dtype=np.float32).ravel()


def leaflet_share(points: HeartPoints, frame: HeartFrame, sheet_mm: float) -> Floats:
    """Return the fraction of mitral leaflet at points: a tent over the ring in systole, a funnel in diastole."""
    ring = np.maximum(frame.endo.ravel()[points.index], 1.0)
    wide = float(smoothstep((frame.filling_rate + 0.3) / 2.0)) if frame.fullness < 0.999 else 0.3
    depth = points.z - np.float32(frame.left.base_mm)
    slope = (4.0 + wide * 36.0) / ring
    sheet = slope * (ring - points.radius)
    ends = (points.radius < ring) & (points.radius > np.float32(wide * 0.5) * ring)
    distance = np.abs(depth - sheet) / np.sqrt(1 + slope * slope)
    through = np.float32(0.6 * sheet_mm) / np.sqrt(1 + slope * slope)
    width = np.sqrt(1 + through * through)
    return np.asarray(np.clip(1.1 - distance / width, 0, 1) * (0.75 / width) * ends, dtype=np.float32)
