"""Time in a cardiac cycle: how full a ventricle is, from the R wave through systole to the atrial kick.

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
    """0 below 0, 1 above 1, flat at both ends: 3 x^2 - 2 x^3."""
    inside = np.clip(np.asarray(x, dtype=np.float64), 0.0, 1.0)
    return np.asarray(inside * inside * (3 - 2 * inside))


@dataclass(frozen=True, kw_only=True)
class Cycle:
    """One heart beat: the lengths of its phases in ms, in order, and how filling is shared between them."""

    rr_interval_ms: float
    contraction_ms: float
    """Isovolumic contraction, from the R wave."""
    ejection_ms: float
    relaxation_ms: float
    """Isovolumic relaxation."""
    rapid_filling_ms: float
    kick_ms: float
    """The atrium's contraction, at the end."""
    rapid_share: float
    """Share of the stroke volume that rapid filling brings; diastasis a little, the atrium the rest."""
    diastasis_share: float

    def __post_init__(self) -> None:
        if self.diastasis_ms < 0:
            raise UsageError(
                f"phases of {self.rr_interval_ms - self.diastasis_ms:.0f} ms in a beat of "
                f"{self.rr_interval_ms:.0f} ms; they must fit"
            )

    @property
    def systole_ms(self) -> float:
        """From the R wave to the closing of the aortic valve."""
        return self.contraction_ms + self.ejection_ms

    @property
    def diastasis_ms(self) -> float:
        """What the other phases leave of the beat."""
        taken = self.systole_ms + self.relaxation_ms + self.rapid_filling_ms + self.kick_ms
        return self.rr_interval_ms - taken

    def fullness(self, times_ms: NDArray[np.floating]) -> Array:
        """(t,) share of the stroke volume that is in the ventricle: 1 at ED, 0 at ES; periodic."""
        now = np.mod(np.asarray(times_ms, dtype=np.float64), self.rr_interval_ms)
        ejected = smoothstep(np.clip((now - self.contraction_ms) / self.ejection_ms, 0, 1) ** 0.9)
        opening = self.systole_ms + self.relaxation_ms
        rapid = smoothstep(np.clip((now - opening) / self.rapid_filling_ms, 0, 1) ** 0.9)
        quiet = smoothstep((now - opening - self.rapid_filling_ms * 0.7) / (self.diastasis_ms + 60.0))
        kick = smoothstep((now - self.rr_interval_ms + self.kick_ms) / self.kick_ms)
        last = 1 - self.rapid_share - self.diastasis_share
        return np.asarray(1 - ejected + self.rapid_share * rapid + self.diastasis_share * quiet + last * kick)

    def filling_rate(self, times_ms: NDArray[np.floating]) -> Array:
        """(t,) stroke volumes per second that flow in (above 0) or out."""
        step = 2.0
        times = np.asarray(times_ms, dtype=np.float64)
        return (self.fullness(times + step) - self.fullness(times - step)) / (2 * step / 1000)


def build_cycle(heart_rate_bpm: float, *, sex: Literal["F", "M"], rapid_share: float, delay_ms: float = 0.0) -> Cycle:
    """The beat of a heart rate; `delay_ms` puts a ventricle's systole later (the right one's).

    Above 90 beats a minute the phases of diastole are shortened until they fit.
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
        kick_ms=min(120.0, 0.3 * left),
        rapid_share=rapid_share,
        diastasis_share=0.04,
    )
