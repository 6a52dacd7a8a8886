"""Recipes make models that can be shipped and compared: of one size, of one grid, trained the same way."""

from __future__ import annotations

import pytest
import torch

from cinema_cmr.core.errors import UsageError
from cinema_cmr.models.architectures import build, config_values
from cinema_cmr.recipes.registry import RECIPES_OF_TASKS, recipe


@pytest.mark.medium
@pytest.mark.parametrize(
    ("task", "name"), [(task, name) for task, names in RECIPES_OF_TASKS.items() if task != "pretrain" for name in names]
)
def test_a_recipe_is_a_model_that_fits_into_a_package(task: str, name: str) -> None:
    experiment = recipe(name, task=task)
    with torch.device("meta"):
        model = build(experiment.architecture, config_values(experiment.network))
    assert 2 * sum(p.numel() for p in model.parameters()) < 30e6  # bytes as float16
    assert experiment.name == name


@pytest.mark.medium
@pytest.mark.parametrize("name", RECIPES_OF_TASKS["segment"])
def test_a_segmentation_recipe_answers_on_the_grid_of_its_task(name: str) -> None:
    experiment = recipe(name)
    model = build(experiment.architecture, config_values(experiment.network))
    for view in experiment.task.views:
        size = (*experiment.task.grid.size, 1 if view.is_long_axis else 3)
        with torch.inference_mode():
            logits = model.eval()({str(view): torch.zeros(1, 1, *size)})[str(view)]
        assert logits.shape == (1, experiment.task.n_classes, *size)


def test_what_is_compared_differs_in_the_network_alone() -> None:
    ours, plain = recipe("sax-unetr"), recipe("sax-unet")
    assert ours.task == plain.task and ours.train == plain.train
    sizes = [
        sum(p.numel() for p in build(e.architecture, config_values(e.network)).parameters()) for e in (ours, plain)
    ]
    assert sizes[1] == pytest.approx(sizes[0], rel=0.15)


def test_numbers_are_changed_and_the_rest_stays() -> None:
    changed = recipe("sax-unet").with_train(n_steps=5, seed=3)
    assert changed.train.n_steps == 5 and changed.train.seed == 3 and changed.task == recipe("sax-unet").task


def test_an_unknown_recipe_gets_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean 'sax-unet'"):
        recipe("sax-unet2")
