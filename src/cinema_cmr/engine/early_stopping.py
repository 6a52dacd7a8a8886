"""Early stopping: the best validation of a run, its weights, and when the run ends without a better one."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

from torch import Tensor

from cinema_cmr.core.errors import UsageError
from cinema_cmr.tasks.task import Task

__all__ = ["BestValidation", "EarlyStopping", "StoppingState", "check_early_stopping"]


@dataclass(frozen=True, kw_only=True)
class BestValidation:
    """Validation with the highest score of a run so far."""

    step: int
    """Updates of the weights before it."""
    score: float
    """The task's `validation_score`; higher is better."""
    scores: Mapping[str, float]
    """Mean quick scores of the held-out studies."""


class StoppingState(TypedDict):
    """State of early stopping in a checkpoint."""

    step: int
    score: float
    scores: dict[str, float]
    weights: dict[str, Tensor]
    """Averaged weights of the best validation, gathered."""
    n_without_improvement: int


class EarlyStopping:
    """Best validation of a run, its weights, and the number of validations since without a better one.

    A score that is equal or NaN is no improvement. `patience` is at least 1.
    """

    def __init__(self, patience: int) -> None:
        self.patience = patience
        self.best: BestValidation | None = None
        self.weights: dict[str, Tensor] = {}
        self.n_without_improvement = 0

    @property
    def is_over(self) -> bool:
        """Whether the run ends, as so many validations in a row were no better than the best."""
        return self.n_without_improvement >= self.patience

    def observe(
        self, step: int, score: float, scores: Mapping[str, float], weights: Callable[[], Mapping[str, Tensor]]
    ) -> None:
        """Record a validation; `weights` returns those that were validated, and is called if they are the best so far.

        Raises `UsageError` if the first score is NaN, as nothing can be chosen then.
        """
        if self.best is None and math.isnan(score):
            raise UsageError(
                f"the held-out studies have no score at step {step} ({', '.join(scores) or 'no values'} undefined);"
                " patience needs one: hold out studies that are labelled, or train without patience in another folder"
            )
        if self.best is None or score > self.best.score:
            self.best = BestValidation(step=step, score=score, scores=dict(scores))
            # A copy on the CPU: the average moves on, and a GPU's memory is for training.
            self.weights = {name: value.detach().to("cpu", copy=True) for name, value in weights().items()}
            self.n_without_improvement = 0
        else:
            self.n_without_improvement += 1

    def reason(self, step: int) -> str:
        """Return why a run ended at a step, in words; empty if it did not end early."""
        if self.best is None or not self.is_over:
            return ""
        n = self.n_without_improvement
        return f"stopped at step {step}: no better than step {self.best.step} for {n} validation{'s' * (n > 1)}"

    def state(self) -> StoppingState | None:
        """Return the state for a checkpoint; None before the first validation."""
        if self.best is None:
            return None
        return {
            "step": self.best.step,
            "score": self.best.score,
            "scores": dict(self.best.scores),
            "weights": self.weights,
            "n_without_improvement": self.n_without_improvement,
        }

    def load(self, state: StoppingState) -> None:
        """Restore the state of a checkpoint."""
        self.best = BestValidation(step=state["step"], score=state["score"], scores=state["scores"])
        self.weights = state["weights"]
        self.n_without_improvement = state["n_without_improvement"]


def check_early_stopping(task: Task[Any], val: Sequence[Any]) -> None:
    """Raise `UsageError` unless a run with patience has studies and a score to choose by."""
    if not val:
        raise UsageError(
            "patience without held-out studies; expected some, on whose scores the run ends: hold studies out, or train"
            " without patience"
        )
    if type(task).validation_score is Task.validation_score:
        raise UsageError(f"patience with a {type(task).__name__}; expected a task that states its validation_score")
