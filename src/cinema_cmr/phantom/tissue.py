"""Signal of tissues in balanced steady-state free precession, from T1, T2, proton density and flip angle.

Relaxation times at 1.5 and 3 T after Stanisz et al., Magn Reson Med 2005;54:507, and de Bazelaire et al.,
Radiology 2004;230:652; the signal after Freeman and Hill (J Magn Reson 1971;4:366) as in Scheffler and
Lehnhardt, Eur Radiol 2003;13:2409, equation 1. Fat lies in the neighbouring pass band, where the sign is
reversed, so that a voxel of half fat and half water is dark: the black rim between heart and fat.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

__all__ = ["TISSUES", "Tissue", "bssfp_signal", "tissue_signals"]


@dataclass(frozen=True, kw_only=True)
class Tissue:
    """Relaxation times in ms at 1.5 T and 3 T, and proton density relative to blood."""

    t1_ms: tuple[float, float]
    t2_ms: tuple[float, float]
    density: float
    fat: bool = False


TISSUES: Mapping[str, Tissue] = {
    "arterial": Tissue(t1_ms=(1480, 1850), t2_ms=(165, 140), density=0.97),
    "venous": Tissue(t1_ms=(1450, 1800), t2_ms=(108, 90), density=0.82),
    "myocardium": Tissue(t1_ms=(1000, 1350), t2_ms=(48, 44), density=0.8),
    "fat": Tissue(t1_ms=(290, 380), t2_ms=(85, 75), density=0.6, fat=True),
    "muscle": Tissue(t1_ms=(950, 1300), t2_ms=(40, 35), density=0.78),
    "lung": Tissue(t1_ms=(1200, 1400), t2_ms=(30, 25), density=0.14),
    "liver": Tissue(t1_ms=(580, 810), t2_ms=(46, 34), density=0.75),
    "spleen": Tissue(t1_ms=(1050, 1330), t2_ms=(79, 61), density=0.8),
    "marrow": Tissue(t1_ms=(550, 600), t2_ms=(50, 45), density=0.6),
    "fluid": Tissue(t1_ms=(2800, 3200), t2_ms=(900, 700), density=0.97),
    "bowel": Tissue(t1_ms=(900, 1100), t2_ms=(60, 50), density=0.7),
    "fibrous": Tissue(t1_ms=(900, 1100), t2_ms=(15, 12), density=0.5),
    "air": Tissue(t1_ms=(1000, 1000), t2_ms=(10, 10), density=0.0),
}
"""Name -> tissue; "arterial" and "venous" are the blood of the left and right heart.

Blood at rest has a T2 near 250 and 180 ms at 1.5 T; moving through an inhomogeneous field it loses more. The T2 of
blood and the density of venous blood are effective values that reproduce the contrast of blood to myocardium, and of
right to left, of real cines (medians 2.5 and 0.78 over ACDC's training set: benchmarks/phantom_realism.py).
"""


def bssfp_signal(t1_ms: float, t2_ms: float, *, flip_deg: float, tr_ms: float) -> float:
    """Return the steady-state signal on resonance at echo time TR / 2, relative to full magnetisation.

    >>> round(bssfp_signal(1480, 165, flip_deg=60, tr_ms=3.0), 2)
    0.14
    """
    flip = np.radians(flip_deg)
    e1, e2 = np.exp(-tr_ms / t1_ms), np.exp(-tr_ms / t2_ms)
    steady = np.sin(flip) * (1 - e1) / (1 - (e1 - e2) * np.cos(flip) - e1 * e2)
    return float(steady * np.exp(-tr_ms / 2 / t2_ms))


def tissue_signals(
    *, field_tesla: float, flip_deg: float, tr_ms: float, inflow: float = 0.0, fat_sign: float = -1.0
) -> dict[str, float]:
    """Return tissue -> signal, scaled to arterial blood at 1; `inflow` is the fraction of fresh blood.

    Fresh blood is not saturated: it gives sin(flip) of its magnetisation instead of the steady state.
    """
    field_index = 0 if field_tesla < 2.25 else 1
    signals = {}
    for name, tissue in TISSUES.items():
        signal = bssfp_signal(tissue.t1_ms[field_index], tissue.t2_ms[field_index], flip_deg=flip_deg, tr_ms=tr_ms)
        if name in ("arterial", "venous"):
            signal += inflow * (np.sin(np.radians(flip_deg)) * 0.6 - signal)
        signals[name] = signal * tissue.density * (fat_sign if tissue.fat else 1.0)
    scale = signals["arterial"]
    return {name: signal / scale for name, signal in signals.items()}
