"""The beating heart in its own coordinates: surfaces over angle and height, frame by frame.

x points from the left ventricle's axis to the middle of the septum, y to the anterior wall, z along the axis
from the middle of the mitral valve plane at ED to the apex. The valve plane may stand oblique: z is sheared by
a little of x and y, which preserves every volume. Surfaces are radii on a table over (theta, z), so that a point of
any image plane takes one look-up per surface and frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from cinema_cmr.core.geometry import unit
from cinema_cmr.phantom.anatomy.left_ventricle import LeftVentricle, LeftVentricleState, build_left_ventricle
from cinema_cmr.phantom.anatomy.right_ventricle import RightVentricle, RightVentricleState
from cinema_cmr.phantom.arrays import magnitude
from cinema_cmr.phantom.cycle import Cycle, build_cycle
from cinema_cmr.phantom.subject import PhantomSubject

__all__ = ["Heart", "HeartFrame", "HeartPoints", "Pose", "build_heart", "draw_pose"]

Array = NDArray[np.float64]
Floats = NDArray[np.float32]

N_THETA = 240
Z_START_MM, Z_STEP_MM, N_Z = -80.0, 0.5, 460
NOWHERE_MM = -50.0
"""Radius of a surface at places where it does not exist, so that every point lies outside."""

_USUAL_AXIS = unit(np.array([-0.57, 0.62, -0.53]))
"""RAS direction from base to apex in an average chest: left, forward, down."""
_TOWARDS_RV = np.array([1.0, 1.0, 0.0])
_AXIS_SD, _ROLL_SD_DEG, _TILT_SD = 0.09, 8.0, 0.05
_RV_WALL_MM = 2.4


@dataclass(frozen=True, kw_only=True)
class Pose:
    """Orientation of the heart in the body: unit vectors in RAS, and the obliquity of the mitral plane."""

    towards_septum: Array
    towards_anterior: Array
    towards_apex: Array
    tilt: tuple[float, float]
    """Slope of the valve plane along x and y."""

    @property
    def matrix(self) -> Array:
        """(3, 3), with x, y and z in RAS as its rows."""
        return np.stack([self.towards_septum, self.towards_anterior, self.towards_apex])


def draw_pose(seed: int) -> Pose:
    """Draw the pose of a seed; axes vary by about 8 degrees in any direction, as in real chests."""
    rng = np.random.default_rng((seed, 2))
    wobble = np.clip(rng.standard_normal(3), -2, 2) * _AXIS_SD
    axis = unit(_USUAL_AXIS + wobble)
    roll = np.radians(_ROLL_SD_DEG * float(np.clip(rng.standard_normal(), -2, 2)))
    septum = unit(_TOWARDS_RV - (_TOWARDS_RV @ axis) * axis)
    anterior = np.cross(septum, axis)
    tilt = (0.02 + _TILT_SD * rng.standard_normal(), 0.16 + _TILT_SD * rng.standard_normal())
    return Pose(
        towards_septum=np.cos(roll) * septum + np.sin(roll) * anterior,
        towards_anterior=np.cos(roll) * anterior - np.sin(roll) * septum,
        towards_apex=axis,
        tilt=(float(np.clip(tilt[0], -0.1, 0.12)), float(np.clip(tilt[1], 0.08, 0.24))),
    )


@dataclass(frozen=True, kw_only=True)
class HeartPoints:
    """Points in heart coordinates, of any shape, with their index into the surface tables."""

    x: Floats
    y: Floats
    z: Floats
    radius: Floats
    index: NDArray[np.intp]
    """Index into a flattened (theta, z) table."""


@dataclass(frozen=True, kw_only=True)
class HeartFrame:
    """Radii in mm on the (theta, z) table at one time, and the states of the ventricles."""

    fullness: float
    time_share: float
    """Time since the R wave over the length of the beat."""
    filling_rate: float
    """Stroke volumes per second into the left ventricle."""
    left: LeftVentricleState
    right: RightVentricleState
    endo: Floats
    epi: Floats
    rv_inner: Floats
    """Inner side of the right ventricle: the outer surface of the left one, continued above its valve plane."""
    rv_blood: Floats
    rv_wall: Floats
    sac: Floats
    """The pericardium: outer surface of the fat around the heart."""


@dataclass(frozen=True, kw_only=True)
class Heart:
    """The heart of one subject, which computes its frames; `origin` is set when the heart is placed in a body."""

    subject: PhantomSubject
    pose: Pose
    left: LeftVentricle
    right: RightVentricle
    left_cycle: Cycle
    right_cycle: Cycle
    fat_mm: Floats
    """(theta, z) thickness of the fat outside the muscle."""
    origin: Array
    """RAS mm of the middle of the mitral valve plane at ED."""

    def locate(self, points_ras: NDArray[np.floating]) -> HeartPoints:
        """Convert RAS points (..., 3) to heart coordinates."""
        local = (np.asarray(points_ras, dtype=np.float64) - self.origin) @ self.pose.matrix.T
        x, y = local[..., 0], local[..., 1]
        z = local[..., 2] - self.pose.tilt[0] * x - self.pose.tilt[1] * y
        around = np.floor(np.arctan2(y, x) / (2 * np.pi) * N_THETA).astype(np.intp) % N_THETA
        along = np.clip(np.floor((z - Z_START_MM) / Z_STEP_MM).astype(np.intp), 0, N_Z - 1)
        return HeartPoints(
            x=x.astype(np.float32),
            y=y.astype(np.float32),
            z=z.astype(np.float32),
            radius=magnitude(x, y).astype(np.float32),
            index=around * N_Z + along,
        )

    def to_ras(self, x: Array, y: Array, z: Array) -> Array:
        """Convert heart coordinates to RAS mm (..., 3)."""
        straight = z + self.pose.tilt[0] * x + self.pose.tilt[1] * y
        return np.stack([x, y, straight], axis=-1) @ self.pose.matrix + self.origin

    def frame(self, time_ms: float) -> HeartFrame:
        """Return all surfaces at a time since the R wave."""
        full_left = float(self.left_cycle.fullness(np.array([time_ms]))[0])
        full_right = float(self.right_cycle.fullness(np.array([time_ms]))[0])
        left, right = self.left.state(full_left), self.right.state(full_right)
        endo_sq, epi_sq = self._left_squares(left)
        inner = np.maximum(epi_sq, 0) * _narrowing(left.base_mm)
        added = self._right_added_sq(right)
        blood = np.sqrt(inner + added)
        wall = blood + _RV_WALL_MM * np.clip(added / 150.0, 0, 1)
        muscle = np.where(added > 0, wall, np.sqrt(inner))
        envelope = np.maximum(_SMOOTHING @ muscle, muscle)
        sac = np.where((envelope > 0.5) & (_CLOSING > 0), (envelope + self.fat_mm) * _CLOSING, NOWHERE_MM)
        return HeartFrame(
            fullness=full_left,
            time_share=float(time_ms / self.left_cycle.rr_interval_ms) % 1.0,
            filling_rate=float(self.left_cycle.filling_rate(np.array([time_ms]))[0]),
            left=left,
            right=right,
            endo=_surface(np.sqrt(np.maximum(endo_sq, 0)), endo_sq > 0),
            epi=_surface(np.sqrt(np.maximum(epi_sq, 0)), epi_sq > 0),
            rv_inner=np.sqrt(inner).astype(np.float32),
            rv_blood=_surface(blood, added > 0),
            rv_wall=_surface(wall, added > 0),
            sac=sac.astype(np.float32),
        )

    def _left_squares(self, state: LeftVentricleState) -> tuple[Array, Array]:
        """Return the (theta, z) squared radii of the left ventricle; those of the valve plane are used above it."""
        level = np.clip((ALONG - state.base_mm) / state.length_mm, 0.0, None)
        first, end = int((level <= 0).sum()), int((level < 1 + self.left.cap).sum())
        # One column stands for all rows above the plane; beyond the tip there is nothing.
        columns = np.concatenate([[0.0], level[first:end]])
        endo, epi = np.zeros((N_THETA, N_Z)), np.full((N_THETA, N_Z), -1.0)
        for table, squares in zip((endo, epi), self.left.squares(THETA[:, None], columns[None], state), strict=True):
            table[:, :first], table[:, first:end] = squares[:, :1], squares[:, 1:]
        return endo, epi

    def _right_added_sq(self, state: RightVentricleState) -> Array:
        """Return the (theta, z) squared radius added by the right ventricle; 0 above its valves and below its apex."""
        top = min(state.tricuspid_mm, state.outflow_mm)
        first, end = (int(np.searchsorted(ALONG, at)) for at in (top, self.right.apex_mm))
        added = np.zeros((N_THETA, N_Z))
        added[:, first:end] = self.right.added_sq(THETA[:, None], ALONG[None, first:end], state)
        return added

    @cached_property
    def at_ed(self) -> HeartFrame:
        """Frame of the R wave."""
        return self.frame(0.0)


THETA: Array = (np.arange(N_THETA, dtype=np.float64) + 0.5) * 2 * np.pi / N_THETA
ALONG: Array = Z_START_MM + (np.arange(N_Z, dtype=np.float64) + 0.5) * Z_STEP_MM


_SMOOTHING: Array = ndimage.gaussian_filter1d(np.eye(N_THETA), 8.0, axis=0, mode="wrap")
"""(theta, theta) smoothing around the axis; faster as a matrix than as a filter."""

_CLOSING = np.sqrt(np.clip(1 - np.clip((-8.0 - ALONG) / 38.0, 0, None) ** 2, 0, 1))[None]
"""(1, z) closing of the pericardium over the atria, towards the great vessels."""


def _surface(radius: Array, exists: NDArray[np.bool_]) -> Floats:
    return np.where(exists, radius, NOWHERE_MM).astype(np.float32)


def _narrowing(base_mm: float) -> Array:
    """Return the (1, z) narrowing of the inner side of the outflow tract above the left ventricle's valve plane."""
    above = np.clip((base_mm - ALONG) / 40.0, 0, 1)
    narrowing: Array = 1 - 0.45 * above * above * (3 - 2 * above)
    return narrowing[None]


