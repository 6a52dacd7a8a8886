"""Named scanner styles: field strength, sequence, resolution, coils, noise and planning of a site.

The values span ranges found in practice (SCMR protocols, JCMR 2020;22:17), not those of one product.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from cinema_cmr.core.errors import UsageError, unknown_name
from cinema_cmr.phantom.tissue import tissue_signals

__all__ = ["STYLES", "Style", "draw_style", "find_style"]


@dataclass(frozen=True, kw_only=True)
class Style:
    """Acquisition and reconstruction settings."""

    name: str
    field_tesla: float = 1.5
    flip_deg: float = 60.0
    tr_ms: float = 3.0
    pixel_mm: float = 1.4
    """Pixel size of the reconstructed image."""
    field_of_view_mm: tuple[float, float] = (310.0, 350.0)
    acquired_mm: tuple[float, float] = (1.7, 2.1)
    """Acquired resolution along columns and rows; larger values blur more and widen Gibbs ringing."""
    window: float = 0.35
    """Fraction of k-space that is rolled off at its edge; 0 rings most."""
    thickness_mm: float = 8.0
    gap_mm: float = 0.0
    snr: float = 28.0
    """Blood signal over the SD of the noise, in the middle of the image."""
    bias_field: float = 0.5
    """0 none (prescan-normalised) to 1 (raw surface coils)."""
    banding: float = 0.3
    """Extent of the off-resonance bands: 0 none, 1 across the edge of the heart."""
    flow: float = 0.5
    """Fraction of signal lost by fast blood."""
    inflow: float = 0.1
    """Fraction of unsaturated blood, which brightens the signal."""
    sharing: float = 0.3
    """Fraction of the outer k-space taken from neighbouring frames."""
    breathing_mm: float = 1.5
    """SD of the head-to-foot position of the heart between breath holds."""
    planning_mm: float = 2.0
    planning_deg: float = 3.0
    """`planning_mm` and `planning_deg` are the SDs of the offset and tilt of planes relative to the anatomy."""
    full_scale: float = 600.0
    """Stored value of blood."""
    in_plane_rotation_deg: float = 27.0
    """Rotation of the short-axis image about its normal; 27 displays the septum at the left."""
    fat_opposed: bool = True
    """Whether fat and water have opposite phase, which draws dark rims around the heart."""

    @property
    def signals(self) -> dict[str, float]:
        """Tissue -> signal at these settings, scaled to arterial blood at 1."""
        return tissue_signals(
            field_tesla=self.field_tesla,
            flip_deg=self.flip_deg,
            tr_ms=self.tr_ms,
            inflow=self.inflow,
            fat_sign=-1.0 if self.fat_opposed else 1.0,
        )

    def __post_init__(self) -> None:
        if not (self.pixel_mm > 0 and self.thickness_mm > 0 and self.gap_mm >= 0 and self.snr > 0):
            raise UsageError(
                f"style '{self.name}' has pixels of {self.pixel_mm} mm, slices of {self.thickness_mm} mm, a gap of"
                f" {self.gap_mm} mm and an SNR of {self.snr}; expected values above 0, and a gap of 0 or more"
            )
        if min(self.acquired_mm) < self.pixel_mm:
            raise UsageError(
                f"style '{self.name}' is acquired at {self.acquired_mm} mm; expected a resolution no finer than its"
                f" pixels of {self.pixel_mm} mm"
            )

    @property
    def slice_step_mm(self) -> float:
        """Distance between the centres of neighbouring slices."""
        return self.thickness_mm + self.gap_mm


_NAMED = (
    Style(name="standard-1.5t"),
    Style(
        name="ideal",
        snr=200.0,
        bias_field=0.0,
        banding=0.0,
        flow=0.0,
        inflow=0.0,
        sharing=0.0,
        window=0.6,
        breathing_mm=0.0,
        planning_mm=0.0,
        planning_deg=0.0,
    ),
    Style(
        name="sharp-1.5t",
        pixel_mm=1.2,
        acquired_mm=(1.4, 1.7),
        thickness_mm=7.0,
        gap_mm=1.0,
        snr=24.0,
        field_of_view_mm=(290.0, 340.0),
        window=0.2,
        flip_deg=70.0,
        bias_field=0.35,
        full_scale=350.0,
    ),
    Style(
        name="biobank-1.5t",
        pixel_mm=1.8,
        acquired_mm=(1.8, 2.3),
        thickness_mm=8.0,
        gap_mm=2.0,
        snr=32.0,
        field_of_view_mm=(340.0, 380.0),
        flip_deg=75.0,
        tr_ms=2.6,
        bias_field=0.6,
        full_scale=180.0,
    ),
    Style(
        name="old-1.5t",
        pixel_mm=1.5625,
        acquired_mm=(2.2, 2.9),
        thickness_mm=10.0,
        snr=20.0,
        flip_deg=50.0,
        tr_ms=3.6,
        bias_field=0.9,
        banding=0.5,
        flow=0.9,
        sharing=0.55,
        breathing_mm=3.0,
        window=0.15,
        full_scale=220.0,
    ),
    Style(
        name="bright-3t",
        field_tesla=3.0,
        pixel_mm=1.3,
        acquired_mm=(1.6, 1.9),
        thickness_mm=8.0,
        snr=38.0,
        flip_deg=48.0,
        tr_ms=3.2,
        bias_field=0.7,
        banding=0.9,
        flow=0.9,
        inflow=0.3,
        full_scale=900.0,
    ),
    Style(
        name="fast-3t",
        field_tesla=3.0,
        pixel_mm=1.6,
        acquired_mm=(2.1, 3.0),
        thickness_mm=8.0,
        gap_mm=2.0,
        snr=14.0,
        flip_deg=42.0,
        tr_ms=2.8,
        bias_field=0.5,
        banding=0.7,
        flow=0.7,
        sharing=0.7,
        full_scale=420.0,
    ),
    Style(
        name="wide-gap",
        pixel_mm=1.37,
        acquired_mm=(1.8, 2.2),
        thickness_mm=6.0,
        gap_mm=4.0,
        snr=22.0,
        flip_deg=55.0,
        bias_field=0.8,
        breathing_mm=2.5,
        full_scale=500.0,
        in_plane_rotation_deg=-35.0,
        field_of_view_mm=(350.0, 300.0),
    ),
    Style(
        name="noisy",
        pixel_mm=1.7,
        acquired_mm=(2.0, 2.6),
        thickness_mm=8.0,
        snr=13.0,
        bias_field=1.0,
        breathing_mm=3.0,
        flow=0.8,
        banding=0.5,
        window=0.1,
        full_scale=120.0,
    ),
)

STYLES: Mapping[str, Style] = {style.name: style for style in _NAMED}
"""Name -> style; "ideal" has no artefacts and serves exact tests."""


def find_style(name: str) -> Style:
    """Return the style of a name; raises `UsageError` with the nearest known name."""
    if name not in STYLES:
        raise unknown_name("style", name, STYLES)
    return STYLES[name]


def draw_style(seed: int) -> Style:
    """Draw the style of a seed: a named one (never "ideal") with variations of most settings."""
    rng = np.random.default_rng((seed, 5))
    names = [name for name in STYLES if name != "ideal"]
    chosen = STYLES[names[int(rng.integers(len(names)))]]

    def vary(value: float, share: float) -> float:
        return float(value * np.exp(share * np.clip(rng.standard_normal(), -2, 2)))

    pixel = vary(chosen.pixel_mm, 0.08)
    acquired = [max(vary(size, 0.1), pixel * 1.02) for size in chosen.acquired_mm]
    return replace(
        chosen,
        name=f"{chosen.name}~{seed}",
        flip_deg=vary(chosen.flip_deg, 0.12),
        pixel_mm=pixel,
        acquired_mm=(acquired[0], acquired[1]),
        thickness_mm=float(np.clip(vary(chosen.thickness_mm, 0.08), 6, 10)),
        window=float(np.clip(rng.normal(chosen.window, 0.12), 0, 0.8)),
        snr=vary(chosen.snr, 0.3),
        bias_field=float(np.clip(rng.normal(chosen.bias_field, 0.2), 0, 1.1)),
        banding=float(np.clip(rng.normal(chosen.banding, 0.2), 0, 1)),
        flow=float(np.clip(rng.normal(chosen.flow, 0.25), 0, 1)),
        inflow=float(np.clip(rng.normal(chosen.inflow, 0.1), 0, 0.5)),
        sharing=float(np.clip(rng.normal(chosen.sharing, 0.15), 0, 0.8)),
        full_scale=vary(chosen.full_scale, 0.35),
        fat_opposed=bool(rng.uniform() < 0.6),
        in_plane_rotation_deg=chosen.in_plane_rotation_deg + float(rng.normal(0, 12)),
    )
