"""Which recipes a pre-trained encoder fits, for the message where it does not fit the one that was chosen."""

from __future__ import annotations

from cinema_cmr.models.mae import CineMA
from cinema_cmr.models.vit import SIZES, VitConfig
from cinema_cmr.recipes.experiment import Experiment
from cinema_cmr.recipes.published_size import has_published_size
from cinema_cmr.recipes.registry import RECIPES, RECIPES_OF_TASKS, recipe

__all__ = ["wrong_size_message"]

_PRETRAINING = RECIPES_OF_TASKS["pretrain"]


def wrong_size_message(start: CineMA, name: str, experiment: Experiment) -> str:
    """Say which size an encoder has, which size the experiment wants, and which recipes go with each."""
    theirs, ours = _size_name(start.config.vit), _size_name(experiment.network.vit)
    fitting = _recipes_of(theirs)
    choice = f"choose a recipe of its size ({fitting})" if fitting else "there is no recipe of its size"
    if theirs == ours:
        choice = "its stems or views are others: give an encoder that has this recipe's views"
    elif ours in _PRETRAINING:
        choice += f", or an encoder of `cinema pretrain --recipe {ours}`"
    return (
        f"weights '{name}' are a pre-trained encoder of size {theirs}; recipe '{experiment.name}' has one of size"
        f" {ours}: {choice}"
    )


def _size_name(vit: VitConfig) -> str:
    same = (
        name for name, size in SIZES.items() if (size.dim, size.depth, size.heads) == (vit.dim, vit.depth, vit.heads)
    )
    return next(same, f"{vit.dim} wide, {vit.depth} deep")


def _recipes_of(size: str) -> str:
    """Return the recipes whose encoder has a size, by name; "" if there are none."""
    names = [name for name in RECIPES if has_published_size(recipe(name))]
    ends = {"small": "", "base": "-base", "coarse": " --preset coarse", "tiny": " --preset smoke"}
    return ", ".join(f"{name}{ends[size]}" for name in names) if size in ends else ""
