"""What a loaded model of a task does with annotated studies: predict, score, summarise."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cinema_cmr.core.card import ModelCard
from cinema_cmr.core.vocabulary import View
from cinema_cmr.data.cases import AnnotatedStudy
from cinema_cmr.tasks.result import Result, Summary, summarise

__all__ = ["Evaluator", "PredictionOptions", "view_titles"]


@dataclass(frozen=True, kw_only=True)
class PredictionOptions:
    """How a model is run on the studies of an evaluation."""

    tta: int | None = None
    """Passes of test-time augmentation; None takes the card's number."""
    together: bool = False
    """Predict the labelled frames of a study as one cine, so that motion helps to find the heart; else one by one."""


class Evaluator(ABC):
    """A loaded model of one task, applied to annotated studies on their own grids."""

    card: ModelCard
    target: str | None = None
    """Fact or measurement that the model predicts, of a regression or classification."""

    @abstractmethod
    def not_scorable(self, annotated: AnnotatedStudy) -> str | None:
        """Return why a study cannot be scored; None where it can."""

    @abstractmethod
    def evaluate(self, annotated: AnnotatedStudy) -> Result:
        """Predict a study and score the prediction."""

    def summarise(self, results: Sequence[Result], *, seed: int = 0) -> Summary:
        """Summarise results over patients."""
        return summarise(results, seed=seed)


def view_titles(views: Iterable[View]) -> str:
    """Return the titles of views for a message.

    >>> view_titles([View.LAX_4C, View.LAX_2C])
    'the 4-chamber or the 2-chamber'
    """
    return " or ".join(f"the {view.title}" for view in views)
