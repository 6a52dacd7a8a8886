"""The advice for axes in another order, done as it says, gives the image back."""

from __future__ import annotations

import ast
import re
from itertools import permutations
from pathlib import Path

import nibabel
import numpy as np
import pytest

from cinema_cmr.core.errors import GeometryError
from cinema_cmr.io.nifti.axes import check_axes

SHAPE = (64, 70, 10, 25)
STEPS = (1.5, 1.5, 10.0)


def image(shape: tuple[int, ...]) -> np.ndarray:
    """(x, y, slice, time): smooth in plane, rough across slices, changing little in time."""
    waves = ((40, 1 / 3), (40, 1 / 3), (30, 2.0), (3, 1 / 3))
    grid = np.meshgrid(*[np.arange(n) for n in shape], indexing="ij", sparse=True)
    values = sum(high * np.sin(g * pace) for g, (high, pace) in zip(grid, waves, strict=True))
    return np.asarray(values, dtype=np.float32)


def advice(array: np.ndarray) -> str:
    """What is said of an array in a wrong order; "" where nothing is."""
    try:
        issues = check_axes(array, STEPS)
    except GeometryError as error:
        return str(error)
    assert all(issue.severity == "error" for issue in issues)
    return " ".join(issue.message for issue in issues)


def permutation_in(message: str) -> tuple[int, ...] | None:
    match = re.search(r"np\.transpose\(array, (\(.*?\))\)", message)
    return ast.literal_eval(match[1]) if match else None


@pytest.mark.parametrize("order", [order for order in permutations(range(4)) if order[2:] != (2, 3)])
def test_the_permutation_that_is_advised_gives_slices_and_time_back(order: tuple[int, ...]) -> None:
    turned = image(SHAPE).transpose(order)
    message = advice(turned)
    found = permutation_in(message)
    assert "(x, y, slice, time)" in message and found is not None
    back = turned.transpose(found)
    plane_kept = back.shape == SHAPE
    np.testing.assert_array_equal(back if plane_kept else back.swapaxes(0, 1), image(SHAPE))


def test_the_suggested_transpose_restores_the_image() -> None:
    assert permutation_in(advice(image(SHAPE).transpose(3, 2, 1, 0))) == (3, 2, 1, 0)


@pytest.mark.parametrize(
    "array",
    [
        image((64, 70, 1, 25)).transpose(3, 0, 1, 2),
        image((64, 70, 10, 1)).transpose(2, 0, 1, 3),
        image((64, 64, 10, 50)).transpose(3, 0, 1, 2),
        np.random.default_rng(0).normal(size=(10, 25, 64, 64)).astype(np.float32),
    ],
    ids=["one slice", "one frame", "a long cycle", "noise"],
)
def test_an_uncertain_order_gets_no_suggestion(array: np.ndarray) -> None:
    message = advice(array)
    assert "expected the image plane first and time last, (x, y, slice, time)" in message
    assert "np." not in message


def test_the_right_order_is_left_alone() -> None:
    assert advice(image(SHAPE)) == ""


@pytest.mark.parametrize("n", [8, 25])
def test_frames_along_the_third_of_three_axes_are_no_slices(n: int) -> None:
    beat = 40 * np.sin(np.arange(64) / 3)[:, None, None] + 5 * np.cos(2 * np.pi * np.arange(n) / n)[None, None]
    frames = (beat + np.zeros((1, 70, 1))).astype(np.float32)[..., None]
    with pytest.raises(GeometryError, match="third of its axes"):
        check_axes(frames, STEPS)
    check_axes(frames[:, :, :, [0] * 2], STEPS)
    assert check_axes(image((64, 70, n, 1)), STEPS) == []


def test_slices_that_are_alike_but_do_not_come_back_are_read_with_a_warning() -> None:
    """As in stacks of late enhancement around a large heart, whose last slice is the one least like the first."""
    drift = 40 * np.sin(np.arange(64) / 3)[:, None, None] + np.linspace(0, 9, 10)[None, None]
    slices = (drift + np.zeros((1, 70, 1))).astype(np.float32)[..., None]
    (issue,) = check_axes(slices, STEPS)
    assert (issue.code, issue.severity) == ("slices-like-frames", "warning")
    assert "10 long" in issue.message and "np.newaxis" in issue.message


@pytest.mark.realdata
def test_real_late_enhancement_is_not_refused(real_data: Path) -> None:
    paths = sorted(real_data.glob("emidec/Case_P0[79]*/Images/*.nii.gz"))
    assert paths
    for path in paths:
        array = np.asarray(nibabel.load(path).dataobj, dtype=np.float32)
        assert {issue.code for issue in check_axes(array[..., None], STEPS)} <= {"slices-like-frames"}


@pytest.mark.realdata
def test_real_stacks_of_one_frame_are_slices(real_data: Path) -> None:
    for path in sorted(real_data.glob("acdc/database/training/patient00*/*frame??.nii.gz")):
        array = np.asarray(nibabel.load(path).dataobj, dtype=np.float32)
        assert check_axes(array[..., None], STEPS) == []


@pytest.mark.parametrize(("n_frames", "sizes"), [(2, (1.4, 1.4, 2.8)), (25, (1.4, 1.4, 1.4)), (25, (2.5, 2.5, 2.5))])
def test_thin_slices_that_are_more_alike_than_frames_are_slices(
    n_frames: int, sizes: tuple[float, float, float]
) -> None:
    """As of a stack resampled to cubes: neighbouring slices are nearly one image, ED and ES are not."""
    exchanged = image((128, 128, n_frames, 40)).swapaxes(2, 3)
    assert check_axes(exchanged, sizes) == []


def test_cubes_of_one_millimetre_may_be_a_placeholder() -> None:
    assert "np.transpose" in advice_of_cubes(image((128, 128, 25, 20)).swapaxes(2, 3))


def advice_of_cubes(array: np.ndarray) -> str:
    return " ".join(issue.message for issue in check_axes(array, (1.0, 1.0, 1.0)))
