"""The left ventricle: a truncated spheroid of blood in a wall whose every sector keeps its volume.

Coordinates: `theta` around the long axis (0 at the middle of the septum, growing towards the anterior wall),
`level` s along it (0 at the valve plane, 1 at the tip of the cavity, up to 1 + cap at the wall's outer tip),
both moving with the heart. A frame has the cavity's length L and a contraction a:

    r_endo^2 = r_endo,ED^2 (1 - a c(theta, s)),    r_epi^2 = r_endo^2 + W(theta, s) L_ED / L

c is the local strength of contraction; W = r_epi,ED^2 - r_endo,ED^2. The volume of the cavity is linear in a, so that a
given volume yields a in closed form, and each sector of the wall, L (r_epi^2 - r_endo^2) / 2 dtheta ds, has the
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
from cinema_cmr.phantom.anatomy.segments import interpolate_segments
from cinema_cmr.phantom.cycle import smoothstep
from cinema_cmr.phantom.subject import PhantomSubject

__all__ = ["LeftVentricle", "LeftVentricleState", "build_left_ventricle"]

Array = NDArray[np.float64]

MYOCARDIAL_DENSITY_G_ML = 1.05
"""As in the measurement of mass (SCMR, JCMR 2020;22:19)."""

_EQUATOR = 0.25
"""Level of the largest diameter."""

_RING_SHARE, _RING_REACH = (0.70, 0.86), 0.22
"""Radius of the mitral ring relative to that of the ventricle without it, and the level up to which the ring narrows
the cavity: a ring of about 35 mm on a ventricle of 50 mm (Kawel-Boehm et al., JCMR 2020;22:87)."""

_N_THETA, _N_LEVEL = 96, 48
_MAX_CONTRACTION = 0.93


@dataclass(frozen=True, kw_only=True)
class LeftVentricleState:
    """State of the ventricle at one time."""

    length_mm: float
    """Distance from the valve plane to the tip of the cavity."""
    contraction: float
    twist_rad: float
    """Rotation of the tip relative to the base."""
    base_mm: float
    """Displacement of the valve plane towards the apex since ED."""


def _quadrature(start: float, end: float) -> tuple[Array, Array, Array, float]:
    """Return theta (n, 1), level (1, m), weights along the axis (1, m) and the weight around it."""
    nodes, weights = np.polynomial.legendre.leggauss(_N_LEVEL)
    level = start + (nodes + 1) / 2 * (end - start)
    theta = (np.arange(_N_THETA) + 0.5) * 2 * np.pi / _N_THETA
    return theta[:, None], level[None], weights[None] * (end - start) / 2, 2 * np.pi / _N_THETA


def _material_angle(theta: Array, level: Array, state: LeftVentricleState) -> Array:
    """Return the angle at ED of the material that a twist about the axis has moved to an angle in space."""
    return np.asarray(theta - state.twist_rad * (np.asarray(level) - 0.3))


@dataclass(frozen=True, kw_only=True)
class LeftVentricle:
    """Shape at ED and pattern of contraction; `build_left_ventricle` fits both to a subject."""

    subject: PhantomSubject
    length_mm: float
    radius_mm: float
    wall_mm: float
    """Scale of the wall thickness, multiplied by the pattern of the segments."""
    cap_mm: float
    """Thickness of the wall at the apex, along the axis."""

    @cached_property
    def shape(self) -> Array:
        """Phases of the two lowest irregularities of the cavity's outline."""
        return np.random.default_rng((self.subject.seed, 15)).uniform(-np.pi, np.pi, 2)

    @property
    def cap(self) -> float:
        """Thickness of the apical cap as a fraction of the length of the cavity."""
        return self.cap_mm / self.length_mm

    def profile(self, level: Array, tip: float) -> Array:
        """Return the radius relative to the largest one of a spheroid that ends at `tip`."""
        across = (np.asarray(level, dtype=np.float64) - _EQUATOR) / (tip - _EQUATOR)
        return np.sqrt(np.clip(1 - across * across, 0, None))

    @cached_property
    def _ring_share(self) -> float:
        low, high = _RING_SHARE
        return float(np.random.default_rng((self.subject.seed, 20)).uniform(low, high))

    def ring_narrowing(self, level: Array) -> Array:
        """Return the narrowing of the cavity by the mitral ring, 1 well below it."""
        return np.asarray(self._ring_share + (1 - self._ring_share) * smoothstep(np.asarray(level) / _RING_REACH))

    def endo_ed_sq(self, theta: Array, level: Array) -> Array:
        """Return the squared radius of the cavity at ED in mm2; 0 beyond its tip."""
        flat = np.exp(6.0 * (np.cos(theta) - 1))
        outline = 1 - 2 * self.subject.septal_flattening * (flat - 0.17)
        outline = outline * (1 + 0.05 * np.cos(2 * theta - self.shape[0]) + 0.04 * np.cos(3 * theta - self.shape[1]))
        radius = self.radius_mm * self.profile(level, 1.0) * self.ring_narrowing(level)
        return np.asarray(radius**2 * outline * (np.asarray(level) < 1))

    def wall_sq(self, theta: Array, level: Array) -> Array:
        """Return W, the squared outer minus squared inner radius at ED in mm2."""
        return self._wall_sq_around(self.endo_ed_sq(theta, level), theta, level)

    def _wall_sq_around(self, inner: Array, theta: Array, level: Array) -> Array:
        """Return W for a given squared inner radius."""
        spread_mm = self.wall_mm * interpolate_segments(self.subject.thickness, theta, level)
        full = np.sqrt(inner / np.maximum(self.profile(level, 1.0) ** 2, 1e-9)) * (np.asarray(level) < 1)
        full = np.where(np.asarray(level) < 0.999, full, self.radius_mm)
        outer = (full + spread_mm) * self.profile(level, 1 + self.cap)
        return np.asarray(np.maximum(outer**2 - inner, 0.0))

    def contractility(self, theta: Array, level: Array) -> Array:
        """Return c, the relative contraction at each place; lower at the fibrous ring of the valve."""
        ring = 0.5 + 0.5 * smoothstep(np.asarray(level) / 0.35)
        return interpolate_segments(self.subject.contraction, theta, level) * ring

    def endo_sq(self, theta: Array, level: Array, state: LeftVentricleState) -> Array:
        """Return the squared radius of the cavity in mm2 in a state, at angles in space."""
        material = _material_angle(theta, level, state)
        return self.endo_ed_sq(material, level) * (1 - state.contraction * self.contractility(material, level))

    def squares(self, theta: Array, level: Array, state: LeftVentricleState) -> tuple[Array, Array]:
        """Return the squared inner and outer radii in mm2; the wall is that of ED, twisted, over the current length."""
        material = _material_angle(theta, level, state)
        at_ed = self.endo_ed_sq(material, level)
        endo = at_ed * (1 - state.contraction * self.contractility(material, level))
        wall = self._wall_sq_around(at_ed, material, level) * self.length_mm / state.length_mm
        return endo, endo + wall

    def state(self, fullness: float) -> LeftVentricleState:
        """Return the state with a fraction `fullness` of the stroke volume above ESV."""
        subject = self.subject
        volume = subject.lv_edv_ml * (1 - subject.lv_ef_percent / 100 * (1 - fullness))
        excursion = subject.mapse_mm * (1 - fullness) / (1 + self.cap)
        length = self.length_mm - excursion
        full, contracting = self.integrals
        contraction = (full - volume * 1000 / length) / contracting
        return LeftVentricleState(
            length_mm=length,
            contraction=contraction,
            twist_rad=float(np.radians(subject.twist_deg)) * (1 - fullness),
            base_mm=excursion * (1 + self.cap),
        )

    def cavity_ml(self, state: LeftVentricleState) -> float:
        """Return the volume of the cavity by quadrature."""
        theta, level, along, around = _quadrature(0.0, 1.0)
        area = (self.endo_sq(theta, level, state) * along).sum() * around / 2
        return float(area * state.length_mm / 1000)

    def wall_ml(self, state: LeftVentricleState) -> float:
        """Return the volume of the myocardium by quadrature, from its two surfaces."""
        total = 0.0
        for start, end in ((0.0, 1.0), (1.0, 1 + self.cap)):
            theta, level, along, around = _quadrature(start, end)
            inner, outer = self.squares(theta, level, state)
            total += float(((outer - inner) * along).sum() * around / 2)
        return total * state.length_mm / 1000

    def wall_ed_ml(self) -> float:
        """Return the volume of the myocardium at ED, which is the same in every frame."""
        total = 0.0
        for start, end in ((0.0, 1.0), (1.0, 1 + self.cap)):
            theta, level, along, around = _quadrature(start, end)
            total += float((self.wall_sq(theta, level) * along).sum() * around / 2)
        return total * self.length_mm / 1000

    def thickness_mm(self, state: LeftVentricleState) -> dict[int, float]:
        """Return the mean thickness across the axis of the 16 segments, each a sixth or quarter of a third."""
        thickness = {}
        for third, parts in enumerate((6, 6, 4)):
            level = (third + (np.arange(24) + 0.5) / 24) / 3
            for part in range(parts):
                start = -np.pi / 4 if parts == 4 else 0.0
                theta = start + (part + (np.arange(24) + 0.5) / 24) * 2 * np.pi / parts
                inner, outer = self.squares(theta[:, None], level[None], state)
                thickness[_SEGMENTS[parts][part] + 6 * third] = float((np.sqrt(outer) - np.sqrt(inner)).mean())
        return dict(sorted(thickness.items()))

    @cached_property
    def integrals(self) -> tuple[float, float]:
        """Integrals over angle and level of r_ED^2 / 2 and of r_ED^2 c / 2."""
        theta, level, along, around = _quadrature(0.0, 1.0)
        squared = self.endo_ed_sq(theta, level) * along * around / 2
        return float(squared.sum()), float((squared * self.contractility(theta, level)).sum())


