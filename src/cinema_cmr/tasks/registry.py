"""The tasks by name: the only module that knows them all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from torch import nn

from cinema_cmr.core.errors import unknown_name
from cinema_cmr.data.cases import AnnotatedStudy
from cinema_cmr.tasks.landmark import LandmarkConfig, LandmarkTask
from cinema_cmr.tasks.pretrain import PretrainConfig, PretrainTask
from cinema_cmr.tasks.scalar import ScalarConfig, ScalarTask
from cinema_cmr.tasks.segment import SegmentConfig, SegmentTask
from cinema_cmr.tasks.task import Task

__all__ = ["TASKS", "TaskConfig", "TaskType", "create_task", "task_type"]


class TaskConfig(Protocol):
    """The configuration of a task: any dataclass that gives the task's name."""

    @property
    def task_name(self) -> str:
        """Key of `TASKS`."""


@dataclass(frozen=True, kw_only=True)
class TaskType:
    """One kind of task."""

    config: type[Any]
    """Configuration class, a frozen dataclass: a run's config.yaml is read into it."""
    create: Callable[[Any, nn.Module, Sequence[AnnotatedStudy]], Task[Any]]
    """Configuration, network and training studies -> task."""
    needs_annotations: bool = False
    """Whether training needs masks or landmarks, so that studies without any are left out."""


TASKS: dict[str, TaskType] = {
    "segment": TaskType(
        config=SegmentConfig,
        create=lambda config, network, studies: SegmentTask(config, network),
        needs_annotations=True,
    ),
    "landmark": TaskType(
        config=LandmarkConfig,
        create=lambda config, network, studies: LandmarkTask(config, network),
        needs_annotations=True,
    ),
    "regress": TaskType(config=ScalarConfig, create=ScalarTask.of),
    "classify": TaskType(config=ScalarConfig, create=ScalarTask.of),
    "pretrain": TaskType(config=PretrainConfig, create=lambda config, network, studies: PretrainTask(config, network)),
}
"""Task by the name in a card. To add one: its file, and a line here."""


def task_type(name: str) -> TaskType:
    """Return the task of a name; raises `UsageError` for an unknown one."""
    if name not in TASKS:
        raise unknown_name("task", name, TASKS)
    return TASKS[name]


def create_task(config: TaskConfig, network: nn.Module, studies: Sequence[AnnotatedStudy] = ()) -> Task[Any]:
    """Return the task of a configuration around a network.

    `studies`: training studies, from which a regression takes mean and standard deviation of its target.
    """
    return task_type(config.task_name).create(config, network, studies)
