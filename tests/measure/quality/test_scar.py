"""Flags of late enhancement: each fires on what it is for, and none on a sound stack but that it is no cine."""

from __future__ import annotations

import numpy as np
from scars import prediction_of, ring, stack

from cinema_cmr.core.results import RemovedComponent
from cinema_cmr.measure.scar import measure_scar


def codes(*planes: np.ndarray, **changes: object) -> set[str]:  # type: ignore[type-arg]
    study, prediction = stack(*planes)
    return {f.code for f in measure_scar(study, prediction_of(prediction.labels.array, **changes)).flags}  # type: ignore[arg-type]


def test_a_sound_stack_is_only_told_not_to_be_a_cine() -> None:
    assert codes(*[ring()] * 5) == {"not-a-cine"}


def test_each_trouble_has_its_flag() -> None:
    assert "few-slices" in codes(*[ring()] * 3)
    assert "low-confidence" in codes(*[ring()] * 5, confidence=0.5)
    assert "infarct-very-large" in codes(*[ring(depth=1.0, wedge_deg=300)] * 5)
    assert "structure-missing" in codes(*[ring() * 0] * 5)
    big = (RemovedComponent(structure="infarct", frame=0, volume_ml=30.0),)
    assert "removed-pieces" in codes(*[ring()] * 5, removed=big)
    assert "removed-pieces" not in codes(
        *[ring()] * 5, removed=(RemovedComponent(structure="infarct", frame=0, volume_ml=0.1),)
    )
