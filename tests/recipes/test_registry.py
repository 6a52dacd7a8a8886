"""Runs by name, and each builds a network that its task can ask."""

from __future__ import annotations

import pytest
import torch

from cinema_cmr.core.errors import UsageError
from cinema_cmr.models.architectures import build, config_values
from cinema_cmr.recipes.registry import RECIPES, RECIPES_OF_TASKS, recipe
from cinema_cmr.tasks.landmark import LandmarkConfig
from cinema_cmr.tasks.scalar import ScalarConfig


def test_the_usual_recipe_of_each_task_stands_first() -> None:
    assert [recipe(task=task).name for task in RECIPES_OF_TASKS] == [
        "sax-unet",
        "lax-unet",
        "ef-vit",
        "disease-vit",
        "small",
    ]
    assert {name: create().name for name, create in RECIPES.items()} == {name: name for name in RECIPES}


def test_unknown_names_and_other_tasks_are_refused() -> None:
    with pytest.raises(UsageError, match="task 'paint'"):
        recipe(task="paint")
    with pytest.raises(UsageError, match="recipe 'sax-u'"):
        recipe("sax-u")
    with pytest.raises(UsageError, match="is for the task 'landmark', not 'segment'"):
        recipe("lax-unet", task="segment")


@pytest.mark.medium
@pytest.mark.parametrize(
    "name", [name for task in ("landmark", "regress", "classify") for name in RECIPES_OF_TASKS[task]]
)
@torch.no_grad()
def test_the_network_takes_what_the_task_shows(name: str) -> None:
    if "resnet" in name:
        pytest.importorskip("monai")
    made = RECIPES[name]()
    network = build(made.architecture, config_values(made.network)).eval()
    assert isinstance(made.task, LandmarkConfig | ScalarConfig)
    for view, grid in made.task.grids.items():
        depth = (grid.n_slices,) if isinstance(made.task, ScalarConfig) and grid.n_slices else ()
        chans = 2 if isinstance(made.task, ScalarConfig) else 1
        answer = network({str(view): torch.zeros(1, chans, *grid.size, *depth)})
        if isinstance(answer, dict):
            assert answer[str(view)].shape == (1, 3, *grid.size)
        else:
            assert answer.shape == (1, made.network.out_chans)
