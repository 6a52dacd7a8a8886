"""Atria with their veins, aortic root and pulmonary trunk, which move with the valve planes.

Sizes after Kawel-Boehm et al., JCMR 2020;22:87 (atria, aorta, pulmonary artery of adults).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.phantom.anatomy.heart import Heart, HeartFrame, HeartPoints

__all__ = ["AORTA", "LEFT_ATRIUM", "RIGHT_ATRIUM", "Chamber", "Chambers", "chamber_depth"]

LEFT_ATRIUM, RIGHT_ATRIUM, AORTA = "left atrium", "right atrium", "aorta"

Array = NDArray[np.float64]
Floats = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Chamber:
    """An ellipsoid of blood, or a tube between two points, in a thin wall; heart coordinates."""

    name: str
    blood: str
    """Tissue: "arterial" or "venous"."""
    centre: tuple[float, float, float]
    size: tuple[float, float, float]
    """Half axes in mm; for a tube the vector from `centre` to its other end."""
    radius_mm: float = 0.0
    """Radius of a tube; 0 for an ellipsoid."""
    wall_mm: float = 1.8
    joined: tuple[Chamber, ...] = ()
    """Chambers that open into this one, without a wall between them."""

    @property
    def is_atrium(self) -> bool:
        """Whether the chamber is an atrium, that is an ellipsoid; atria have uneven walls."""
        return self.radius_mm == 0

    def reach(self, margin_mm: float) -> tuple[Array, Array]:
        """Return the lowest and highest corners, (parts, 3) each, of boxes around the blood with a margin in mm."""
        low, high, widening = self._boxes
        return low - margin_mm * widening, high + margin_mm * widening

    @cached_property
    def _boxes(self) -> tuple[Array, Array, Array]:
        """Boxes around the blood, and the growth of each per mm of margin (depth in an ellipsoid is measured along its
        shortest axis)."""
        parts = (self, *self.joined)
        boxes = []
        for part in parts:
            centre, size = np.array(part.centre), np.array(part.size)
            ends = np.stack([centre, centre + size]) if part.radius_mm else np.stack([centre - size, centre + size])
            widening = np.ones(3) if part.radius_mm else size / size.min()
            boxes.append((ends.min(axis=0) - part.radius_mm, ends.max(axis=0) + part.radius_mm, widening))
        low, high, widening = (np.stack(column) for column in zip(*boxes, strict=True))
        return low, high, widening


def chamber_depth(chamber: Chamber, points: HeartPoints) -> Floats:
    """Return the depth in mm of points inside the blood of a chamber and its joined parts; below 0 outside."""
    deepest = _part_depth(chamber, points)
    for part in chamber.joined:
        np.maximum(deepest, _part_depth(part, points), out=deepest)
    return deepest


def _part_depth(chamber: Chamber, points: HeartPoints) -> Floats:
    x, y, z = (value - np.float32(at) for value, at in zip((points.x, points.y, points.z), chamber.centre, strict=True))
    if chamber.radius_mm == 0:
        a, b, c = (np.float32(1 / size) for size in chamber.size)
        share = np.sqrt((x * a) ** 2 + (y * b) ** 2 + (z * c) ** 2)
        return np.asarray((1 - share) * np.float32(min(chamber.size)))
    axis = np.array(chamber.size, dtype=np.float32)
    along = np.clip((x * axis[0] + y * axis[1] + z * axis[2]) / np.float32(axis @ axis), 0, 1)
    distance = np.sqrt((x - along * axis[0]) ** 2 + (y - along * axis[1]) ** 2 + (z - along * axis[2]) ** 2)
    return np.asarray(np.float32(chamber.radius_mm) - distance)


@dataclass(frozen=True, kw_only=True)
class Chambers:
    """The atria and great arteries of a heart."""

    heart: Heart

    def at(self, frame: HeartFrame) -> tuple[Chamber, ...]:
        """Return all chambers in a frame, outermost first."""
        full = 1 - frame.fullness
        left = self._left_atrium(frame, full)
        return (self._right_atrium(frame, full), self._coronary_sinus(frame), left, *self._arteries(frame))

    @cached_property
    def _sizes(self) -> tuple[float, float, float]:
        """Scale factors of left atrium, right atrium and arteries."""
        subject = self.heart.subject
        rng = np.random.default_rng((subject.seed, 7))
        body = float(np.sqrt(subject.body_surface_m2 / 1.85))
        dilated = {"DCM": (1.25, 1.1), "MINF": (1.12, 1.0), "HCM": (1.15, 1.0), "RV": (0.95, 1.3)}
        left, right = dilated.get(subject.group, (1.0, 1.0))
        noise = 1 + 0.08 * np.clip(rng.standard_normal(3), -2, 2)
        aged = 0.92 + 0.0025 * (subject.age_years - 40)
        return float(left * body * noise[0]), float(right * body * noise[1]), float(aged * body * noise[2])

    def _left_atrium(self, frame: HeartFrame, full: float) -> Chamber:
        size = self._sizes[0]
        top, bottom = -50.0 * size, frame.left.base_mm + 6.0
        across = (22.5 + 3.0 * full) * size
        centre = (-5.0, -9.0 * size, (top + bottom) / 2)
        return Chamber(
            name=LEFT_ATRIUM,
            blood="arterial",
            centre=centre,
            size=(across * 1.12, across, (bottom - top) / 2),
            joined=self._left_atrial_tubes(centre, across, frame.left.base_mm),
        )

    def _left_atrial_tubes(
        self, centre: tuple[float, float, float], across: float, base_mm: float
    ) -> tuple[Chamber, ...]:
        """Return four pulmonary veins, and the appendage, which extends forward beside the mitral ring."""
        rng = np.random.default_rng((self.heart.subject.seed, 17))

        def tube(name: str, start: Array, way: tuple[float, float, float], length: float, radius: float) -> Chamber:
            direction = np.array(way) + 0.2 * rng.standard_normal(3)
            x, y, z = direction / np.linalg.norm(direction) * length
            return Chamber(
                name=name,
                blood="arterial",
                centre=(float(start[0]), float(start[1]), float(start[2])),
                size=(float(x), float(y), float(z)),
                radius_mm=radius * float(rng.uniform(0.8, 1.2)),
            )

        middle = np.array(centre)
        # The right veins run behind the right atrium.
        veins = [
            tube("pulmonary vein", middle + np.array([start * across, -6.0, up]), (*way, 0.04 * up), 42.0, 6.0)
            for start, way in ((-0.7, (-1.0, -0.45)), (0.4, (0.3, -1.0)))
            for up in (-14.0, 4.0)
        ]
        beside = np.array([-0.75 * across, 0.35 * across, base_mm - 11.0])
        return (*veins, tube("appendage", beside, (-0.15, 1.0, 0.15), 26.0 * float(rng.uniform(0.6, 1.3)), 8.0))

    def _coronary_sinus(self, frame: HeartFrame) -> Chamber:
        """Return the vein in the groove below the left atrium, from the lateral side to the right atrium."""
        rng = np.random.default_rng((self.heart.subject.seed, 18))
        out = self.heart.left.radius_mm + self.heart.left.wall_mm
        return Chamber(
            name="coronary sinus",
            blood="venous",
            centre=(-0.55 * out, -0.8 * out, frame.left.base_mm - 6.0),
            size=(1.2 * out, -0.1 * out, -4.0),
            radius_mm=float(rng.uniform(2.5, 6.0)),
            wall_mm=1.0,
        )

    def _right_atrium(self, frame: HeartFrame, full: float) -> Chamber:
        size = self._sizes[1]
        out = self.heart.left.radius_mm + self.heart.left.wall_mm + 17.0 * size
        top, bottom = -46.0 * size, frame.right.tricuspid_mm + 5.0
        across = (20.0 + 2.5 * full) * size
        angle = np.radians(-28.0)
        return Chamber(
            name=RIGHT_ATRIUM,
            blood="venous",
            centre=(out * float(np.cos(angle)), out * float(np.sin(angle)), (top + bottom) / 2),
            size=(across, across * 1.1, (bottom - top) / 2),
        )

    def _arteries(self, frame: HeartFrame) -> tuple[Chamber, Chamber]:
        size = self._sizes[2]
        matrix = self.heart.pose.matrix
        up, back = (matrix @ np.array(way) for way in ((0.3, 0.12, 0.95), (-0.42, -0.62, 0.66)))
        reach = self.heart.left.radius_mm + self.heart.left.wall_mm + 7.0
        aorta = Chamber(
            name=AORTA,
            blood="arterial",
            centre=(9.0 * size, 15.0 * size, frame.left.base_mm + 1.0),
            size=(float(up[0]) * 75, float(up[1]) * 75, float(up[2]) * 75),
            radius_mm=12.0 * size,
        )
        trunk = Chamber(
            name="pulmonary trunk",
            blood="venous",
            centre=(reach * 0.5, reach * 0.72, frame.right.outflow_mm + 3.0),
            size=(float(back[0]) * 45, float(back[1]) * 45, float(back[2]) * 45),
            radius_mm=12.0 * size,
        )
        return trunk, aorta
