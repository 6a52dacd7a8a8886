"""A number in its own unit and classes that sum to one, from the phases asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from oracles import CPU, annotated, heart, segmenter
from torch import Tensor, nn

from cinema_cmr.core.card import Grid, ModelCard
from cinema_cmr.core.errors import WeightsError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.inference.scalar_predictor import ScalarPredictor
from cinema_cmr.models.loaded import LoadedModel

GRID = Grid(spacing_mm=1.5, size=(64, 60), slice_spacing_mm=8.0, n_slices=4, percentiles=(0.0, 100.0))


class Brightness(nn.Module):
    """How much brighter the first phase is than the second; or as two logits."""

    def __init__(self, classes: int = 1) -> None:
        super().__init__()
        self.classes = classes

    def forward(self, images: Mapping[str, Tensor]) -> Tensor:
        image = images["sax"]
        assert image.shape[1:] == (2, 64, 60, 4)
        more = (image[:, 0] > 0.9).float().sum(dim=(1, 2, 3)) - (image[:, 1] > 0.9).float().sum(dim=(1, 2, 3))
        return torch.stack([more / 100, *[torch.zeros_like(more)] * (self.classes - 1)], dim=1)


def loaded(task: Any, outputs: tuple[str, ...], **training: Any) -> LoadedModel:
    card = ModelCard(
        name="b",
        task=task,
        architecture="none",
        config={},
        grids={View.SAX: GRID},
        outputs=outputs,
        training=training,
    )
    return LoadedModel(model=Brightness(len(outputs)), card=card)


def test_a_number_comes_back_in_its_own_unit_and_phases_matter() -> None:
    answerer = ScalarPredictor(loaded("regress", ("lv_ef_percent",), target={"mean": 50.0, "std": 10.0}), CPU)
    study = annotated(heart((15.0, 10.0))).study
    forth, back = answerer.predict(study, (0.0, 0.5)), answerer.predict(study, (0.5, 0.0))
    assert set(forth) == {"lv_ef_percent"} and forth["lv_ef_percent"] > 60
    assert forth["lv_ef_percent"] + back["lv_ef_percent"] == pytest.approx(100)


def test_classes_have_probabilities() -> None:
    answer = ScalarPredictor(loaded("classify", ("big", "small")), CPU).predict(annotated(heart()).study, (0.0, 0.5))
    assert sum(answer.values()) == pytest.approx(1) and answer["big"] > 0.9


def test_a_model_of_another_task_is_refused() -> None:
    with pytest.raises(WeightsError, match="'segment'; expected a model for regress or classify"):
        ScalarPredictor(LoadedModel(model=nn.Identity(), card=segmenter().card), CPU)
