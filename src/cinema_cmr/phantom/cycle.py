"""Time course of a cardiac cycle: filling of a ventricle from the R wave through systole to atrial contraction.

Durations follow Weissler et al., Circulation 1968;37:149 (ejection and pre-ejection time against heart rate);
isovolumic relaxation lasts 60 to 100 ms in adults (Nagueh et al., J Am Soc Echocardiogr 2016;29:277).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.errors import UsageError

__all__ = ["Cycle", "build_cycle", "smoothstep"]

Array = NDArray[np.float64]


def smoothstep(x: NDArray[np.floating] | float) -> Array:
    """Return 3 x^2 - 2 x^3, clipped: 0 below 0, 1 above 1, with zero slope at both ends."""
    inside = np.clip(np.asarray(x, dtype=np.float64), 0.0, 1.0)
    return np.asarray(inside * inside * (3 - 2 * inside))


@dataclass(frozen=True, kw_only=True)
class Cycle:
    """One heart beat: durations of its phases in ms, in order, and their shares of the filling."""

    rr_interval_ms: float
    contraction_ms: float
    """Isovolumic contraction, from the R wave."""
    ejection_ms: float
    relaxation_ms: float
    """Isovolumic relaxation."""
    rapid_filling_ms: float
    atrial_ms: float
    """Atrial contraction, at the end of diastole."""
    rapid_share: float
    """Share of the stroke volume from rapid filling; diastasis adds a little, atrial contraction the rest."""
    diastasis_share: float

    def __post_init__(self) -> None:
        if self.diastasis_ms < 0:
            raise UsageError(
                f"phases take {self.rr_interval_ms - self.diastasis_ms:.0f} ms of a beat of "
                f"{self.rr_interval_ms:.0f} ms; expected no more than the beat: shorten a phase"
            )

    @property
    def systole_ms(self) -> float:
        """Time from the R wave to the closure of the aortic valve."""
        return self.contraction_ms + self.ejection_ms

    @property
    def diastasis_ms(self) -> float:
        """Rest of the beat after all other phases."""
        taken = self.systole_ms + self.relaxation_ms + self.rapid_filling_ms + self.atrial_ms
        return self.rr_interval_ms - taken

    def fullness(self, times_ms: NDArray[np.floating]) -> Array:
        """Return the (t,) fraction of the stroke volume in the ventricle: 1 at ED, 0 at ES; periodic."""
        now = np.mod(np.asarray(times_ms, dtype=np.float64), self.rr_interval_ms)
        ejected = smoothstep(np.clip((now - self.contraction_ms) / self.ejection_ms, 0, 1) ** 0.9)
        opening = self.systole_ms + self.relaxation_ms
        rapid = smoothstep(np.clip((now - opening) / self.rapid_filling_ms, 0, 1) ** 0.9)
        diastasis = smoothstep((now - opening - self.rapid_filling_ms * 0.7) / (self.diastasis_ms + 60.0))
        atrial = smoothstep((now - self.rr_interval_ms + self.atrial_ms) / self.atrial_ms)
        atrial_share = 1 - self.rapid_share - self.diastasis_share
        return np.asarray(
            1 - ejected + self.rapid_share * rapid + self.diastasis_share * diastasis + atrial_share * atrial
        )

    def filling_rate(self, times_ms: NDArray[np.floating]) -> Array:
        """Return the (t,) flow in stroke volumes per second, into the ventricle above 0 and out of it below."""
        step = 2.0
        times = np.asarray(times_ms, dtype=np.float64)
        return (self.fullness(times + step) - self.fullness(times - step)) / (2 * step / 1000)


def build_cycle(heart_rate_bpm: float, *, sex: Literal["F", "M"], rapid_share: float, delay_ms: float = 0.0) -> Cycle:
    """Build the beat of a heart rate; `delay_ms` delays systole, as in the right ventricle.

    Above 90 beats per minute the phases of diastole are shortened until they fit.
    """
    rr = 60000.0 / heart_rate_bpm
    slope, start = (-1.7, 413.0) if sex == "M" else (-1.6, 418.0)
    ejection = slope * heart_rate_bpm + start
    contraction = max(131.0 - 0.4 * heart_rate_bpm - 55.0, 25.0) + delay_ms
    systole = min(ejection + contraction, 0.55 * rr)
    ejection = systole - contraction
    left = rr - systole
    relaxation = min(80.0, 0.2 * left)
    rapid = min(190.0, 0.42 * left)
    return Cycle(
        rr_interval_ms=rr,
        contraction_ms=contraction,
        ejection_ms=ejection,
        relaxation_ms=relaxation,
        rapid_filling_ms=rapid,
        atrial_ms=min(120.0, 0.3 * left),
        rapid_share=rapid_share,
        diastasis_share=0.04,
    )
