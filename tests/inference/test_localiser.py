"""Where the heart is: by its beat, by looking everywhere, or the stated place where there is none."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from oracles import CPU, Nothing, Oracle, cine_of, heart, segmenter
from torch import Tensor

from cinema_cmr.inference.localiser import locate_heart
from cinema_cmr.inference.segmenter import Segmenter
from cinema_cmr.models.loaded import LoadedModel, join

SHAPE = (131, 97)


class Counted(Oracle):
    """Tells how often it was asked, and on how many slices."""

    def __init__(self) -> None:
        super().__init__()
        self.calls, self.slices = 0, set[int]()

    def forward(self, images: Mapping[str, Tensor]) -> dict[str, Tensor]:
        self.calls += 1
        self.slices |= {image.shape[-1] for image in images.values()}
        return super().forward(images)


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


def test_one_frame_with_a_whole_heart_in_its_middle_is_not_searched() -> None:
    labels = np.repeat(heart((15.0,), shape=SHAPE, centre=(70.0, 45.0)), 4, axis=2)
    counted = Counted()
    found = locate_heart(cine_of(labels), segmenter(counted, size=(60, 60)))
    assert found.method == "image middle" and counted.calls <= 3
    assert np.abs(np.subtract(found.centre, middle(labels))).max() < 2


def test_a_heart_well_inside_the_window_needs_no_second_look_wherever_it_lies() -> None:
    for centre, looks in (((74.0, 48.0), 1), ((96.0, 48.0), 2)):  # 14 and 46 mm off the middle
        labels = np.repeat(heart((15.0,), shape=SHAPE, centre=centre), 4, axis=2)
        counted = Counted()
        found = locate_heart(cine_of(labels), segmenter(counted, size=(90, 90)))
        assert (found.method, counted.calls, found.evidence["rounds"]) == ("image middle", looks, looks)
        assert np.abs(np.subtract(found.centre, middle(labels))).max() < 2


def test_something_small_in_the_middle_is_not_taken_for_the_heart() -> None:
    labels = heart((15.0,), shape=SHAPE, centre=(105.0, 25.0))
    labels[62:68, 44:50] = 3
    found = locate_heart(cine_of(labels), segmenter(size=(44, 44)))
    assert found.method == "coarse pass"
    assert np.abs(np.subtract(found.centre, (80, 0)) - middle(labels[80:])).max() < 2


def test_localizer_uses_one_network_of_an_ensemble_and_every_second_slice_of_a_long_stack() -> None:
    labels = np.repeat(heart((15.0,), shape=SHAPE, centre=(70.0, 45.0)), 3, axis=2)
    networks, card = (Counted(), Counted()), segmenter(size=(60, 60)).card
    together = join({name: LoadedModel(model=x, card=card) for name, x in zip("ab", networks, strict=True)}, card)
    locate_heart(cine_of(labels), Segmenter(together, CPU))
    assert networks[0].calls > 0 and networks[1].calls == 0
    assert networks[0].slices == {-(-labels.shape[2] // 2)}