_SEGMENTS = {6: (2, 1, 6, 5, 4, 3), 4: (2, 1, 4, 3)}
"""Number of parts of a ring -> basal segment of each part, from the middle of the septum towards the anterior wall."""


def build_left_ventricle(subject: PhantomSubject) -> LeftVentricle:
    """Build the ventricle with the EDV, mass and shape of a subject.

    Raises `UsageError` if the EF needs so much contraction of so few segments that the cavity would vanish.
    """
    share = 1 - ((1 - _EQUATOR) ** 3 + _EQUATOR**3) / (3 * (1 - _EQUATOR) ** 2)
    length = 2 * subject.sphericity * (1000 * subject.lv_edv_ml / (2 * np.pi * subject.sphericity * share)) ** (1 / 3)
    unit_radius = LeftVentricle(subject=subject, length_mm=length, radius_mm=1.0, wall_mm=1.0, cap_mm=3.0)
    radius = float(np.sqrt(subject.lv_edv_ml * 1000 / (unit_radius.integrals[0] * length)))

    def build(wall_mm: float) -> LeftVentricle:
        return LeftVentricle(
            subject=subject, length_mm=length, radius_mm=radius, wall_mm=wall_mm, cap_mm=0.4 * wall_mm + 0.5
        )

    def mass_error(wall_mm: float) -> float:
        return build(wall_mm).wall_ed_ml() * MYOCARDIAL_DENSITY_G_ML - subject.lv_mass_g

    ventricle = build(float(brentq(mass_error, 1.0, 40.0, xtol=1e-6)))
    _check_contraction(ventricle)
    return ventricle


def _check_contraction(ventricle: LeftVentricle) -> None:
    theta, level, _, _ = _quadrature(0.0, 1.0)
    strongest = float(ventricle.contractility(theta, level).max()) * ventricle.state(0.0).contraction
    if strongest > _MAX_CONTRACTION:
        raise UsageError(
            f"subject of seed {ventricle.subject.seed} needs {100 * strongest:.0f} % of the local area for an EF of "
            f"{ventricle.subject.lv_ef_percent:.0f} %; expected at most {100 * _MAX_CONTRACTION:.0f} %: lower the EF or"
            " let more segments contract"
        )
