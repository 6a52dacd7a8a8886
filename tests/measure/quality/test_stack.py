"""Each check of the stack fires on the fault it is made for and stays silent on a sound heart."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hearts import MYO, context_of, heart

from cinema_cmr.core.annotation import LabelMap
from cinema_cmr.measure.quality import stack
from cinema_cmr.measure.quality.context import QualityContext
from cinema_cmr.measure.quality.stack import STACK_CHECKS

FRAMES = tuple(1 - 0.3 * np.sin(np.pi * np.arange(16) / 16))


@pytest.fixture(scope="module")
def sound() -> QualityContext:
    return context_of(*heart(FRAMES))


@pytest.mark.parametrize("check", STACK_CHECKS, ids=lambda check: check.__name__)
def test_a_sound_stack_is_silent(check: stack.Check, sound: QualityContext) -> None:
    assert check(sound) is None


def test_few_slices() -> None:
    flag = stack.few_slices(context_of(*heart(positions_mm=np.arange(5) * 18.0)))
    assert flag is not None and flag.evidence == {"slices": 5}


@pytest.mark.parametrize(("n_frames", "severity"), [(1, "info"), (2, "info"), (8, "warning")])
def test_few_frames(n_frames: int, severity: str) -> None:
    flag = stack.few_frames(context_of(*heart(tuple(np.linspace(1, 0.7, n_frames)))))
    assert flag is not None and flag.severity == severity


def test_wide_slice_spacing() -> None:
    flag = stack.wide_slice_spacing(context_of(*heart(positions_mm=np.arange(6) * 17.7)))
    assert flag is not None and flag.evidence["distance_mm"] == 17.7


@pytest.mark.parametrize(
    ("pixel_mm", "scaled", "severity"), [(1.0, 1.0, "info"), (1.0, 1.5, "warning"), (1.001, 1.5, None)]
)
def test_pixels_of_exactly_one_millimetre(pixel_mm: float, scaled: float, severity: str | None) -> None:
    """Drawn with pixels of 1.5 mm and then said to be of 1 mm, a heart keeps its length, not its width."""
    cine, labels = heart(FRAMES, spacing_mm=(pixel_mm * scaled, pixel_mm * scaled, 8.0), shape=(120, 100))
    affine = cine.affine.copy()
    affine[:3, :2] /= scaled
    flag = stack.unit_pixel_size(context_of(replace(cine, affine=affine), labels))
    assert (flag.severity if flag else None) == severity
    if flag is not None:
        assert "PixelSpacing" in flag.message and ("slender" in flag.message) is (severity == "warning")


def test_pixels_of_one_millimetre_without_wall_are_a_note() -> None:
    cine, labels = heart(FRAMES, spacing_mm=(1.0, 1.0, 8.0), shape=(150, 120))
    labels.array[labels.array == MYO] = 0
    flag = stack.unit_pixel_size(context_of(cine, labels))
    assert flag is not None and flag.severity == "info" and flag.evidence == {}


def test_gap_in_stack() -> None:
    flag = stack.gap_in_stack(context_of(*heart(positions_mm=np.delete(np.arange(10) * 8.0, 4))))
    assert flag is not None and (flag.evidence["slice"], flag.evidence["distance_mm"]) == (3, 16)


def test_slice_misalignment() -> None:
    cine, labels = heart()
    labels.array[:, :, 4] = np.roll(labels.array[:, :, 4], 8, axis=0)  # 12 mm
    flag = stack.slice_misalignment(context_of(cine, labels))
    assert flag is not None and flag.evidence["slice"] == 4
    assert flag.evidence["offset_mm"] == pytest.approx(12, abs=0.5)


def test_a_tilted_heart_is_in_line() -> None:
    cine, labels = heart(positions_mm=np.delete(np.arange(10) * 8.0, 4))
    shifts = np.round(np.delete(np.arange(10), 4) * 3 / 1.5).astype(int)
    for index, shift in enumerate(shifts):
        labels.array[:, :, index] = np.roll(labels.array[:, :, index], shift, axis=0)
    assert stack.slice_misalignment(context_of(cine, labels)) is None


def test_nothing_labelled_raises_nothing_here() -> None:
    cine, labels = heart(FRAMES)
    context = context_of(cine, LabelMap(array=np.zeros_like(labels.array)))
    assert [check(context) for check in STACK_CHECKS] == [None] * len(STACK_CHECKS)
