"""Recipes for one number or class of a whole study: each is one function that returns an Experiment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from cinema_cmr.core.card import Grid
from cinema_cmr.core.errors import InputError, UsageError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.data.cases import AnnotatedStudy
from cinema_cmr.engine.optim import OptimConfig
from cinema_cmr.engine.trainer import TrainConfig
from cinema_cmr.models.convvit import ConvViTConfig
from cinema_cmr.models.resnet import ResNetConfig
from cinema_cmr.models.stem import SMALL_STEM
from cinema_cmr.models.vit import vit_size
from cinema_cmr.recipes.experiment import Experiment
from cinema_cmr.tasks.scalar import ScalarConfig
from cinema_cmr.tasks.targets import target_value

__all__ = ["disease_resnet", "disease_vit", "ef_resnet", "ef_vit", "with_target"]

_GRID = Grid(spacing_mm=1.5, size=(112, 112), slice_spacing_mm=10.0, n_slices=12)
"""Grid of the pre-training recipe `small`."""

_TRAIN = TrainConfig(
    n_steps=2000, batch_size=4, validate_every=250, optim=OptimConfig(lr=3e-4, warmup_steps=100, ema_decay=0.99)
)
_GROUPS = ("NOR", "MINF", "DCM", "HCM", "RV")


def ef_vit() -> Experiment:
    """ConvViT for the LV ejection fraction; can start from the pre-training recipe `small`."""
    task = ScalarConfig(kind="regress", target="lv_ef_percent", grids={View.SAX: _GRID})
    return Experiment(name="ef-vit", task=task, architecture="conv_vit", network=_vit(1), train=_TRAIN)


def ef_resnet() -> Experiment:
    """MONAI's 3D ResNet for the LV ejection fraction, trained like `ef_vit`, for comparison."""
    return replace(ef_vit(), name="ef-resnet", architecture="resnet", network=_resnet(1))


def disease_vit() -> Experiment:
    """ConvViT for the five groups of ACDC."""
    task = ScalarConfig(kind="classify", target="group", classes=_GROUPS, grids={View.SAX: _GRID})
    return Experiment(name="disease-vit", task=task, architecture="conv_vit", network=_vit(len(_GROUPS)), train=_TRAIN)


def disease_resnet() -> Experiment:
    """MONAI's 3D ResNet for the five groups of ACDC, trained like `disease_vit`, for comparison."""
    return replace(disease_vit(), name="disease-resnet", architecture="resnet", network=_resnet(len(_GROUPS)))


def with_target(experiment: Experiment, target: str, studies: Sequence[AnnotatedStudy]) -> Experiment:
    """Return the experiment with another target: a number, or a class with the values it has in the training studies.

    Raises `UsageError` if its task has no single target, `InputError` if the studies have fewer than two classes.
    """
    task = experiment.task
    if not isinstance(task, ScalarConfig):
        raise UsageError(
            f"recipe '{experiment.name}' has no single target; expected one for regress or classify, or no --target"
        )
    if task.kind == "regress":
        return replace(experiment, task=replace(task, target=target))
    values = {value for study in studies if (value := target_value(study, target)) is not None}
    classes = tuple(sorted(value if isinstance(value, str) else f"{value:g}" for value in values))
    if len(classes) < 2:
        raise InputError(
            f"'{target}' has the values {list(classes)} in {len(studies)} studies; expected two or more classes"
        )
    network = replace(experiment.network, out_chans=len(classes))
    return replace(experiment, task=replace(task, target=target, classes=classes), network=network)


def _vit(out_chans: int) -> ConvViTConfig:
    sizes = {str(View.SAX): (*_GRID.size, _GRID.n_slices or 1)}
    return ConvViTConfig(
        image_sizes=sizes, out_chans=out_chans, in_chans=2, stem=SMALL_STEM, vit=vit_size("small"), read="all"
    )


def _resnet(out_chans: int) -> ResNetConfig:
    return ResNetConfig(view=str(View.SAX), in_chans=2, out_chans=out_chans)
