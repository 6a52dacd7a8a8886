"""Every run that learns from labels, by name."""

from __future__ import annotations

from collections.abc import Callable

from cinema_cmr.core.errors import UsageError, unknown_name
from cinema_cmr.models.convvit import ConvViTConfig
from cinema_cmr.models.unetr import ConvUNetRConfig
from cinema_cmr.recipes import landmarks, scalars, segmentation
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
}
"""Task -> its recipes, the usual one first. To add a run: a function in a file of this room and a name here."""

RECIPES = {name: made for recipes in RECIPES_OF_TASKS.values() for name, made in recipes.items()}
"""Recipe by name, of all tasks; those with an encoder are there at the published size too, as NAME-base."""


def recipe(name: str | None = None, *, task: str = "segment") -> Experiment:
    """The experiment of a recipe's name, or the usual one of a task.

    Raises `UsageError` for an unknown name, and for a recipe of another task.
    """
    if task not in RECIPES_OF_TASKS:
        raise unknown_name("task", task, RECIPES_OF_TASKS)
    own = RECIPES_OF_TASKS[task]
    if name is None:
        return next(iter(own.values()))()
    if name.endswith(_BASE) and name.removesuffix(_BASE) in RECIPES:
        return _at_published_size(name, recipe(name.removesuffix(_BASE), task=task))
    if name not in RECIPES:
        raise unknown_name("recipe", name, RECIPES)
    if name not in own:
        other = next(task for task, names in RECIPES_OF_TASKS.items() if name in names)
        raise UsageError(
            f"recipe '{name}' is for the task '{other}', not '{task}'; recipes of '{task}': {', '.join(own)}"
        )
    return own[name]()


def _at_published_size(name: str, chosen: Experiment) -> Experiment:
    if not isinstance(chosen.network, ConvUNetRConfig | ConvViTConfig):
        raise UsageError(f"there is no '{name}': '{chosen.name}' has no encoder, and so no published size")
    return at_published_size(chosen)
