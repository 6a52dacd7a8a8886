"""Small hearts are segmented in a magnified image where the network is then surer of both ventricles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest
from oracles import Oracle, cine_of, heart, segmenter
from torch import Tensor

from cinema_cmr.core.results import HeartLocation
from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine
from cinema_cmr.inference.magnification import SMALL_HEART_MM, magnify_small_heart
from cinema_cmr.inference.predictor import predict_cine
from cinema_cmr.inference.soft_labels import predict_soft_labels


class Adult(Oracle):
    """Is sure of large hearts alone: the more pixels the heart has, the surer."""

    def __init__(self, *, per_pixel: float = 0.05, **how: bool) -> None:
        super().__init__(sharp=1.0, **how)
        self.per_pixel = per_pixel

    def forward(self, images: Mapping[str, Tensor]) -> dict[str, Tensor]:
        (image,) = images.values()
        pixels = float((image > 0.15).sum()) / (image.shape[0] * image.shape[-1])
        return {view: pixels * self.per_pixel * x for view, x in super().forward(images).items()}


def scaled(pixel_mm: float, radii: Sequence[float] = (15.0, 10.0)) -> Cine:
    """The same picture of a heart, 57 mm across with pixels of 1.5 mm."""
    labels = heart(radii)
    return cine_of(labels, (pixel_mm, pixel_mm, 8.0))


def found_in(cine: Cine, extent_mm: float | None = 20.0, method: str = "motion") -> HeartLocation:
    evidence = {} if extent_mm is None else {"extent_mm": extent_mm}
    return HeartLocation(centre=(35.0, 30.0), method=method, evidence=evidence)


def test_a_small_heart_is_magnified_to_the_size_that_was_learned() -> None:
    cine = scaled(1.4)  # 53 mm across
    location = magnify_small_heart(cine, segmenter(Adult(), size=(112, 112)), found_in(cine))
    assert location.magnification == pytest.approx(100 / 53, rel=0.05)
    assert location.evidence["extent_mm"] == pytest.approx(53, abs=5)
    assert np.abs(np.subtract(location.centre, (35.0, 30.0))).max() < 2


def test_a_tiny_heart_is_magnified_step_by_step() -> None:
    cine = scaled(0.4)  # 15 mm across
    location = magnify_small_heart(cine, segmenter(Adult(per_pixel=0.5), size=(112, 112)), found_in(cine))
    assert location.magnification >= 4


def test_a_field_of_view_that_would_not_hold_the_magnified_heart_is_left_as_it_is() -> None:
    cine = scaled(1.0)  # 38 mm across, in a field of view of 48 mm
    location = found_in(cine)
    assert magnify_small_heart(cine, segmenter(Adult(), size=(32, 32)), location) is location


def test_what_the_network_is_no_surer_of_stays_as_it_is() -> None:
    cine = scaled(1.0)
    location = found_in(cine)
    assert magnify_small_heart(cine, segmenter(Adult(per_pixel=-0.05), size=(112, 112)), location) is location


def test_a_network_of_one_ventricle_is_left_alone() -> None:
    cine = scaled(1.0)
    location = found_in(cine)
    assert magnify_small_heart(cine, segmenter(Adult(lv_only=True), size=(112, 112)), location) is location


@pytest.mark.parametrize("extent_mm", [SMALL_HEART_MM, 110.0])
def test_an_adult_heart_costs_no_look(extent_mm: float) -> None:
    cine = scaled(1.0)
    location = found_in(cine, extent_mm)
    assert magnify_small_heart(cine, None, location) is location  # type: ignore[arg-type]


def test_long_axes_are_not_magnified() -> None:
    cine = replace(scaled(1.0), view=View.LAX_4C)
    location = found_in(cine)
    assert magnify_small_heart(cine, None, location) is location  # type: ignore[arg-type]


def test_an_image_without_a_heart_stays_as_it_is() -> None:
    cine = cine_of(np.zeros((71, 65, 3, 1), np.uint8))
    location = found_in(cine, None)
    assert magnify_small_heart(cine, segmenter(Adult(), size=(112, 112)), location) is location


def test_where_no_beat_shows_the_place_the_image_is_searched_magnified_too() -> None:
    cine = scaled(1.0, (15.0,))
    wrong = HeartLocation(centre=(5.0, 60.0), method="coarse pass")
    location = magnify_small_heart(cine, segmenter(Adult(), size=(40, 40)), wrong)
    assert location.magnification > 1
    assert np.abs(np.subtract(location.centre, (35.0, 30.0))).max() < 3


def test_masks_and_soft_labels_of_a_small_heart_are_those_of_the_magnified_image() -> None:
    cine = scaled(0.8)
    model = segmenter(Adult(), size=(112, 112))
    found = predict_cine(cine, model)
    assert found.location.magnification > 1.5
    assert found.fov_mm == pytest.approx((168 / found.location.magnification,) * 2)
    truth = heart()
    assert (found.labels.array == truth).mean() > 0.99
    soft = predict_soft_labels(cine, model)
    assert (soft.array.argmax(axis=-1) == truth).mean() > 0.98
