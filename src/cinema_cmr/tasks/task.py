"""What the trainer, the recipes and the benchmark know of a task, whatever it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeVar

import numpy as np
from torch import Tensor, nn

from cinema_cmr.core.card import Grid
from cinema_cmr.core.vocabulary import View
from cinema_cmr.data.cases import AnnotatedStudy
from cinema_cmr.data.sample import Batch, Sample

__all__ = ["CardPart", "LabelledTask", "Loss", "Task"]


@dataclass(frozen=True, kw_only=True)
class Loss:
    """`total` is what is minimised; `parts` are its terms, for the journal."""

    total: Tensor
    parts: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class CardPart:
    """What a task says in the card of a model that learned it: see `core.card.ModelCard`."""

    task: Literal["segment", "landmark", "classify", "regress"]
    grids: Mapping[View, Grid]
    outputs: tuple[str, ...]
    label_scheme: str = "cine"
    modality: Literal["cine", "lge"] = "cine"
    tta: int = 1
    logit_offsets: Mapping[str, float] = field(default_factory=dict)
    training: Mapping[str, object] = field(default_factory=dict)
    """Added to what the card tells of the training, e.g. the target's mean and spread."""


Example = TypeVar("Example")


class Task(Protocol[Example]):
    """A task turns annotated studies into samples, says how wrong a model's answer is, and scores it."""

    def examples(self, annotated: AnnotatedStudy) -> Sequence[Example]:
        """What one study gives to learn from, with the work done that need not be done again each epoch."""

    def sample(self, example: Example, rng: np.random.Generator | None) -> Sample:
        """One sample, augmented by what `rng` draws; None: as in prediction."""

    def loss(self, model: nn.Module, batch: Batch) -> Loss:
        """The loss of a batch."""

    def validation(self, model: nn.Module, batch: Batch) -> Mapping[str, Sequence[float]]:
        """Quick scores of each sample of a batch, on the model's own grid, to watch a run by."""


class LabelledTask(Task[Example], Protocol[Example]):
    """A task that is learned from what experts said of studies, and whose model is shipped with a card."""

    def to_learn(self, examples: Sequence[Example]) -> Sequence[Example]:
        """The examples as they are learned from: rare ones may stand there several times."""

    def card_part(self) -> CardPart:
        """What stands in the card of a model that learned the task."""
