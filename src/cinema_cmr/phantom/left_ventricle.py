"""The left ventricle: a truncated spheroid of blood in a wall that keeps its volume, sector by sector.

Coordinates: `theta` around the long axis (0 at the middle of the septum, growing towards the anterior wall),
`level` s along it (0 at the valve plane, 1 at the tip of the cavity, up to 1 + cap at the wall's outer tip),
both moving with the heart. A frame has the cavity's length L and a contraction a:

    r_endo^2 = r_endo,ED^2 (1 - a c(theta, s)),    r_epi^2 = r_endo^2 + W(theta, s) L_ED / L

c says how strongly each place contracts; W = r_epi,ED^2 - r_endo,ED^2. The cavity's volume is linear in a, so the
wanted volume gives a in closed form, and each sector of the wall, L (r_epi^2 - r_endo^2) / 2 dtheta ds, has the
same volume in every frame. Integrals are taken by the trapezoidal rule around (exact to rounding for smooth
periodic functions) and by Gauss and Legendre's along.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from cinema_cmr.core.errors import UsageError
from cinema_cmr.phantom.cycle import smoothstep
from cinema_cmr.phantom.segments import interpolate_segments
from cinema_cmr.phantom.subject import PhantomSubject

__all__ = ["LeftVentricle", "LeftVentricleState", "build_left_ventricle"]

Array = NDArray[np.float64]

MYOCARDIAL_DENSITY_G_ML = 1.05
"""As in the measurement of mass (SCMR, JCMR 2020;22:19)."""

_EQUATOR = 0.25
"""Level of the largest diameter."""

_RING_SHARE, _RING_REACH = (0.70, 0.86), 0.22
"""Radius of the mitral ring over that of the ventricle without it, and the level below which it draws the cavity in:
a ring of some 35 mm on a ventricle of 50 mm (Kawel-Boehm et al., JCMR 2020;22:87)."""

_N_THETA, _N_LEVEL = 96, 48
_MAX_CONTRACTION = 0.93


@dataclass(frozen=True, kw_only=True)
class LeftVentricleState:
    """The ventricle at one moment."""

    length_mm: float
    """From the valve plane to the tip of the cavity."""
    contraction: float
    twist_rad: float
    """Turn of the tip against the base."""
    base_mm: float
    """How far the valve plane has come towards the apex since ED."""


def _quadrature(start: float, end: float) -> tuple[Array, Array, Array, float]:
    """theta (n, 1), level (1, m), weights along (1, m), weight around."""
    nodes, weights = np.polynomial.legendre.leggauss(_N_LEVEL)
    level = start + (nodes + 1) / 2 * (end - start)
    theta = (np.arange(_N_THETA) + 0.5) * 2 * np.pi / _N_THETA
    return theta[:, None], level[None], weights[None] * (end - start) / 2, 2 * np.pi / _N_THETA


def _material(theta: Array, level: Array, state: LeftVentricleState) -> Array:
    """Angle at ED of what is now at an angle in space: the ventricle is twisted about its axis."""
    return np.asarray(theta - state.twist_rad * (np.asarray(level) - 0.3))


@dataclass(frozen=True, kw_only=True)
class LeftVentricle:
    """The shape at ED and how it contracts; `build_left_ventricle` fits it to a subject."""

    subject: PhantomSubject
    length_mm: float
    radius_mm: float
    wall_mm: float
    """Scale of the wall's thickness; the segments' pattern multiplies it."""
    cap_mm: float
    """Thickness of the wall at the apex, along the axis."""

    @cached_property
    def shape(self) -> Array:
        """Phases of the two lowest irregularities of the cavity's outline."""
        return np.random.default_rng((self.subject.seed, 15)).uniform(-np.pi, np.pi, 2)

    @property
    def cap(self) -> float:
        """The cap's thickness as a share of the cavity's length."""
        return self.cap_mm / self.length_mm

    def profile(self, level: Array, tip: float) -> Array:
        """Radius over the largest one of a spheroid that ends at `tip`."""
        across = (np.asarray(level, dtype=np.float64) - _EQUATOR) / (tip - _EQUATOR)
        return np.sqrt(np.clip(1 - across * across, 0, None))

    @cached_property
    def _ring_share(self) -> float:
        low, high = _RING_SHARE
        return float(np.random.default_rng((self.subject.seed, 20)).uniform(low, high))

    def towards_the_ring(self, level: Array) -> Array:
        """How the mitral ring draws the cavity in, 1 well below it."""
        return np.asarray(self._ring_share + (1 - self._ring_share) * smoothstep(np.asarray(level) / _RING_REACH))

    def endo_ed_sq(self, theta: Array, level: Array) -> Array:
        """Squared radius of the cavity at ED, mm2; 0 beyond its tip."""
        flat = np.exp(6.0 * (np.cos(theta) - 1))
        outline = 1 - 2 * self.subject.septal_flattening * (flat - 0.17)
        outline = outline * (1 + 0.05 * np.cos(2 * theta - self.shape[0]) + 0.04 * np.cos(3 * theta - self.shape[1]))
        radius = self.radius_mm * self.profile(level, 1.0) * self.towards_the_ring(level)
        return np.asarray(radius**2 * outline * (np.asarray(level) < 1))

    def wall_sq(self, theta: Array, level: Array) -> Array:
        """W: squared outer radius minus squared inner radius at ED, mm2."""
        return self._wall_about(self.endo_ed_sq(theta, level), theta, level)

    def _wall_about(self, inner: Array, theta: Array, level: Array) -> Array:
        """The same about the squared inner radius `inner`."""
        spread_mm = self.wall_mm * interpolate_segments(self.subject.thickness, theta, level)
        full = np.sqrt(inner / np.maximum(self.profile(level, 1.0) ** 2, 1e-9)) * (np.asarray(level) < 1)
        full = np.where(np.asarray(level) < 0.999, full, self.radius_mm)
        outer = (full + spread_mm) * self.profile(level, 1 + self.cap)
        return np.asarray(np.maximum(outer**2 - inner, 0.0))

    def eagerness(self, theta: Array, level: Array) -> Array:
        """c: relative contraction of each place; less at the fibrous ring of the valve."""
        ring = 0.5 + 0.5 * smoothstep(np.asarray(level) / 0.35)
        return interpolate_segments(self.subject.contraction, theta, level) * ring

    def endo_sq(self, theta: Array, level: Array, state: LeftVentricleState) -> Array:
        """Squared radius of the cavity in mm2 in a state, at angles in space."""
        material = _material(theta, level, state)
        return self.endo_ed_sq(material, level) * (1 - state.contraction * self.eagerness(material, level))

    def squares(self, theta: Array, level: Array, state: LeftVentricleState) -> tuple[Array, Array]:
        """Squared radii of cavity and wall in mm2; the wall is that of ED, turned, on the length of the state."""
        material = _material(theta, level, state)
        at_ed = self.endo_ed_sq(material, level)
        endo = at_ed * (1 - state.contraction * self.eagerness(material, level))
        wall = self._wall_about(at_ed, material, level) * self.length_mm / state.length_mm
        return endo, endo + wall

    def state(self, fullness: float) -> LeftVentricleState:
        """The state that holds the share `fullness` of the stroke volume above ESV."""
        subject = self.subject
        volume = subject.lv_edv_ml * (1 - subject.lv_ef_percent / 100 * (1 - fullness))
        way = subject.mapse_mm * (1 - fullness) / (1 + self.cap)
        length = self.length_mm - way
        full, eager = self.integrals
        contraction = (full - volume * 1000 / length) / eager
        return LeftVentricleState(
            length_mm=length,
            contraction=contraction,
            twist_rad=float(np.radians(subject.twist_deg)) * (1 - fullness),
            base_mm=way * (1 + self.cap),
        )

    def cavity_ml(self, state: LeftVentricleState) -> float:
        """Volume of the cavity by quadrature."""
        theta, level, along, around = _quadrature(0.0, 1.0)
        area = (self.endo_sq(theta, level, state) * along).sum() * around / 2
        return float(area * state.length_mm / 1000)

    def wall_ml(self, state: LeftVentricleState) -> float:
        """Volume of the myocardium by quadrature, from the two surfaces."""
        total = 0.0
        for start, end in ((0.0, 1.0), (1.0, 1 + self.cap)):
            theta, level, along, around = _quadrature(start, end)
            inner, outer = self.squares(theta, level, state)
            total += float(((outer - inner) * along).sum() * around / 2)
        return total * state.length_mm / 1000

    def wall_ed_ml(self) -> float:
        """Volume of the myocardium at ED, the same in every frame."""
        total = 0.0
        for start, end in ((0.0, 1.0), (1.0, 1 + self.cap)):
            theta, level, along, around = _quadrature(start, end)
            total += float((self.wall_sq(theta, level) * along).sum() * around / 2)
        return total * self.length_mm / 1000

    def thickness_mm(self, state: LeftVentricleState) -> dict[int, float]:
        """Mean thickness across the axis of the 16 segments, each a sixth or quarter of a third."""
        found = {}
        for third, parts in enumerate((6, 6, 4)):
            level = (third + (np.arange(24) + 0.5) / 24) / 3
            for part in range(parts):
                start = -np.pi / 4 if parts == 4 else 0.0
                theta = start + (part + (np.arange(24) + 0.5) / 24) * 2 * np.pi / parts
                inner, outer = self.squares(theta[:, None], level[None], state)
                found[_SEGMENT_OF[parts][part] + 6 * third] = float((np.sqrt(outer) - np.sqrt(inner)).mean())
        return dict(sorted(found.items()))

    @cached_property
    def integrals(self) -> tuple[float, float]:
        """Integrals over angle and level of r_ED^2 / 2 and of r_ED^2 c / 2."""
        theta, level, along, around = _quadrature(0.0, 1.0)
        squared = self.endo_ed_sq(theta, level) * along * around / 2
        return float(squared.sum()), float((squared * self.eagerness(theta, level)).sum())


