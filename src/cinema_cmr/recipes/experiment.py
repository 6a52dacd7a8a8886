"""What a run that learns from labels is made of, whatever its task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from cinema_cmr.data.cases import AnnotatedStudy
from cinema_cmr.engine.trainer import TrainConfig
from cinema_cmr.tasks.landmark import LandmarkConfig, LandmarkTask
from cinema_cmr.tasks.scalar import ScalarConfig, ScalarTask
from cinema_cmr.tasks.segment import SegmentConfig, SegmentTask
from cinema_cmr.tasks.task import LabelledTask

__all__ = ["Experiment"]


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """What a run is made of, apart from its data and its folder."""

    name: str
    task: SegmentConfig | LandmarkConfig | ScalarConfig
    architecture: str
    """Name in `models.architectures`."""
    network: Any
    """The architecture's own configuration."""
    train: TrainConfig

    def with_train(self, **changes: Any) -> Experiment:
        """The same experiment with other numbers in its training configuration."""
        return replace(self, train=replace(self.train, **changes))

    def make_task(self, learn: Sequence[AnnotatedStudy]) -> LabelledTask[Any]:
        """The task, which may take the mean and spread of its target from what is learned from."""
        if isinstance(self.task, SegmentConfig):
            return SegmentTask(self.task)
        if isinstance(self.task, LandmarkConfig):
            return LandmarkTask(self.task)
        return ScalarTask.of(self.task, learn)
