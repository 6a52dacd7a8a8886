"""A measurement has a value or a reason, never NaN."""

from __future__ import annotations

import numpy as np

from cinema_cmr.measure.definition import Definition

MASS = Definition(name="lv_mass_g", title="LV mass", unit="g", method="sum of slices", rule="x 1.05 g/ml")


def test_value_carries_what_it_came_from() -> None:
    mass = MASS.value(np.float64(120.5), frames=[np.int64(3)], slices=range(2))
    assert (mass.value, mass.unit, mass.frames, mass.slices, mass.reason) == (120.5, "g", (3,), (0, 1), None)
    assert type(mass.value) is float and type(mass.frames[0]) is int  # what JSON can write


def test_absence_carries_its_reason() -> None:
    assert (MASS.absent("no wall").value, MASS.absent("no wall").reason) == (None, "no wall")


def test_not_a_number_is_absent() -> None:
    for value in (float("nan"), float("inf")):
        assert MASS.value(value).value is None
        assert str(value) in (MASS.value(value).reason or "")