_SEGMENT_OF = {6: (2, 1, 6, 5, 4, 3), 4: (2, 1, 4, 3)}
"""Sixths from the septum's middle towards the anterior wall, and quarters, as segments of the basal level."""


def build_left_ventricle(subject: PhantomSubject) -> LeftVentricle:
    """The ventricle with the subject's EDV, mass and shape.

    Raises `UsageError` where so much contraction is asked of so few segments that the cavity would vanish.
    """
    share = 1 - ((1 - _EQUATOR) ** 3 + _EQUATOR**3) / (3 * (1 - _EQUATOR) ** 2)
    length = 2 * subject.sphericity * (1000 * subject.lv_edv_ml / (2 * np.pi * subject.sphericity * share)) ** (1 / 3)
    round_one = LeftVentricle(subject=subject, length_mm=length, radius_mm=1.0, wall_mm=1.0, cap_mm=3.0)
    radius = float(np.sqrt(subject.lv_edv_ml * 1000 / (round_one.integrals[0] * length)))

    def with_wall(wall_mm: float) -> LeftVentricle:
        return LeftVentricle(
            subject=subject, length_mm=length, radius_mm=radius, wall_mm=wall_mm, cap_mm=0.4 * wall_mm + 0.5
        )

    def off(wall_mm: float) -> float:
        return with_wall(wall_mm).wall_ed_ml() * MYOCARDIAL_DENSITY_G_ML - subject.lv_mass_g

    ventricle = with_wall(float(brentq(off, 1.0, 40.0, xtol=1e-6)))
    _check_contraction(ventricle)
    return ventricle


def _check_contraction(ventricle: LeftVentricle) -> None:
    theta, level, _, _ = _quadrature(0.0, 1.0)
    strongest = float(ventricle.eagerness(theta, level).max()) * ventricle.state(0.0).contraction
    if strongest > _MAX_CONTRACTION:
        raise UsageError(
            f"subject of seed {ventricle.subject.seed}: an EF of {ventricle.subject.lv_ef_percent:.0f} % would need "
            f"{100 * strongest:.0f} % of a place's area; lower the EF or let more segments contract"
        )
