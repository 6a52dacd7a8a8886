"""Ventricular function: volumes at ED and ES, stroke volume, EF, mass, output, indexed values.

Formulas after the SCMR post-processing recommendations (JCMR 2020;22:19). Nothing is clipped: an ejection fraction
below 0 or above 100 % is reported as measured and flagged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.results import Measurement
from cinema_cmr.measure.definition import Definition
from cinema_cmr.measure.papillary import PAPILLARY_RULES
from cinema_cmr.measure.phases import Phases

__all__ = [
    "MYOCARDIAL_DENSITY_G_ML",
    "Chamber",
    "cardiac_output",
    "indexed_value",
    "indexed_values",
    "mass_values",
    "ventricle_values",
]

MYOCARDIAL_DENSITY_G_ML = 1.05
"""SCMR 2020, JCMR 22:19."""

SUM_OF_SLICES = "sum of slices, short axis"

INDEXED = (
    ("lv_edv_ml", "lv_edvi_ml_m2"),
    ("lv_esv_ml", "lv_esvi_ml_m2"),
    ("lv_sv_ml", "lv_svi_ml_m2"),
    ("lv_mass_g", "lv_mass_index_g_m2"),
    ("rv_edv_ml", "rv_edvi_ml_m2"),
    ("rv_esv_ml", "rv_esvi_ml_m2"),
    ("rv_sv_ml", "rv_svi_ml_m2"),
    ("cardiac_output_l_min", "cardiac_index_l_min_m2"),
)
"""Measurement and its value indexed to body surface area."""


@dataclass(frozen=True, kw_only=True)
class Chamber:
    """Volume curve of a ventricle or of the LV wall, with its phases."""

    name: Literal["lv", "rv", "myo"]
    volumes_ml: NDArray[np.float64]
    """(t,), NaN in a frame without the structure."""
    counted: NDArray[np.bool_]
    """(z, t), True if a slice contributes to the volume."""
    phases: Phases
    rule: str
    """Rule that selects the slices."""
    papillary: str = PAPILLARY_RULES["blood"]
    """Where papillary muscles are counted."""

    @property
    def title(self) -> str:
        """Abbreviation for reports, e.g. "LV"."""
        return self.name.upper()

    def slices(self, *frames: int) -> tuple[int, ...]:
        """Return the slices that contribute in any of the frames."""
        return tuple(int(index) for index in np.flatnonzero(self.counted[:, list(frames)].any(axis=1)))

    def volume(self, definition: Definition, frame: int) -> Measurement:
        """Return the volume in one frame; absent if the structure is not labelled in it."""
        if not np.isfinite(self.volumes_ml[frame]):
            return definition.absent(f"the {self.title} is not labelled in frame {frame}")
        return definition.value(self.volumes_ml[frame], frames=(frame,), slices=self.slices(frame))


def ventricle_values(chamber: Chamber) -> tuple[Measurement, ...]:
    """Return EDV, ESV, SV, EF and the frames of ED and ES; for a study of one frame also its volume."""
    edv = _volume_at(chamber, "edv", "end-diastolic volume", chamber.phases.ed)
    esv = _volume_at(chamber, "esv", "end-systolic volume", chamber.phases.es)
    return (
        edv,
        esv,
        *_stroke_and_fraction(chamber, edv, esv),
        *_phase_frames(chamber),
        *_single_frame_volume(chamber),
    )


def _volume_at(chamber: Chamber, short: str, title: str, frame: int | None) -> Measurement:
    definition = Definition(
        name=f"{chamber.name}_{short}_ml",
        title=f"{chamber.title} {title}",
        unit="ml",
        method=SUM_OF_SLICES,
        rule=f"{chamber.phases.rule}; {chamber.rule}",
    )
    return definition.absent(_no_phases(chamber)) if frame is None else chamber.volume(definition, frame)


def _no_phases(chamber: Chamber) -> str:
    return f"{chamber.title}: {chamber.phases.reason}"


def _stroke_and_fraction(chamber: Chamber, edv: Measurement, esv: Measurement) -> tuple[Measurement, ...]:
    stroke = Definition(
        name=f"{chamber.name}_sv_ml",
        title=f"{chamber.title} stroke volume",
        unit="ml",
        method=SUM_OF_SLICES,
        rule="EDV - ESV (SCMR, JCMR 2020;22:19)",
    )
    fraction = Definition(
        name=f"{chamber.name}_ef_percent",
        title=f"{chamber.title} ejection fraction",
        unit="%",
        method=SUM_OF_SLICES,
        rule="(EDV - ESV) / EDV (SCMR, JCMR 2020;22:19); not clipped",
    )
    if edv.value is None or esv.value is None:
        reason = edv.reason or esv.reason or ""
        return stroke.absent(reason), fraction.absent(reason)
    frames = (*edv.frames, *esv.frames)
    slices = chamber.slices(*frames)
    change = edv.value - esv.value
    return (
        stroke.value(change, frames=frames, slices=slices),
        fraction.value(100 * change / edv.value, frames=frames, slices=slices),
    )


def _phase_frames(chamber: Chamber) -> tuple[Measurement, ...]:
    """Return the frames of ED and ES as measurements, counted from 0."""
    frames = []
    for short, title, frame in (
        ("ed", "end-diastole", chamber.phases.ed),
        ("es", "end-systole", chamber.phases.es),
    ):
        definition = Definition(
            name=f"{chamber.name}_{short}_frame",
            title=f"{chamber.title} {title}, frame from 0",
            unit="frame",
            method="volume curve",
            rule=chamber.phases.rule,
        )
        absent = definition.absent(_no_phases(chamber))
        frames.append(absent if frame is None else definition.value(frame, frames=(frame,)))
    return tuple(frames)


def _single_frame_volume(chamber: Chamber) -> tuple[Measurement, ...]:
    """Return the volume of a study of one frame, whose phase is unknown."""
    if chamber.volumes_ml.size != 1:
        return ()
    definition = Definition(
        name=f"{chamber.name}_volume_ml",
        title=f"{chamber.title} volume in the only frame",
        unit="ml",
        method=SUM_OF_SLICES,
        rule=f"one frame of unknown phase; {chamber.rule}",
    )
    return (chamber.volume(definition, 0),)


def mass_values(lv: Chamber, myocardium: Chamber) -> tuple[Measurement, Measurement]:
    """Return the LV mass at end-diastole of the LV (or in the only frame), and at its end-systole as a check.

    `myocardium` supplies the volume curve of the wall in ml; its phases are not used.
    """
    single = 0 if lv.volumes_ml.size == 1 else None
    at_ed, at_es = lv.phases.ed if single is None else single, lv.phases.es
    masses = []
    for name, title, frame in (
        ("lv_mass_g", "LV mass", at_ed),
        ("lv_mass_es_g", "LV mass at end-systole, a check", at_es),
    ):
        definition = Definition(
            name=name,
            title=title,
            unit="g",
            method=SUM_OF_SLICES,
            rule=f"myocardial volume x {MYOCARDIAL_DENSITY_G_ML} g/ml (SCMR, JCMR 2020;22:19); {myocardium.papillary}",
        )
        masses.append(_mass_at(definition, myocardium, frame, _no_phases(lv)))
    return masses[0], masses[1]


def _mass_at(definition: Definition, myocardium: Chamber, frame: int | None, reason: str) -> Measurement:
    if frame is None:
        return definition.absent(reason)
    if not np.isfinite(myocardium.volumes_ml[frame]):
        return definition.absent(f"the myocardium is not labelled in frame {frame}")
    grams = myocardium.volumes_ml[frame] * MYOCARDIAL_DENSITY_G_ML
    return definition.value(grams, frames=(frame,), slices=myocardium.slices(frame))


def cardiac_output(stroke: Measurement, rate: Measurement) -> Measurement:
    """Return LV stroke volume times heart rate in l/min; absent if either is."""
    definition = Definition(
        name="cardiac_output_l_min",
        title="cardiac output",
        unit="l/min",
        method=f"{stroke.method}; {rate.method}",
        rule="LV stroke volume x heart rate",
    )
    if stroke.value is None or rate.value is None:
        return definition.absent(stroke.reason or rate.reason or "")
    return definition.value(stroke.value * rate.value / 1000, frames=stroke.frames, slices=stroke.slices)


def indexed_values(values: Mapping[str, Measurement], surface: Measurement) -> tuple[Measurement, ...]:
    """Return volumes, mass and output per body surface area; absent if either is."""
    return tuple(indexed_value(values[name], indexed, surface) for name, indexed in INDEXED)


def indexed_value(absolute: Measurement, name: str, surface: Measurement) -> Measurement:
    """Return a value per body surface area, under its own name; absent if either is."""
    definition = Definition(
        name=name,
        title=f"{absolute.title}, indexed",
        unit=f"{absolute.unit}/m2",
        method=absolute.method,
        rule=f"per body surface area: {surface.rule}",
    )
    if absolute.value is None or surface.value is None:
        return definition.absent(absolute.reason or surface.reason or "")
    return definition.value(absolute.value / surface.value, frames=absolute.frames, slices=absolute.slices)
