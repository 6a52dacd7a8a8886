"""What a run that learns from labels is made of, whatever its task."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from cinema_cmr.engine.trainer import TrainConfig
from cinema_cmr.tasks.landmark import LandmarkConfig
from cinema_cmr.tasks.scalar import ScalarConfig
from cinema_cmr.tasks.segment import SegmentConfig

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
