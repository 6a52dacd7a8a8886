"""Where the heart is: by its beat, by looking everywhere, or the stated place where there is none."""

from __future__ import annotations

import numpy as np
import pytest
from oracles import Nothing, cine_of, heart, segmenter

from cinema_cmr.engine.locate import locate_heart

SHAPE = (131, 97)


def beating(centre: tuple[float, float], n_frames: int = 8) -> np.ndarray:  # type: ignore[type-arg]
    phase = np.linspace(0, 2 * np.pi, n_frames, endpoint=False)
    return heart(tuple(12.5 + 2.5 * np.cos(phase)), shape=SHAPE, centre=centre)


def middle(labels: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
    spots = np.argwhere(labels.any(axis=(2, 3)))
    return (spots.min(axis=0) + spots.max(axis=0)) / 2  # type: ignore[no-any-return]


@pytest.mark.parametrize("centre", [(40.0, 60.0), (85.0, 38.0), (66.0, 48.0)])
def test_an_off_centre_heart_is_found_by_its_beat(centre: tuple[float, float]) -> None:
    labels = beating(centre)
    found = locate_heart(cine_of(labels), segmenter(size=(60, 60)))
    assert found.method == "motion"
    assert np.abs(np.subtract(found.centre, middle(labels))).max() < 2
    volume_ml = (labels[..., 0] > 0).sum() * 1.5 * 1.5 * 8 / 1000
    assert found.evidence["volume_ml"] == pytest.approx(volume_ml, rel=0.15)


@pytest.mark.parametrize("centre", [(30.0, 70.0), (100.0, 25.0)])
def test_in_one_frame_it_is_found_by_looking_everywhere(centre: tuple[float, float]) -> None:
    labels = beating(centre, 1)
    found = locate_heart(cine_of(labels), segmenter(size=(44, 44)))
    assert found.method == "coarse pass"
    assert np.abs(np.subtract(found.centre, middle(labels))).max() < 2


def test_the_place_moves_with_the_heart() -> None:
    places = [
        np.array(locate_heart(cine_of(beating(centre, 1)), segmenter(size=(44, 44))).centre)
        for centre in ((50.0, 45.0), (58.0, 50.0))
    ]
    assert np.allclose(places[1] - places[0], (8, 5), atol=1)


@pytest.mark.parametrize("n_frames", [1, 2, 8])
def test_without_a_heart_the_likeliest_place_is_given_with_no_volume(n_frames: int) -> None:
    cine = cine_of(beating((66.0, 48.0), n_frames))
    found = locate_heart(cine, segmenter(Nothing(), size=(44, 44)))
    assert found.method == "coarse pass" and found.evidence["volume_ml"] == 0.0
    assert 0 <= found.centre[0] < SHAPE[0] and 0 <= found.centre[1] < SHAPE[1]


def test_an_image_smaller_than_the_model_s_window_is_seen_whole() -> None:
    labels = heart((15.0,), shape=(41, 39), centre=(22.0, 19.0))
    found = locate_heart(cine_of(labels), segmenter(size=(80, 80)))
    assert np.abs(np.subtract(found.centre, middle(labels))).max() < 2
