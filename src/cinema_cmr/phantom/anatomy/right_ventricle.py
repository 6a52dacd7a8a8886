"""The right ventricle: a crescent around the wall of the left one, from tricuspid and outflow plane to the apex.

Around the axis of the left ventricle, at angle theta and fraction sigma of the distance from valve plane to apex:

    r_out^2 = r_in^2 + Q q(theta, sigma)

r_in is the outer surface of the left ventricle (continued above its valve plane); q falls to 0 like a square root where
the free wall meets the septum, and at the apex. The volume, Q / 2 times the integral of q, yields Q in closed form in
every frame. Towards the anterior wall the valve plane rises into the outflow tract.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.phantom.cycle import smoothstep
from cinema_cmr.phantom.subject import PhantomSubject

__all__ = ["RightVentricle", "RightVentricleState"]

Array = NDArray[np.float64]

_N_AROUND, _N_ALONG = 64, 48
_OUTFLOW_SHARE = 0.45
"""Displacement of the pulmonary valve relative to that of the tricuspid plane."""


@dataclass(frozen=True, kw_only=True)
class RightVentricleState:
    """State of the ventricle at one time."""

    tricuspid_mm: float
    """Position of the tricuspid plane along the axis of the left ventricle, from its valve plane at ED to the apex."""
    outflow_mm: float
    """Position of the pulmonary valve along the same axis."""
    area_mm2: float
    """Q: squared outer minus squared inner radius at the widest place of the ventricle."""


@dataclass(frozen=True, kw_only=True)
class RightVentricle:
    """Shape and motion, from the volumes and TAPSE of a subject and the length of its left ventricle."""

    subject: PhantomSubject
    apex_mm: float
    """Tip of the cavity along the axis of the left ventricle, at rest in space."""
    outflow_height_mm: float
    """Height of the outflow tract above the valve plane of the left ventricle at ED."""

    def state(self, fullness: float) -> RightVentricleState:
        """Return the state with a fraction `fullness` of the stroke volume above ESV."""
        subject = self.subject
        excursion = subject.tapse_mm * (1 - fullness)
        tricuspid, outflow = 3.0 + excursion, _OUTFLOW_SHARE * excursion - self.outflow_height_mm
        volume = subject.rv_edv_ml * (1 - subject.rv_ef_percent / 100 * (1 - fullness))
        tube, inflow = self._integrals
        per_area = tube * (self.apex_mm - outflow) + inflow * (self.apex_mm - tricuspid)
        return RightVentricleState(tricuspid_mm=tricuspid, outflow_mm=outflow, area_mm2=volume * 1000 / per_area)

    def top_mm(self, theta: Array, state: RightVentricleState) -> Array:
        """Return the position of the valve plane at an angle; it rises from tricuspid to pulmonary valve."""
        rise = _outflow_weight(theta)
        return np.asarray(state.tricuspid_mm + rise * (state.outflow_mm - state.tricuspid_mm))

    def share_along(self, theta: Array, along_mm: Array, state: RightVentricleState) -> Array:
        """Return sigma: 0 at the valve plane, 1 at the apex; the ventricle lies between 0 and 1."""
        top = self.top_mm(theta, state)
        return np.asarray((along_mm - top) / (self.apex_mm - top))

    def added_sq(self, theta: Array, along_mm: Array, state: RightVentricleState) -> Array:
        """Return Q q, the squared outer minus squared inner radius in mm2; 0 outside the ventricle."""
        sigma = self.share_along(theta, along_mm, state)
        centre, half = _arc(sigma)
        across = _wrap_angle(theta - centre) / half
        inside = (np.abs(across) < 1) & (sigma >= 0) & (sigma < 1)
        edge = np.sqrt(np.clip(1 - across * across, 0, None))
        return np.asarray(state.area_mm2 * edge * _smooth_profile(across, sigma) * inside)

    def volume_ml(self, state: RightVentricleState) -> float:
        """Return the volume of the blood by quadrature."""
        tube, inflow = self._integrals
        per_area = tube * (self.apex_mm - state.outflow_mm) + inflow * (self.apex_mm - state.tricuspid_mm)
        return state.area_mm2 * per_area / 1000

    @cached_property
    def _integrals(self) -> tuple[float, float]:
        """Integrals of q / 2 over angle and sigma, split into the parts that scale with outflow and inflow length.

        The angle is integrated by Gauss-Chebyshev quadrature of the second kind, whose weight is the root at the edges.
        """
        node = np.arange(1, _N_AROUND + 1) * np.pi / (_N_AROUND + 1)
        across, weight = np.cos(node)[:, None], (np.pi / (_N_AROUND + 1) * np.sin(node) ** 2)[:, None]
        points, along = np.polynomial.legendre.leggauss(_N_ALONG)
        sigma, along = (points[None] + 1) / 2, along[None] / 2
        centre, half = _arc(sigma)
        theta = centre + half * across
        density = weight * along * half * _smooth_profile(across, sigma) / 2
        rise = _outflow_weight(theta)
        return float((density * rise).sum()), float((density * (1 - rise)).sum())


def _wrap_angle(angle: Array) -> Array:
    """Wrap an angle to -pi to pi."""
    return np.asarray((angle + np.pi) % (2 * np.pi) - np.pi)


def _outflow_weight(theta: Array) -> Array:
    """Return the weight of the outflow tract at an angle: 0 at the inflow, 1 at the pulmonary valve."""
    angle = _wrap_angle(np.asarray(theta))
    return smoothstep((angle - 0.05) / 0.75) * smoothstep((np.pi - angle) / 0.8)


def _arc(sigma: Array) -> tuple[Array, Array]:
    """Return the middle and half width of the septal arc in radians: wide at the base, narrow at the apex."""
    share = np.clip(sigma, 0, 1)
    return 0.0 - 0.12 * share, 1.25 - 0.45 * share


def _smooth_profile(across: Array, sigma: Array) -> Array:
    """Return q without its root at the edges; it tapers to the apex and, in the outflow tract, to the valve."""
    share = np.clip(sigma, 0, 1)
    taper = 1 - share**2.4
    outflow = 1 - 0.45 * smoothstep((across + 0.1) / 0.8) * (1 - share) ** 3
    return np.asarray(taper * outflow * (1 - 0.32 * across - 0.1 * across**2))
