"""What a loaded model of a task does with annotated studies: predict, score, summarise."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cinema_cmr.core.card import ModelCard
from cinema_cmr.core.errors import UsageError
from cinema_cmr.core.results import LandmarkPrediction, Prediction
from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import View
from cinema_cmr.data.cases import AnnotatedStudy
from cinema_cmr.tasks.result import Result, Summary, summarise

__all__ = ["Evaluator", "PredictionOptions", "StudyPrediction"]

StudyPrediction = Mapping[View, Prediction] | Mapping[View, LandmarkPrediction] | Mapping[str, float]
"""View -> masks or landmarks, or output -> number or class probability."""


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

    def predict(self, study: Study) -> StudyPrediction:
        """Predict a study on its own grid; raises `UsageError` for a task without a prediction, such as "pretrain"."""
        raise UsageError(
            f"model '{self.card.name}' ({self.card.architecture}) has no prediction for a study; expected a model of"
            " masks, landmarks, a number or a class"
        )

    @abstractmethod
    def not_scorable(self, annotated: AnnotatedStudy) -> str | None:
        """Return why a study cannot be scored; None where it can."""

    @abstractmethod
    def evaluate(self, annotated: AnnotatedStudy) -> Result:
        """Predict a study and score the prediction."""

    def summarise(self, results: Sequence[Result], *, seed: int = 0) -> Summary:
        """Summarise results over patients."""
        return summarise(results, seed=seed)
