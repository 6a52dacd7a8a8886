"""Everything that is measured in the long-axis planes of a study: motion, biplane volumes, strain, atria."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.annotation import LabelMap, Landmarks
from cinema_cmr.core.results import Flag, Measurement
from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import View
from cinema_cmr.measure.long_axis.atria import Atria, atrial_curves, atrial_values, measure_atria
from cinema_cmr.measure.long_axis.measurements import biplane_values, long_axis_curves, long_axis_values
from cinema_cmr.measure.quality.atrial_masks import atrial_flags
from cinema_cmr.measure.quality.landmarks import mapse_uneven
from cinema_cmr.measure.strain import longitudinal_values

__all__ = ["LongAxis", "measure_long_axis"]


@dataclass(frozen=True, kw_only=True)
class LongAxis:
    """Measurements of the long-axis planes, and the flags that need no stack."""

    measured: tuple[Measurement, ...]
    flags: tuple[Flag, ...]
    landmarks: Mapping[View, Landmarks]
    atria: Atria | None

    def curves(self, n_frames: int) -> dict[str, NDArray[np.float64]]:
        """Return the (t,) curves of those planes that have `n_frames` frames."""
        return {
            **long_axis_curves(self.landmarks, n_frames=n_frames),
            **atrial_curves(self.atria, n_frames=n_frames),
        }


def measure_long_axis(
    study: Study,
    labels: Mapping[View, LabelMap],
    landmarks: Mapping[View, Landmarks],
    *,
    frames: tuple[int | None, int | None],
    surface: Measurement,
    predicted: bool,
) -> LongAxis:
    """Measure the long-axis masks and landmarks of a study, as far as there are any.

    `frames`: ED and ES of the stack where the user gave them; `surface`: body surface area; `predicted`: whether the
    masks are those of a network.
    """
    n_stack = study.cine(View.SAX).n_frames if View.SAX in study else None
    ed, es = frames
    atria = measure_atria(study, labels)
    measured = (
        *long_axis_values(landmarks, ed=ed, es=es, n_stack=n_stack),
        *biplane_values(study, labels, ed=ed, es=es, n_stack=n_stack),
        *longitudinal_values(study, labels),
        *atrial_values(atria, surface),
    )
    by_name = {one.name: one for one in measured}
    uneven = mapse_uneven(by_name)
    flags = (*((uneven,) if uneven else ()), *atrial_flags(atria, by_name, predicted=predicted))
    return LongAxis(measured=measured, flags=flags, landmarks=landmarks, atria=atria)
