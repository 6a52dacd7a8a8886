"""The right ventricle: a crescent about the left one's wall, from its tricuspid and outflow planes to its apex.

Around the left ventricle's axis, at angle theta and share sigma of the way from the valve plane to the apex:

    r_out^2 = r_in^2 + Q q(theta, sigma)

r_in is the left ventricle's outer surface (continued above its valve plane), q falls to 0 as a root where the
free wall meets the septum and at the apex. The volume, Q / 2 times the integral of q, gives Q in closed form in
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
"""The pulmonary valve comes down by this share of the tricuspid plane's way."""


@dataclass(frozen=True, kw_only=True)
class RightVentricleState:
    """The ventricle at one moment."""

    tricuspid_mm: float
    """Place of the tricuspid plane along the left ventricle's axis; its valve plane at ED is 0, apex positive."""
    outflow_mm: float
    """Place of the pulmonary valve."""
    area_mm2: float
    """Q: squared outer minus squared inner radius where the ventricle is widest."""


@dataclass(frozen=True, kw_only=True)
class RightVentricle:
    """Shape and motion; the subject gives volumes and TAPSE, the left ventricle's length the apex."""

    subject: PhantomSubject
    apex_mm: float
    """Tip of the cavity along the left ventricle's axis, at rest in space."""
    outflow_height_mm: float
    """How far the outflow tract rises above the left ventricle's valve plane at ED."""

    def state(self, fullness: float) -> RightVentricleState:
        """The state that holds the share `fullness` of the stroke volume above ESV."""
        subject = self.subject
        way = subject.tapse_mm * (1 - fullness)
        tricuspid, outflow = 3.0 + way, _OUTFLOW_SHARE * way - self.outflow_height_mm
        volume = subject.rv_edv_ml * (1 - subject.rv_ef_percent / 100 * (1 - fullness))
        tube, inflow = self._integrals
        per_area = tube * (self.apex_mm - outflow) + inflow * (self.apex_mm - tricuspid)
        return RightVentricleState(tricuspid_mm=tricuspid, outflow_mm=outflow, area_mm2=volume * 1000 / per_area)

    def top_mm(self, theta: Array, state: RightVentricleState) -> Array:
        """Place of the valve plane at an angle: tricuspid below, rising to the pulmonary valve in front."""
        rise = _towards_outflow(theta)
        return np.asarray(state.tricuspid_mm + rise * (state.outflow_mm - state.tricuspid_mm))

    def share_along(self, theta: Array, along_mm: Array, state: RightVentricleState) -> Array:
        """sigma: 0 at the valve plane, 1 at the apex; outside 0 to 1 there is no ventricle."""
        top = self.top_mm(theta, state)
        return np.asarray((along_mm - top) / (self.apex_mm - top))

    def added_sq(self, theta: Array, along_mm: Array, state: RightVentricleState) -> Array:
        """Q q: squared outer minus squared inner radius in mm2; 0 outside the ventricle."""
        sigma = self.share_along(theta, along_mm, state)
        centre, half = _arc(sigma)
        across = _turned(theta - centre) / half
        inside = (np.abs(across) < 1) & (sigma >= 0) & (sigma < 1)
        edge = np.sqrt(np.clip(1 - across * across, 0, None))
        return np.asarray(state.area_mm2 * edge * _body(across, sigma) * inside)

    def volume_ml(self, state: RightVentricleState) -> float:
        """Volume of the blood by quadrature."""
        tube, inflow = self._integrals
        per_area = tube * (self.apex_mm - state.outflow_mm) + inflow * (self.apex_mm - state.tricuspid_mm)
        return state.area_mm2 * per_area / 1000

    @cached_property
    def _integrals(self) -> tuple[float, float]:
        """Integrals of q / 2 over angle and sigma, that part which goes with the outflow's and the inflow's length.

        Around by the rule of Gauss and Chebyshev (second kind), whose weight is the root at the edges.
        """
        node = np.arange(1, _N_AROUND + 1) * np.pi / (_N_AROUND + 1)
        across, weight = np.cos(node)[:, None], (np.pi / (_N_AROUND + 1) * np.sin(node) ** 2)[:, None]
        points, along = np.polynomial.legendre.leggauss(_N_ALONG)
        sigma, along = (points[None] + 1) / 2, along[None] / 2
        centre, half = _arc(sigma)
        theta = centre + half * across
        density = weight * along * half * _body(across, sigma) / 2
        rise = _towards_outflow(theta)
        return float((density * rise).sum()), float((density * (1 - rise)).sum())


def _turned(angle: Array) -> Array:
    """The same angle from -pi to pi."""
    return np.asarray((angle + np.pi) % (2 * np.pi) - np.pi)


def _towards_outflow(theta: Array) -> Array:
    turned = _turned(np.asarray(theta))
    return smoothstep((turned - 0.05) / 0.75) * smoothstep((np.pi - turned) / 0.8)


def _arc(sigma: Array) -> tuple[Array, Array]:
    """Middle and half width in radians of the septal arc: wide at the base, narrow at the apex."""
    share = np.clip(sigma, 0, 1)
    return 0.0 - 0.12 * share, 1.25 - 0.45 * share


def _body(across: Array, sigma: Array) -> Array:
    """q without its root at the edges: tapers to the apex and, in the outflow tract, to the pulmonary valve."""
    share = np.clip(sigma, 0, 1)
    taper = 1 - share**2.4
    outflow = 1 - 0.45 * smoothstep((across + 0.1) / 0.8) * (1 - share) ** 3
    return np.asarray(taper * outflow * (1 - 0.32 * across - 0.1 * across**2))
