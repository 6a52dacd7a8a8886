"""Every recipe by name."""

from __future__ import annotations

from collections.abc import Callable

from cinema_cmr.core.errors import UsageError, unknown_name
from cinema_cmr.models.convvit import ConvViTConfig
from cinema_cmr.models.unetr import ConvUNetRConfig
from cinema_cmr.recipes import landmarks, pretraining, scalars, segmentation
from cinema_cmr.recipes.experiment import Experiment
from cinema_cmr.recipes.published_size import at_published_size

__all__ = ["RECIPES", "RECIPES_OF_TASKS", "recipe"]

_BASE = "-base"

RECIPES_OF_TASKS: dict[str, dict[str, Callable[[], Experiment]]] = {
    "segment": {
        "sax-unet": segmentation.sax_unet,
        "sax-unet-synthetic": segmentation.sax_unet_synthetic,
        "sax-unetr": segmentation.sax_unetr,
        "scar-unet": segmentation.scar_unet,
        "scar-unetr": segmentation.scar_unetr,
        "lax-mask-unet": segmentation.lax_mask_unet,
        "lax-mask-unetr": segmentation.lax_mask_unetr,
    },
    "landmark": {
        "lax-unet": landmarks.lax_unet,
        "lax-unetr": landmarks.lax_unetr,
        "lax-coordinates": landmarks.lax_coordinates,
    },
    "regress": {"ef-vit": scalars.ef_vit, "ef-resnet": scalars.ef_resnet},
    "classify": {"disease-vit": scalars.disease_vit, "disease-resnet": scalars.disease_resnet},
    "pretrain": {
        "small": pretraining.small,
        "base": pretraining.base,
        "coarse": pretraining.coarse,
        "tiny": pretraining.tiny,
    },
}
"""Task -> its recipes, the default first. To add a recipe: a function in a file of this package, and its name here."""

RECIPES = {
    name: create for task, recipes in RECIPES_OF_TASKS.items() if task != "pretrain" for name, create in recipes.items()
}
"""Fine-tuning recipe by name; those with an encoder exist at the published size too, as NAME-base."""


def recipe(name: str | None = None, *, task: str | None = None) -> Experiment:
    """Return the experiment of a recipe, or of a task's default recipe ("segment" if no task is given either).

    Raises `UsageError` for an unknown name, and for a recipe of another task than the one given.
    """
    if task is not None and task not in RECIPES_OF_TASKS:
        raise unknown_name("task", task, RECIPES_OF_TASKS)
    if name is None:
        return next(iter(RECIPES_OF_TASKS[task or "segment"].values()))()
    whole = name.removesuffix(_BASE)
    if name != whole and whole in RECIPES:
        return _at_published_size(name, recipe(whole, task=task))
    task_by_name = {name: task for task, recipes in RECIPES_OF_TASKS.items() for name in recipes}
    if name not in task_by_name:
        raise unknown_name("recipe", name, RECIPES if task is None else RECIPES_OF_TASKS[task])
    own = task_by_name[name]
    if task not in (None, own):
        raise UsageError(
            f"recipe '{name}' is for the task '{own}', not '{task}'; recipes of '{task}':"
            f" {', '.join(RECIPES_OF_TASKS[task or own])}"
        )
    return RECIPES_OF_TASKS[own][name]()


def _at_published_size(name: str, chosen: Experiment) -> Experiment:
    if not isinstance(chosen.network, ConvUNetRConfig | ConvViTConfig):
        raise UsageError(f"recipe '{name}' does not exist: '{chosen.name}' has no encoder; expected NAME-base of one")
    return at_published_size(chosen)
