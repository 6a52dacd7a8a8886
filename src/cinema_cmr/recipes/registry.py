"""Every recipe by name; a recipe is imported, and torch with it, only when it is used."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from types import FunctionType
from typing import TYPE_CHECKING

from cinema_cmr.core.errors import UsageError, unknown_name
from cinema_cmr.core.plugins import load_plugin, plugin_names

if TYPE_CHECKING:
    from cinema_cmr.recipes.experiment import Experiment

__all__ = ["RECIPES", "RECIPES_OF_TASKS", "Recipe", "recipe", "recipe_list"]

_BASE = "-base"


@dataclass(frozen=True)
class Recipe:
    """A function that returns an experiment, imported when it is called."""

    entry_point: str
    """MODULE:FUNCTION in this package."""

    def __call__(self) -> Experiment:
        """Return the experiment."""
        module, _, function = self.entry_point.partition(":")
        experiment: Experiment = getattr(import_module(f"cinema_cmr.recipes.{module}"), function)()
        return experiment


RECIPES_OF_TASKS: dict[str, dict[str, Callable[[], Experiment]]] = {
    "segment": {
        "sax-unet": Recipe("segmentation:sax_unet"),
        "sax-unet-synthetic": Recipe("segmentation:sax_unet_synthetic"),
        "sax-unetr": Recipe("segmentation:sax_unetr"),
        "scar-unet": Recipe("segmentation:scar_unet"),
        "scar-unetr": Recipe("segmentation:scar_unetr"),
        "lax-mask-unet": Recipe("segmentation:lax_mask_unet"),
        "lax-chambers-unet": Recipe("segmentation:lax_chambers_unet"),
        "lax-mask-unetr": Recipe("segmentation:lax_mask_unetr"),
    },
    "landmark": {
        "lax-unet": Recipe("landmarks:lax_unet"),
        "lax-unetr": Recipe("landmarks:lax_unetr"),
        "lax-coordinates": Recipe("landmarks:lax_coordinates"),
    },
    "regress": {"ef-vit": Recipe("scalars:ef_vit"), "ef-resnet": Recipe("scalars:ef_resnet")},
    "classify": {
        "disease-vit": Recipe("scalars:disease_vit"),
        "disease-resnet": Recipe("scalars:disease_resnet"),
    },
    "pretrain": {
        "small": Recipe("pretraining:small"),
        "base": Recipe("pretraining:base"),
        "both": Recipe("pretraining:both"),
        "masked": Recipe("pretraining:masked"),
        "synthetic": Recipe("pretraining:synthetic"),
        "unet": Recipe("pretraining:unet"),
        "coarse": Recipe("pretraining:coarse"),
        "tiny": Recipe("pretraining:tiny"),
    },
}
"""Task -> its recipes, the default first. To add a recipe: a function in a file of this package, and its name here;
in a package of one's own, an entry point of the group `cinema_cmr.recipes` that names such a function."""

RECIPES = {
    name: create for task, recipes in RECIPES_OF_TASKS.items() if task != "pretrain" for name, create in recipes.items()
}
"""Fine-tuning recipe by name; those with an encoder exist at the published size too, as NAME-base."""


def recipe(name: str | None = None, *, task: str | None = None) -> Experiment:
    """Return the experiment of a recipe, or of a task's default recipe ("segment" if no task is given either).

    Raises `UsageError` for an unknown name, and for a recipe of another task than the one given.
    """
    if task is not None and task not in RECIPES_OF_TASKS and (name is None or task not in plugin_names("tasks")):
        raise unknown_name("task", task, RECIPES_OF_TASKS)
    if name is None:
        return next(iter(RECIPES_OF_TASKS[task or "segment"].values()))()
    whole = name.removesuffix(_BASE)
    if name != whole and whole in RECIPES:
        return _at_published_size(name, recipe(whole, task=task))
    task_by_name = {name: task for task, recipes in RECIPES_OF_TASKS.items() for name in recipes}
    if name not in task_by_name:
        found = load_plugin("recipes", name, FunctionType)
        if found is not None:
            return _of_other_package(name, found(), task)
        known = RECIPES if task is None else RECIPES_OF_TASKS.get(task, {})
        raise unknown_name("recipe", name, (*known, *plugin_names("recipes")))
    own = task_by_name[name]
    if task not in (None, own):
        raise UsageError(
            f"recipe '{name}' is for the task '{own}', not '{task}'; recipes of '{task}':"
            f" {', '.join(RECIPES_OF_TASKS.get(task or own, ()))}"
        )
    return RECIPES_OF_TASKS[own][name]()


def recipe_list(*tasks: str) -> str:
    """Return the names of the recipes of some tasks, a line each, the default first."""
    return "\n".join(f"  {task:<9} {', '.join(RECIPES_OF_TASKS[task])}" for task in tasks)


def _of_other_package(name: str, experiment: Experiment, task: str | None) -> Experiment:
    if task not in (None, experiment.task.task_name):
        raise UsageError(f"recipe '{name}' is for the task '{experiment.task.task_name}', not '{task}'")
    return experiment


def _at_published_size(name: str, chosen: Experiment) -> Experiment:
    from cinema_cmr.recipes.published_size import at_published_size, has_published_size

    if not has_published_size(chosen):
        raise UsageError(f"recipe '{name}' does not exist: '{chosen.name}' has no encoder; expected NAME-base of one")
    return at_published_size(chosen)
