"""What the trainer, the predictor and the benchmark know of a task, whatever it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

import numpy as np
from torch import Tensor, nn

from cinema_cmr.data.cases import AnnotatedStudy
from cinema_cmr.data.sample import Batch, Sample

__all__ = ["Loss", "Task"]


@dataclass(frozen=True, kw_only=True)
class Loss:
    """`total` is what is minimised; `parts` are its terms, for the journal."""

    total: Tensor
    parts: Mapping[str, float] = field(default_factory=dict)


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
