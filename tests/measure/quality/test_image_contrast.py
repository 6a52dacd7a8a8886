"""Contrast of blood and wall beside the noise: its value where it is known, and when a flag is raised."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hearts import LV, MYO, context_of, heart
from numpy.typing import NDArray

from cinema_cmr.measure.quality.context import QualityContext
from cinema_cmr.measure.quality.image_contrast import (
    LEAST_CONTRAST_TO_NOISE,
    contrast_to_noise,
    low_contrast,
    noise_sd,
)


def images(blood: float, wall: float, sd: float = 0.0) -> QualityContext:
    """A heart whose blood and wall have these signals, with independent noise."""
    cine, labels = heart()
    clean = np.select([labels.array == LV, labels.array == MYO], [blood, wall], default=60.0)
    noise = np.random.default_rng(3).normal(0, 1, clean.shape) * sd
    return context_of(replace(cine, array=(clean + noise).astype(np.float32)), labels)


def plane_of(context: QualityContext) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    return context.cine.array[:, :, 4, 0], context.labels.array[:, :, 4, 0]


def test_the_noise_is_known_beside_edges_and_on_a_slope() -> None:
    context = images(200, 100, 10)
    image, plane = plane_of(context)
    slope = np.arange(image.shape[0], dtype=np.float32)[:, None] * 3
    assert noise_sd(image + slope, plane > 0) == pytest.approx(10, rel=0.12)


@pytest.mark.parametrize(("sd", "expected"), [(10.0, 10.0), (20.0, 5.0), (50.0, 2.0)])
def test_the_ratio_is_that_of_contrast_and_noise(sd: float, expected: float) -> None:
    ratio = contrast_to_noise(*plane_of(images(200, 100, sd)))
    assert ratio == pytest.approx(expected, rel=0.15)


def test_without_noise_it_has_no_bound_and_without_wall_no_value() -> None:
    image, plane = plane_of(images(200, 100))
    assert contrast_to_noise(image, plane) == np.inf
    assert contrast_to_noise(-image, plane) == -np.inf
    assert contrast_to_noise(image, np.where(plane == MYO, 0, plane)) is None


@pytest.mark.parametrize(("blood", "wall", "sd", "fires"), [(200, 100, 20, False), (200, 100, 40, True)])
def test_a_flag_is_raised_where_noise_hides_the_wall(blood: float, wall: float, sd: float, fires: bool) -> None:
    flag = low_contrast(images(blood, wall, sd))
    assert (flag is not None) is fires
    if flag is not None:
        assert flag.severity == "warning" and "2.5 standard deviations" in flag.message
        assert float(flag.evidence["contrast_to_noise"]) < LEAST_CONTRAST_TO_NOISE


@pytest.mark.parametrize("sd", [0.0, 5.0])
def test_blood_that_is_darker_than_the_wall_is_no_cine(sd: float) -> None:
    flag = low_contrast(images(100, 200, sd))
    assert flag is not None and "not brighter than its wall" in flag.message
    assert ("contrast_to_noise" in flag.evidence) is (sd > 0)


def test_masks_without_images_raise_nothing() -> None:
    """As in a folder of results, whose images are not there."""
    assert low_contrast(context_of(*heart())) is None
    cine, labels = heart()
    empty = replace(labels, array=np.zeros_like(labels.array))
    assert low_contrast(context_of(cine, empty)) is None
