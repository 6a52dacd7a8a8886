"""The only way back: labels on the native grid, whatever its pixels and sizes, and what was taken away."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
import torch
from oracles import CPU, Nothing, Oracle, annotated, cine_of, heart, same, segmenter
from torch import Tensor, nn

from cinema_cmr.core.errors import NoCineError
from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import View
from cinema_cmr.inference.predictor import predict_cine, predict_study
from cinema_cmr.inference.segmenter import Segmenter
from cinema_cmr.models.loaded import LoadedModel

CENTRE = (40.0, 30.0)


def test_on_the_model_s_own_spacing_every_voxel_is_right() -> None:
    labels = heart()
    predicted = predict_cine(cine_of(labels), segmenter(size=(63, 59)), centre=CENTRE)
    assert np.array_equal(predicted.labels.array, labels) and predicted.labels.array.dtype == np.uint8
    assert predicted.view == View.SAX and predicted.location.method == "given" and not predicted.removed_components
    assert predicted.confidence.shape == (2,) and (predicted.confidence > 0.99).all()


@pytest.mark.parametrize(
    ("shape", "spacing"),
    [((71, 65), (1.5, 1.5)), ((107, 49), (1.0, 2.0)), ((53, 90), (2.0, 1.2)), ((129, 128), (0.8, 0.8))],
)
@pytest.mark.parametrize("model_mm", [1.0, 1.5])
def test_on_any_grid_a_disc_comes_back_in_its_place(
    shape: tuple[int, int], spacing: tuple[float, float], model_mm: float
) -> None:
    centre = (shape[0] * 0.55, shape[1] * 0.46)
    labels = heart((16.0,), shape=shape, spacing_mm=spacing, centre=centre)
    labels[labels < 3] = 0
    cine = cine_of(labels, (*spacing, 8.0))
    its = segmenter(Oracle(lv_only=True, sharp=20), spacing_mm=model_mm, size=(80, 72))
    near = (centre[0] + 2.3, centre[1] - 1.6)
    found = predict_cine(cine, its, centre=near).labels.array
    assert found.shape == labels.shape and same(found, labels, 3) > 0.95
    middles = [np.argwhere(array[..., 0, 0] == 3).mean(axis=0) * spacing for array in (found, labels)]
    # mm: sharp edges on a coarser grid cost up to 0.21, half a pixel would be 0.4 or more.
    assert np.abs(middles[0] - middles[1]).max() < 0.25
    assert (found == 3).sum() == pytest.approx((labels == 3).sum(), rel=0.03)


def test_the_heart_is_found_without_being_told() -> None:
    labels = heart(tuple(12.5 + 2.5 * np.cos(np.linspace(0, 2 * np.pi, 8, endpoint=False))))
    predicted = predict_cine(cine_of(labels), segmenter(size=(64, 64)))
    assert predicted.location.method == "motion"
    assert all(same(predicted.labels.array, labels, code) > 0.9 for code in (1, 2, 3))


def test_pieces_apart_are_taken_away_and_told() -> None:
    labels = heart()
    cine = cine_of(labels)
    cine.array[55:58, 12:16, 1, 1] = 1000.0
    predicted = predict_cine(cine, segmenter(size=(63, 59)), centre=CENTRE)
    assert np.array_equal(predicted.labels.array, labels)
    (removed,) = predicted.removed_components
    assert (removed.structure, removed.frame) == ("lv", 1)
    assert removed.volume_ml == pytest.approx(12 * 1.5 * 1.5 * 8 / 1000)


def test_an_empty_answer_has_no_confidence_and_is_no_error() -> None:
    predicted = predict_cine(cine_of(heart()), segmenter(Nothing()))
    assert not predicted.labels.array.any() and np.isnan(predicted.confidence).all()


class Atria(nn.Module):
    """The oracle, which calls a right ventricle's intensity a right atrium and knows no left one."""

    def __init__(self) -> None:
        super().__init__()
        self.oracle = Oracle()

    def forward(self, images: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {
            view: torch.cat([logits, torch.full_like(logits[:, :1], -1e9), logits[:, 1:2] + 1], dim=1)
            for view, logits in self.oracle(images).items()
        }


@pytest.mark.parametrize(("view", "there"), [(View.LAX_4C, True), (View.LAX_2C, False), (View.LAX_3C, False)])
def test_a_right_atrium_is_seen_in_the_four_chamber_view_alone(view: View, there: bool) -> None:
    its = segmenter(Atria(), size=(63, 59))
    card = replace(its.card, grids={view: its.card.grids[View.SAX]}, label_scheme="chambers")
    cine = replace(cine_of(heart(n_slices=1)), view=view)
    found = predict_cine(cine, Segmenter(LoadedModel(model=Atria(), card=card), CPU), centre=CENTRE).labels
    assert found.scheme == "chambers" and (5 in found.array) == there and 3 in found.array


def test_every_frame_is_reported() -> None:
    told: list[tuple[int, int]] = []
    predict_cine(cine_of(heart((15, 13, 11))), segmenter(), centre=CENTRE, report=lambda *a: told.append(a))
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_a_study_is_predicted_by_view_and_without_one_refused() -> None:
    study = annotated(heart()).study
    assert set(predict_study(study, segmenter(size=(63, 59)))) == {View.SAX}
    with pytest.raises(NoCineError, match=r"no short axis cine.*'oracle' needs"):
        predict_study(Study(name="empty", cines=()), segmenter())
