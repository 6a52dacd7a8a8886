"""Faults of a synthetic heart, for docs/flags.md: what a fault is, the sound heart, and drawings of a spoilt one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np
from flag_drawing import COLOURS, MARK, Panel, Tile, curves, planes, slices
from matplotlib.figure import Figure

import cinema_cmr as cmr
from cinema_cmr.core.annotation import LabelMap
from cinema_cmr.core.results import HeartLocation, Prediction
from cinema_cmr.core.volume import Cine
from cinema_cmr.measure.measure import MeasureOptions, measure_study
from cinema_cmr.phantom.phantom import PhantomStudy, make_phantom

SAX, LAX = cmr.View.SAX, cmr.View.LAX_4C
RV, MYO, LV = 1, 2, 3
N = 20
LOST = "#ff7b72"


@dataclass
class Fault:
    """A spoilt study: its stack and masks, what else it has, and the picture."""

    cine: Cine
    labels: LabelMap
    draw: Callable[[Fault, cmr.Measurements], Figure]
    options: MeasureOptions = field(default_factory=MeasureOptions)
    with_long_axis: bool = False
    facts: Mapping[str, Any] = field(default_factory=dict)
    sound: PhantomStudy | None = None
    flags: Sequence[cmr.Flag] = ()
    """Flags that were raised before the measurement."""

    @property
    def panel(self) -> Panel:
        """The stack with its masks."""
        return Panel(self.cine, self.labels)


FAULTS: dict[str, Callable[[], Fault]] = {}


def fault(code: str) -> Callable[[Callable[[], Fault]], Callable[[], Fault]]:
    """Register the function that makes a fault."""

    def keep(make: Callable[[], Fault]) -> Callable[[], Fault]:
        FAULTS[code] = make
        return make

    return keep


@cache
def heart(n_frames: int = N) -> PhantomStudy:
    """Return the sound heart that all faults begin with."""
    return make_phantom(11, group="NOR", style="biobank-1.5t", views=(SAX, LAX), n_frames=n_frames)


def stack(n_frames: int = N) -> tuple[Cine, LabelMap]:
    """Return its short axis with masks."""
    sound = heart(n_frames)
    return sound.study.cine(SAX), sound.labels[SAX]


def masks() -> np.ndarray:
    """Return its masks to be spoilt, (x, y, z, t)."""
    return stack()[1].array.copy()


def long_axis() -> Panel:
    """Return its 4-chamber cine with masks."""
    sound = heart()
    return Panel(sound.study.cine(LAX), sound.labels[LAX])


def middle() -> int:
    """Return a slice in the middle of the ventricle."""
    filled = np.flatnonzero((stack()[1].array[..., 0] == LV).any(axis=(0, 1)))
    return int(filled[len(filled) // 2])


def measured(spoilt: Fault) -> cmr.Measurements:
    """Measure a spoilt study as any other."""
    sound = spoilt.sound or heart()
    prediction = Prediction(
        view=SAX,
        labels=spoilt.labels,
        **{
            "confidence": np.ones(spoilt.cine.n_frames, dtype=np.float32),
            "location": HeartLocation(centre=(0.0, 0.0), method="given"),
            **spoilt.facts,
        },
    )
    cines = (spoilt.cine, *(cine for cine in sound.study.cines if cine.view is not SAX and spoilt.with_long_axis))
    study = replace(sound.study, cines=cines)
    marks = sound.landmarks if spoilt.with_long_axis else None
    return measure_study(study, {SAX: prediction}, options=spoilt.options, landmarks=marks)


def on_long_axis(lost: Cine | None = None) -> Callable[[Fault, cmr.Measurements], Figure]:
    """Return a drawing of the slices that are there on the 4-chamber image, and dimmed those of `lost`."""

    def draw(spoilt: Fault, _: cmr.Measurements) -> Figure:
        gone = [] if lost is None else [(lost, LOST, range(lost.n_slices))]
        return planes(long_axis(), [*gone, (spoilt.cine, MARK, range(spoilt.cine.n_slices))])

    return draw


def volume_curves(spoilt: Fault, found: cmr.Measurements) -> Figure:
    """Draw both volume curves with ED and ES."""
    lines = [(name.upper(), found.curves[f"{name}_volume_ml"], COLOURS[name]) for name in ("lv", "rv")]
    marks = []
    for name in ("lv", "rv"):
        for phase in ("edv", "esv"):
            one = found[f"{name}_{phase}_ml"]
            if one.value is not None and one.frames:
                marks.append((one.frames[0], one.value, f"{name.upper()} {phase[:2].upper()}"))
    return curves(lines, marks=marks, unit="volume, ml")


def selected(indices: list[int]) -> tuple[Cine, LabelMap]:
    """Return the stack with some slices alone."""
    cine, labels = stack()
    return cine.select(slices=indices), LabelMap(array=labels.array[:, :, indices])


def row(*tiles: Tile) -> Callable[[Fault, cmr.Measurements], Figure]:
    """Return a drawing of some slices."""
    return lambda spoilt, _: slices(spoilt.panel, tiles)


def around(index: int, frame: int = 0, n: int = 3) -> tuple[Tile, ...]:
    """Return tiles of a slice and its neighbours."""
    first = index - n // 2
    return tuple(Tile(place, frame, f"slice {place}") for place in range(first, first + n))
