"""A whole training run: studies in, a model folder that `cinema analyse --model` takes out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import nn

from cinema_cmr.core.card import ModelCard
from cinema_cmr.core.errors import InputError, UsageError, WeightsError
from cinema_cmr.data.cases import AnnotatedStudy, DatasetCard, Split
from cinema_cmr.engine.trainer import Progress, train
from cinema_cmr.models.adapters import Adaptation, adapt, merge_adapters
from cinema_cmr.models.architectures import build, config_values
from cinema_cmr.models.loaded import LoadedModel
from cinema_cmr.models.transplant import transplant
from cinema_cmr.models.weights import save_model
from cinema_cmr.recipes.experiment import Experiment
from cinema_cmr.tasks.registry import create_task
from cinema_cmr.tasks.task import CardFields

__all__ = ["TrainingData", "finetune"]


@dataclass(frozen=True, kw_only=True)
class TrainingData:
    """Annotated studies of a dataset, divided by its split."""

    card: DatasetCard
    split: Split
    train: Sequence[AnnotatedStudy]
    val: Sequence[AnnotatedStudy]

    def __post_init__(self) -> None:
        if not self.train:
            raise InputError(f"no study of '{self.card.name}' to learn from; expected images with masks beside them")
        shared = {study.patient for study in self.train} & {study.patient for study in self.val}
        if shared:
            raise InputError(f"{len(shared)} patients are in both parts of the split, e.g. {sorted(shared)[0]}")


def finetune(
    experiment: Experiment,
    data: TrainingData,
    folder: Path,
    *,
    start: LoadedModel | None = None,
    adaptation: Adaptation | None = None,
    report: Callable[[Progress], None] | None = None,
) -> Path:
    """Train (or go on with a run cut off in `folder`) and save the model to `folder/model`; returns that path.

    `start` gives the first weights: a model of the experiment's architecture and configuration, or a pre-trained
    autoencoder, of which stems and encoder are taken; `WeightsError` where it fits neither way. With `adaptation`
    these stay as they are; adapters are merged into plain weights before the model is saved.
    """
    if adaptation is not None and start is None:
        raise UsageError("a frozen encoder of random weights knows nothing; give weights to start from")
    config = experiment.train
    if start is None:  # nothing is there to be kept
        config = replace(config, optim=replace(config.optim, layer_decay=1.0))
    torch.manual_seed(config.seed)
    model = _first_model(experiment, start)
    if adaptation is not None:
        adapt(model, adaptation)
    task = create_task(experiment.task, model, data.train)
    parts = [[example for study in part for example in task.examples(study)] for part in (data.train, data.val)]
    if not parts[0]:
        raise InputError(f"none of {len(data.train)} studies tells what recipe '{experiment.name}' learns")
    last: list[Progress] = []

    def keep(progress: Progress) -> None:
        last[:] = [progress] if progress.validation else last
        if report is not None:
            report(progress)

    trained = train(task, train=task.oversampled(parts[0]), val=parts[1], config=config, folder=folder, report=keep)
    merge_adapters(trained)
    card = _card(
        experiment,
        task.card_fields(),
        data=data,
        start=start,
        learned="all weights" if adaptation is None else adaptation.title,
        scores=last[0].validation if last else None,
    )
    return save_model(
        folder / "model",
        trained,
        card,
        precision="float16",
        overwrite=True,
    )


def _first_model(experiment: Experiment, start: LoadedModel | None) -> nn.Module:
    values = config_values(experiment.network)
    model = build(experiment.architecture, values)
    if start is None:
        return model
    if start.card.task == "pretrain":
        transplant(start.model.state_dict(), model)
        return model
    described = (experiment.architecture, values)
    members = start.members.values()
    fitting = [one.model for one in members if (one.card.architecture, dict(one.card.config)) == described]
    if not fitting:
        raise WeightsError(
            f"weights '{start.card.name}' are of {start.card.architecture} in another size than recipe "
            f"'{experiment.name}' ({experiment.architecture}); choose the recipe they were made with"
        )
    model.load_state_dict(fitting[0].state_dict())
    return model


def _card(
    experiment: Experiment,
    part: CardFields,
    *,
    data: TrainingData,
    start: LoadedModel | None,
    learned: str,
    scores: dict[str, float] | None,
) -> ModelCard:
    config = experiment.train
    training: dict[str, Any] = {
        "data": data.card.title,
        "citation": data.card.citation,
        "split_sha256": data.split.sha256,
        "n_studies": len(data.train),
        "recipe": experiment.name,
        "start": "random weights" if start is None else f"{start.card.name} {start.card.weights_sha256[:12]}",
        "learned": learned,
        "seed": config.seed,
        "n_steps": config.n_steps,
        "precision": config.precision,
        "validation_around_label": scores,
        "versions": {name: version(name) for name in ("cinema-cmr", "torch")},
    }
    return ModelCard(
        name=experiment.name,
        task=part.task,
        architecture=experiment.architecture,
        config=config_values(experiment.network),
        grids=part.grids,
        outputs=part.outputs,
        label_scheme=part.label_scheme,
        modality=part.modality,
        tta=part.tta,
        logit_offsets=part.logit_offsets,
        training={**training, **part.training},
        licence=data.card.derived_licence or data.card.licence,
    )
