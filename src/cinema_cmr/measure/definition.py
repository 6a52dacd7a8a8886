"""Definition of a measurement, stated once for both its value and its absence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from cinema_cmr.core.results import Measurement
from cinema_cmr.core.vocabulary import View

__all__ = ["SHORT_NAMES", "Definition"]

SHORT_NAMES: Mapping[View, str] = {View.LAX_4C: "4c", View.LAX_2C: "2c", View.LAX_3C: "3c"}
"""Long-axis views in the order of their measurements -> their part of a measurement's name."""


@dataclass(frozen=True, kw_only=True)
class Definition:
    """Name, title, unit, method and rule of a measurement."""

    name: str
    """Snake case, unit last, e.g. "lv_edv_ml"."""
    title: str
    unit: str
    method: str
    """Source of the value."""
    rule: str
    """The rule applied, with its source."""

    def value(self, value: float, *, frames: Iterable[int] = (), slices: Iterable[int] = ()) -> Measurement:
        """Return the measurement with a value; a value that is not finite becomes absent."""
        if not np.isfinite(value):
            return self.absent(f"the computation gave {value}")
        return Measurement(
            **vars(self),
            value=float(value),
            frames=tuple(int(frame) for frame in frames),
            slices=tuple(int(index) for index in slices),
        )

    def absent(self, reason: str) -> Measurement:
        """Return the measurement without a value, with the reason."""
        return Measurement(**vars(self), value=None, reason=reason)
