"""Network input of both phases: the right frames, the spacing of the grid, and the heart in the middle."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from oracles import cine_of, heart

from cinema_cmr.core.card import Grid
from cinema_cmr.core.errors import InputError
from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import View
from cinema_cmr.inference.study_tensors import channels_first, crop_heart, phase_images, phase_planes

GRID = Grid(spacing_mm=1.5, size=(49, 41), percentiles=(0.0, 100.0))
"""Odd sizes at the spacing of the hearts: a crop around a whole pixel keeps the pixels."""
RADII = (15.0, 14.0, 12.5, 10.5, 9.0, 10.0, 12.0, 13.0, 13.5, 14.5)


def bright_pixels(image: torch.Tensor) -> np.ndarray:  # type: ignore[type-arg]
    """(phases,) number of pixels closer to LV blood than to its wall in the middle slice of (2, x, y, z)."""
    return (image[..., 1] > 0.65).sum(dim=(1, 2)).numpy()


def study_of(*radii: float) -> Study:
    return Study(name="beat", cines=(cine_of(heart(radii)),))


def test_phases_select_frames_by_their_fraction_of_the_cycle() -> None:
    image = phase_images(study_of(*RADII), {View.SAX: GRID}, (0.0, 0.4))["sax"]
    blood = np.count_nonzero(heart(RADII)[:, :, 1] == 3, axis=(0, 1))
    assert image.shape == (2, 49, 41, 3)
    assert len(set(blood)) == len(RADII) and list(bright_pixels(image)) == [blood[0], blood[4]]


def test_two_frames_are_both_phases_in_either_order() -> None:
    study = study_of(15.0, 9.0)
    forward, backward = (phase_images(study, {View.SAX: GRID}, phases)["sax"] for phases in ((0.0, 0.1), (0.1, 0.0)))
    assert torch.equal(forward, backward.flip(0)) and bright_pixels(forward)[0] > bright_pixels(forward)[1]


def test_planes_have_the_spacing_of_the_grid_and_the_heart_in_their_pixels() -> None:
    coarse = Grid(spacing_mm=3.0, size=(24, 20), percentiles=(0.0, 100.0))
    planes = phase_planes(study_of(*RADII), {View.SAX: coarse}, (0.0, 0.4))[View.SAX]
    assert planes.planes.shape == (36, 33, 3, 2) and float(planes.planes.max()) == 1
    crop = crop_heart(planes, coarse)
    assert crop.shape == (24, 20, 3, 2)
    blood = np.argwhere(crop[:, :, 1, 0].numpy() > 0.9)
    assert np.abs(blood.mean(axis=0) - [11.5, 9.5]).max() < 4


def test_channels_first_drops_the_slice_axis_of_a_plane() -> None:
    assert channels_first(torch.zeros(5, 4, 3, 2)).shape == (2, 5, 4, 3)
    assert channels_first(torch.zeros(5, 4, 1, 2)).shape == (2, 5, 4)


def test_a_study_without_the_views_of_the_model_is_refused() -> None:
    with pytest.raises(InputError, match="no view of the model; expected one of 4-chamber"):
        phase_images(study_of(*RADII), {View.LAX_4C: GRID}, (0.0, 0.4))
