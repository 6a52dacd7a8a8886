"""The torso around the heart: chest wall, lungs with vessels, spine, aorta, liver, spleen, stomach and arms.

Each organ is a depth in mm (above 0 inside), painted from the outside inwards with edges one pixel wide, so that any
plane can be sampled. RAS mm; the middle of the body is the origin before the heart is placed near the isocentre.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.phantom.anatomy.heart import ALONG, N_THETA, N_Z, THETA, Heart
from cinema_cmr.phantom.anatomy.valves import Muscles
from cinema_cmr.phantom.arrays import clip_to_unit, magnitude
from cinema_cmr.phantom.subject import PhantomSubject
from cinema_cmr.phantom.texture import Texture, make_texture

__all__ = ["Body", "build_body"]

Array = NDArray[np.float64]
Floats = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Body:
    """Dimensions of one torso, with the heart in place."""

    subject: PhantomSubject
    heart: Heart
    half_width_mm: float
    half_depth_mm: float
    fat_mm: float
    """Thickness of the fat under the skin."""
    muscle_mm: float
    diaphragm_mm: float
    """RAS z of the diaphragm below the heart."""
    texture: Texture

    @cached_property
    def muscles(self) -> Muscles:
        """Papillary muscles and trabeculae of the heart."""
        return Muscles(heart=self.heart)

    @property
    def wall_mm(self) -> float:
        """Distance from the skin to the lung."""
        return self.fat_mm + self.muscle_mm

    @property
    def _heart_origin(self) -> tuple[float, float, float]:
        """Origin of the heart as Python floats, which keep arrays in single precision."""
        x, y, z = self.heart.origin.tolist()
        return x, y, z

    def signal(self, points: NDArray[np.floating], tissues: Mapping[str, float], edge_mm: float) -> Floats:
        """Return the signal outside the heart at RAS points (sheet, x, y, 3), with textures of the middle sheet."""
        paint = _Painter(points, edge_mm)
        rim = self._rim(paint)
        noise = self.texture.at(paint.middle, 14.0)
        fine = self.texture.at(paint.middle, 5.0, shift=11.3)
        fat = np.float32(tissues["fat"]) * (1 + 0.07 * noise + 0.05 * fine)
        paint.over(self._arms(paint), fat)
        paint.over(self._arms(paint) - 9, tissues["muscle"] * (1 + 0.08 * fine))
        paint.over(rim, fat)
        self._chest_wall(paint, rim, tissues, noise=noise, fine=fine)
        paint.over(rim - self.wall_mm, tissues["lung"] * self._lung_gain * (1 + 0.25 * noise))
        inside = np.clip((rim - self.wall_mm) / 3, 0, 1)
        vessels = np.clip((self.texture.at(paint.middle, 5.5, shift=5.1) - 1.9) * 2.4, 0, 1)
        paint.blend(vessels * inside, tissues["venous"] * 0.8)
        self._mediastinum(paint, rim, fat, tissues)
        self._abdomen(paint, rim, tissues, noise=noise, fine=fine)
        self._spine(paint, tissues, fine)
        return paint.image

    def _rim(self, paint: _Painter) -> Floats:
        """Return the depth below the skin."""
        share = (np.abs(paint.x / self.half_width_mm) ** 2.5 + np.abs(paint.y / self.half_depth_mm) ** 2.5) ** 0.4
        return np.asarray((1 - share) * self.half_depth_mm, dtype=np.float32)

    def _arms(self, paint: _Painter) -> Floats:
        side = np.abs(paint.x) - (self.half_width_mm + 48)
        return np.asarray(42 - magnitude(side, paint.y + 12), dtype=np.float32)

    def _chest_wall(
        self, paint: _Painter, rim: Floats, tissues: Mapping[str, float], *, noise: Floats, fine: Floats
    ) -> None:
        """Paint muscle and ribs: stripes of marrow in dark bone that run around the chest and downwards."""
        paint.over(rim - self.fat_mm, tissues["muscle"] * (1 + 0.1 * fine))
        strand = np.clip(noise - 0.5, 0, 1) * np.clip((rim - self.fat_mm) / 2, 0, 1)
        paint.blend(strand * 0.7, tissues["fat"])
        beside = 0.45 * np.abs(paint.y) - 0.1 * np.abs(paint.x)
        wave = np.cos((paint.z + beside) * np.float32(2 * np.pi / 27))
        middle = np.abs(rim - self.fat_mm - self.muscle_mm * 0.62)
        rib = 5.0 - magnitude(middle * 1.1, np.clip(0.55 - wave, 0, 2) * 9)
        paint.over(rib, tissues["fibrous"])
        paint.over(rib - 1.8, tissues["marrow"] * 0.9)

    def _mediastinum(self, paint: _Painter, rim: Floats, fat: Floats, tissues: Mapping[str, float]) -> None:
        """Paint the fat around the great vessels and in front of the heart, and the vessels above it."""
        origin = self._heart_origin
        centre = origin[0] + 12.0
        bulge = 4 * self._wave(paint, 55.0, 7.7)
        half = 11.0 + 9.0 * self.subject.fat * np.exp(-0.5 * ((paint.z - origin[2] - 20) / 35) ** 2) + bulge
        depth = np.minimum(half - np.abs(paint.x - centre - 0.12 * paint.y), rim - self.wall_mm + 1)
        strands = fat * (0.8 + 0.2 * np.clip(self._wave(paint, 7.0, 2.2), -1.5, 1))
        paint.over(np.asarray(np.minimum(depth, paint.y + self.half_depth_mm - 52)), strands)
        self._apical_fat(paint, rim, strands)
        front = self.half_depth_mm - self.wall_mm
        pad = 5 + 8 * self.subject.fat + bulge - magnitude(paint.x - (origin[0] - 14), (paint.y - front + 4) * 1.5)
        paint.over(np.minimum(pad, rim - self.wall_mm + 1), strands)
        for where, radius, blood in (
            ((centre + 28, -2.0, 1e3), 9.5, "venous"),
            ((centre - 12, 8.0, 1e3), 6.0, "arterial"),
        ):
            tube = np.minimum(radius - magnitude(paint.x - where[0], paint.y - where[1]), paint.z - origin[2] - 40)
            paint.over(tube, tissues[blood])

    def _apical_fat(self, paint: _Painter, rim: Floats, fat: Floats) -> None:
        """Paint the wedge of fat between chest wall, diaphragm and apex, from none to about 30 mm thick."""
        rng = np.random.default_rng((self.subject.seed, 16))
        thick = float(rng.uniform(-6, 30)) * (0.5 + 0.5 * min(self.subject.fat, 1.5))
        if thick < 1:
            return
        left = self.heart.left
        tip = self.heart.to_ras(np.array(0.0), np.array(0.0), np.array(left.length_mm + left.cap_mm))
        x, y, z = (tip + rng.normal(0, 8, 3) + np.array([-0.2, 0.2, -0.2]) * thick).tolist()
        away = (paint.x - x) ** 2 + (paint.y - y) ** 2 + (paint.z - z) ** 2
        tapered = 1 - away / np.float32(rng.uniform(38, 70) ** 2)
        along_wall = thick * tapered - (rim - self.wall_mm) + 2 * self._wave(paint, 24.0, 9.1)
        near_tip = 0.8 * thick * (1 - away / np.float32((1.3 * thick + 6) ** 2))
        depth = np.maximum(along_wall, near_tip)
        paint.over(np.minimum(depth, rim - self.wall_mm + 1), fat)

    def _abdomen(
        self, paint: _Painter, rim: Floats, tissues: Mapping[str, float], *, noise: Floats, fine: Floats
    ) -> None:
        """Paint the liver under the diaphragm on the right and below the heart, stomach and spleen on the left."""
        below = self._diaphragm(paint) - paint.z
        inside = rim - self.wall_mm + 4
        wet = np.minimum(below, inside)
        paint.over(wet, tissues["muscle"])
        split = self._heart_origin[0] - 38 + 0.25 * (paint.y - 10)
        abdomen = np.minimum(wet - 2.2, 400)
        paint.over(abdomen, np.float32(tissues["fat"]) * (0.8 + 0.1 * noise))
        coils = self._wave(paint, 26.0, 3.3)
        paint.over(np.minimum(abdomen - 3, coils * 12), tissues["bowel"] * (1 + 0.12 * fine))
        liver = np.minimum(np.minimum(abdomen, paint.x - split), 130 - below)
        paint.over(liver, tissues["liver"] * (1 + 0.06 * noise + 0.03 * fine))
        veins = np.clip((fine - 1.5) * 1.6, 0, 1) * np.clip((liver - 6) / 3, 0, 1)
        paint.blend(veins, tissues["venous"] * 0.95)
        left = split - 52.0
        spleen = 1 - np.sqrt(((paint.x - left + 12) / 30) ** 2 + ((paint.y + 42) / 42) ** 2 + ((below - 42) / 42) ** 2)
        paint.over(np.minimum(spleen * 32, abdomen), tissues["spleen"] * (1 + 0.05 * fine))
        stomach = 1 - np.sqrt(((paint.x - left) / 42) ** 2 + ((paint.y - 22) / 42) ** 2 + ((below - 34) / 31) ** 2)
        paint.over(np.minimum(stomach * 32, abdomen), tissues["muscle"])
        content = np.where(paint.y > 30, tissues["air"], tissues["fluid"] * self._stomach_fill)
        paint.over(np.minimum(stomach * 32 - 3, abdomen), content * (1 + 0.15 * fine))
        vein = 10.5 - magnitude(paint.x - self._heart_origin[0] - 42, paint.y + 8)
        paint.over(np.minimum(vein, below + 12), tissues["venous"])

    def _wave(self, paint: _Painter, scale_mm: float, shift: float) -> Floats:
        return self.texture.at(paint.middle, scale_mm, shift=shift)

    @property
    def _stomach_fill(self) -> float:
        return float(np.random.default_rng((self.subject.seed, 8)).uniform(0.15, 1.0))

    @property
    def _lung_gain(self) -> float:
        """Factor by which the lung is brighter than by its density alone: less air, motion, wrap-around of tissue."""
        return float(np.random.default_rng((self.subject.seed, 21)).uniform(1.0, 5.5))

    def _diaphragm(self, paint: _Painter) -> Floats:
        """Return the height of the diaphragm: two domes that fall towards the chest wall."""
        origin = self._heart_origin
        right = 20 * np.exp(-0.5 * (((paint.x - origin[0] - 85) / 55) ** 2 + ((paint.y + 5) / 70) ** 2))
        left = 9 * np.exp(-0.5 * (((paint.x - origin[0] + 70) / 45) ** 2 + ((paint.y + 25) / 55) ** 2))
        share = (paint.x / self.half_width_mm) ** 2 + ((paint.y + 4) / self.half_depth_mm) ** 2
        return np.asarray(self.diaphragm_mm + right + left - 42 * np.clip(share - 0.12, 0, 2), dtype=np.float32)

    def _spine(self, paint: _Painter, tissues: Mapping[str, float], fine: Floats) -> None:
        back = -self.half_depth_mm
        for side in (-1, 1):
            beside = 22 - magnitude((paint.x - side * 30) / 1.15, paint.y - back - 33)
            paint.over(beside, tissues["muscle"] * (1 + 0.1 * fine))
        body = 19 - magnitude(paint.x / 1.15, (paint.y - back - 60))
        paint.over(body, tissues["fibrous"])
        disc = np.clip(np.cos(paint.z * np.float32(2 * np.pi / 26)) * 6 - 4.2, 0, 1)
        marrow = tissues["marrow"] * (0.75 + 0.1 * fine)
        paint.over(body - 1.5, marrow + disc * (tissues["muscle"] * 0.6 - marrow))
        canal = 8.5 - magnitude(paint.x / 1.2, paint.y - back - 32)
        paint.over(canal, tissues["fluid"])
        paint.over(canal - 4, tissues["bowel"])
        aorta = 11.5 - magnitude(paint.x + 24, paint.y - back - 72)
        paint.over(aorta + 2, tissues["fibrous"])
        paint.over(aorta, tissues["arterial"])


class _Painter:
    """Canvas: the points of an image and the signal painted on them so far."""

    def __init__(self, points: NDArray[np.floating], edge_mm: float) -> None:
        self.x, self.y, self.z = (np.asarray(points[..., axis], dtype=np.float32) for axis in range(3))
        half = len(points) // 2
        self.middle = points[half : half + 1]
        self.image = np.zeros(self.x.shape, dtype=np.float32)
        self.per_edge = np.float32(1 / edge_mm)

    def over(self, depth_mm: NDArray[np.floating], value: NDArray[np.floating] | float) -> None:
        """Paint a value where the depth is above 0, with an edge one pixel wide."""
        share = np.multiply(depth_mm, self.per_edge, dtype=np.float32)
        share += np.float32(0.5)
        if share.max() > 0:
            self.blend(clip_to_unit(share), value)

    def blend(self, share: NDArray[np.floating], value: NDArray[np.floating] | float) -> None:
        """Blend a value in by a fraction from 0 to 1."""
        change = np.subtract(value, self.image, dtype=np.float32)
        change *= share
        self.image += change


def build_body(heart: Heart) -> Body:
    """Build the torso of a heart's subject and place the heart in it, behind the sternum and on the diaphragm."""
    subject = heart.subject
    bmi = subject.weight_kg / (subject.height_cm / 100) ** 2
    rng = np.random.default_rng((subject.seed, 9))
    fat = float(np.clip(6 + 1.3 * (bmi - 20) + 2 * rng.standard_normal(), 5, 38))
    muscle = 15.0 if subject.sex == "M" else 12.0
    inner = 86.0 + 0.25 * (subject.height_cm - 170) + 3 * float(rng.standard_normal())
    surface = _sac_surface(heart)
    front = float(surface[..., 1].max())
    low = float(surface[..., 2].min())
    origin = np.array([-2.0 + 4 * rng.standard_normal(), inner - 5.0 - front, 12.0 + 5 * rng.standard_normal()])
    return Body(
        subject=subject,
        heart=replace(heart, origin=origin),
        half_width_mm=inner * 1.62 + fat + muscle,
        half_depth_mm=inner + fat + muscle,
        fat_mm=fat,
        muscle_mm=muscle,
        diaphragm_mm=float(origin[2]) + low + float(rng.uniform(4, 14)),
        texture=make_texture(subject.seed),
    )


def _sac_surface(heart: Heart) -> Array:
    """Return the (theta, z, 3) RAS points of the pericardium at ED, with the origin of the heart at 0."""
    keep = (ALONG > -5) & (heart.left.length_mm > ALONG)
    radius = np.maximum(heart.at_ed.sac.reshape(N_THETA, N_Z)[:, keep], 0).astype(np.float64)
    x, y = radius * np.cos(THETA)[:, None], radius * np.sin(THETA)[:, None]
    along = np.broadcast_to(ALONG[keep][None], x.shape)
    return replace(heart, origin=np.zeros(3)).to_ras(x, y, along)
