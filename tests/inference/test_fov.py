"""Whether the heart fits into what the model sees, and what happens where it does not."""

from __future__ import annotations

import numpy as np
import pytest
from oracles import cine_of, heart, segmenter

from cinema_cmr.image.resample import CropResample
from cinema_cmr.inference.fov import MAX_FOV_EXPANSIONS, expand_fov, is_truncated
from cinema_cmr.inference.predictor import predict_cine

CUT = CropResample(centre=(50.0, 50.0), step=(1.0, 1.0), size=(40, 40), native=(101, 101))  # native 30.5 to 69.5


def drawn(x: slice, y: slice, shape: tuple[int, int] = (101, 101)) -> np.ndarray:  # type: ignore[type-arg]
    labels = np.zeros((*shape, 2, 3), np.uint8)
    labels[x, y, 1, 2] = 3
    return labels


@pytest.mark.parametrize(
    ("x", "y", "reaches"),
    [
        (slice(35, 60), slice(35, 60), False),
        (slice(31, 60), slice(35, 60), True),
        (slice(35, 60), slice(35, 70), True),
        (slice(0, 0), slice(0, 0), False),
    ],
)
def test_labels_at_an_edge_of_the_window_are_seen(x: slice, y: slice, reaches: bool) -> None:
    assert is_truncated(drawn(x, y), CUT) == reaches


def test_where_the_image_itself_ends_there_is_nothing_more_to_see() -> None:
    whole = CropResample(centre=(50.0, 50.0), step=(1.0, 1.0), size=(128, 128), native=(101, 101))
    assert not is_truncated(drawn(slice(0, 101), slice(0, 101)), whole)
    beside = CropResample(centre=(10.0, 50.0), step=(1.0, 1.0), size=(40, 40), native=(101, 101))
    assert not is_truncated(drawn(slice(0, 15), slice(40, 60)), beside)
    assert is_truncated(drawn(slice(0, 30), slice(40, 60)), beside)


def test_a_wider_window_keeps_its_middle_and_grows_in_steps_that_networks_can_halve() -> None:
    crop = CUT
    for size in (64, 80, 112):
        crop = expand_fov(crop)
        assert crop.size == (size, size) and (crop.centre, crop.step) == (CUT.centre, CUT.step)


def test_a_heart_larger_than_the_window_is_shown_a_wider_one_and_that_is_told() -> None:
    labels = heart()  # from 36 mm before to 21 mm behind the window's middle
    found = predict_cine(cine_of(labels), segmenter(size=(32, 32)), centre=(39.5, 29.5))
    assert np.array_equal(found.labels.array, labels)
    assert (found.fov_expansions, found.fov_mm, found.truncated) == (1, (72.0, 72.0), False)
    fits = predict_cine(cine_of(labels), segmenter(size=(63, 59)), centre=(40.0, 30.0))
    assert (fits.fov_expansions, fits.fov_mm, fits.truncated) == (0, (94.5, 88.5), False)


def test_what_no_window_holds_is_told_after_a_few_tries() -> None:
    labels = np.zeros((200, 200, 1, 1), np.uint8)
    labels[::4], labels[:, ::4] = 3, 3  # bars from one end of the image to the other
    found = predict_cine(cine_of(labels), segmenter(size=(32, 32)), centre=(100.5, 100.5))
    assert found.fov_expansions == MAX_FOV_EXPANSIONS and found.truncated
