"""The base class of all tasks: the module that a run trains, with its samples, its loss and its quick scores."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, Literal, NamedTuple, Self, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from cinema_cmr.core.card import Grid, TaskName
from cinema_cmr.core.errors import UsageError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.data.cases import AnnotatedStudy
from cinema_cmr.data.sample import Batch, Sample

__all__ = ["CardFields", "Loss", "Task"]


class Loss(NamedTuple):
    """The loss of a batch; a named tuple, which wrappers of a module pass through."""

    total: Tensor
    """Minimised in training."""
    parts: Mapping[str, float] = {}
    """The terms of the total."""


@dataclass(frozen=True, kw_only=True)
class CardFields:
    """The fields of a model's card that depend on its task: see `core.card.ModelCard`."""

    task: TaskName
    grids: Mapping[View, Grid]
    outputs: tuple[str, ...] = ()
    label_scheme: str = "cine"
    modality: Literal["cine", "lge"] = "cine"
    tta: int = 1
    logit_offsets: Mapping[str, float] = field(default_factory=dict)
    training: Mapping[str, object] = field(default_factory=dict)
    """Added to the card's record of the training, e.g. mean and standard deviation of the target."""


Example = TypeVar("Example")


class Task(nn.Module, ABC, Generic[Example]):
    """A network together with its samples, its loss and its quick scores: the module that the training loop wraps.

    A subclass states `examples`, `sample`, `loss`, `validate` and `card_fields`; `tasks.registry` lists the tasks.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    @abstractmethod
    def examples(self, annotated: AnnotatedStudy) -> Sequence[Example]:
        """Return a study's training examples, prepared as far as does not change from epoch to epoch.

        None of a study that has nothing to learn from.
        """

    def check_examples(self, examples: Sequence[Example]) -> None:
        """Raise `InputError` if the training examples of a run cannot teach what the task predicts; none by default."""

    def oversampled(self, examples: Sequence[Example]) -> Sequence[Example]:
        """Return the training examples with rare ones repeated; unchanged by default."""
        return examples

    @abstractmethod
    def sample(self, example: Example, rng: np.random.Generator | None) -> Sample:
        """Return one sample, augmented by draws from `rng`; with None as in prediction."""

    def forward(self, *batches: Batch) -> Loss:
        """Return the mean loss over the samples of one pass, whose batches may differ in their views."""
        losses = [self.loss(batch) for batch in batches]
        n = sum(len(batch.names) for batch in batches)
        weights = [len(batch.names) / n for batch in batches]
        total = torch.stack([loss.total * weight for loss, weight in zip(losses, weights, strict=True)]).sum()
        names = dict.fromkeys(name for loss in losses for name in loss.parts)
        parts = {
            name: sum(loss.parts.get(name, 0.0) * weight for loss, weight in zip(losses, weights, strict=True))
            for name in names
        }
        return Loss(total, parts)

    @abstractmethod
    def loss(self, batch: Batch) -> Loss:
        """Run the network on a batch and return the mean loss over its samples."""

    @abstractmethod
    def validate(self, batch: Batch) -> Mapping[str, Sequence[float]]:
        """Return quick scores of each sample of a batch, computed on the model's own grid."""

    def validation_score(self, scores: Mapping[str, float]) -> float:
        """Return one number of the mean quick scores by which a run with patience chooses its weights.

        Higher is better; NaN if none of `scores` is a number. Each task states its own: without one there is no
        patience, and this raises `UsageError`.
        """
        raise UsageError(f"{type(self).__name__} has no validation_score; expected one to choose weights by")

    @abstractmethod
    def card_fields(self) -> CardFields:
        """Return the task's part of the card of a model trained on it."""

    def without_network(self) -> Self:
        """Return a copy that makes samples only, cheap to send to worker processes."""
        twin = copy.copy(self)
        twin._modules = {}
        return twin