def build_heart(subject: PhantomSubject) -> Heart:
    """Build the heart of a subject, with its origin at (0, 0, 0) until it is placed in a body."""
    left = build_left_ventricle(subject)
    rng = np.random.default_rng((subject.seed, 3))
    share = float(np.clip(0.72 - 0.004 * (subject.age_years - 40), 0.5, 0.8))
    return Heart(
        subject=subject,
        pose=draw_pose(subject.seed),
        left=left,
        right=RightVentricle(
            subject=subject,
            apex_mm=(0.8 + 0.06 * rng.uniform(-1, 1) + (0.08 if subject.group == "RV" else 0)) * left.length_mm,
            outflow_height_mm=float(rng.uniform(7, 14)),
        ),
        left_cycle=build_cycle(subject.heart_rate_bpm, sex=subject.sex, rapid_share=share),
        right_cycle=build_cycle(subject.heart_rate_bpm, sex=subject.sex, rapid_share=share, delay_ms=12.0),
        fat_mm=_fat(subject, left.length_mm, rng),
        origin=np.zeros(3),
    )


def _fat(subject: PhantomSubject, length_mm: float, rng: np.random.Generator) -> Floats:
    """Return the (theta, z) fat under the pericardium, thickest in the grooves between chambers and before the RV."""
    noise = ndimage.gaussian_filter(rng.standard_normal((N_THETA, N_Z)), (14, 24), mode=("wrap", "nearest"))
    noise /= noise.std()
    angle, along = THETA[:, None], ALONG[None]
    groove = 4.0 * np.exp(-0.5 * ((along + 2) / 9) ** 2)
    over_right = 2.2 * np.exp(2.0 * (np.cos(angle - 0.2) - 1))
    tip = 2.0 * np.exp(-0.5 * ((along - length_mm) / 14) ** 2)
    thickness = 0.2 + subject.fat * (0.4 + groove + over_right + tip) * np.clip(0.8 + 0.5 * noise, 0.05, 2.5)
    return np.asarray(np.clip(thickness, 0.2, 16), dtype=np.float32)
