"""A measurement's name, method and rule, stated once for its value and for its absence."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from cinema_cmr.core.results import Measurement

__all__ = ["Definition"]


@dataclass(frozen=True, kw_only=True)
class Definition:
    """A measurement before it has a value."""

    name: str
    """Snake case, unit last, e.g. "lv_edv_ml"."""
    title: str
    unit: str
    method: str
    """What it is computed from."""
    rule: str
    """The rule applied, with its source."""

    def value(self, value: float, *, frames: Iterable[int] = (), slices: Iterable[int] = ()) -> Measurement:
        """The measurement with its value; one that is not finite is absent, never NaN."""
        if not np.isfinite(value):
            return self.absent(f"the computation gave {value}, which is no number")
        return Measurement(
            **vars(self),
            value=float(value),
            frames=tuple(int(frame) for frame in frames),
            slices=tuple(int(index) for index in slices),
        )

    def absent(self, reason: str) -> Measurement:
        """The measurement without a value, and why."""
        return Measurement(**vars(self), value=None, reason=reason)
