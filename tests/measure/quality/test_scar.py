"""Each flag of late enhancement fires on its own fault; a sound stack carries "not-a-cine" alone."""

from __future__ import annotations

import numpy as np
from scars import prediction_of, ring, stack

from cinema_cmr.core.results import RemovedComponent
from cinema_cmr.measure.scar import measure_scar


def codes(*planes: np.ndarray, **changes: object) -> set[str]:  # type: ignore[type-arg]
    study, prediction = stack(*planes)
    changed = prediction_of(prediction.labels.array, **changes)  # type: ignore[arg-type]
    return {flag.code for flag in measure_scar(study, changed.labels, prediction=changed).flags}


def test_sound_stack_carries_one_flag() -> None:
    assert codes(*[ring()] * 5) == {"not-a-cine"}


def test_each_fault_raises_its_flag() -> None:
    assert "few-slices" in codes(*[ring()] * 3)
    assert "low-confidence" in codes(*[ring()] * 5, confidence=0.5)
    assert "very-large-infarct" in codes(*[ring(depth=1.0, wedge_deg=300)] * 5)
    assert "structure-missing" in codes(*[ring() * 0] * 5)
    big = (RemovedComponent(structure="infarct", frame=0, volume_ml=30.0),)
    assert "removed-components" in codes(*[ring()] * 5, removed=big)
    assert "removed-components" not in codes(
        *[ring()] * 5, removed=(RemovedComponent(structure="infarct", frame=0, volume_ml=0.1),)
    )
