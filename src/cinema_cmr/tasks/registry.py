"""The tasks by name: the only module that lists them all.

To add a task: a file with its `Task`, its `Evaluator` and a call of `register`; in a package of one's own, an entry
point of the group `cinema_cmr.tasks` that names its `TaskType`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from torch import nn

from cinema_cmr.core.card import ModelCard
from cinema_cmr.core.errors import WeightsError, unknown_name
from cinema_cmr.core.plugins import load_plugin, plugin_names
from cinema_cmr.data.cases import AnnotatedStudy
from cinema_cmr.inference.runtime import Runtime
from cinema_cmr.models.loaded import LoadedModel
from cinema_cmr.tasks.evaluator import Evaluator, PredictionOptions
from cinema_cmr.tasks.landmark import LandmarkConfig, LandmarkEvaluator, LandmarkTask
from cinema_cmr.tasks.pretrain import PretrainConfig, PretrainEvaluator, PretrainTask
from cinema_cmr.tasks.scalar import ClassificationEvaluator, RegressionEvaluator, ScalarConfig, ScalarTask
from cinema_cmr.tasks.segment import SegmentConfig, SegmentEvaluator, SegmentTask
from cinema_cmr.tasks.task import Task

__all__ = ["TASKS", "TaskConfig", "TaskType", "create_evaluator", "create_task", "register", "task_type"]

_DEFAULTS = PredictionOptions()


class TaskConfig(Protocol):
    """The configuration of a task: any dataclass that gives the task's name."""

    @property
    def task_name(self) -> str:
        """Key of `TASKS`."""


@dataclass(frozen=True, kw_only=True)
class TaskType:
    """One kind of task: how it is trained, how its models are evaluated, and which score decides."""

    name: str
    config: type[Any]
    """Configuration class, a frozen dataclass: a run's config.yaml is read into it."""
    create: Callable[[Any, nn.Module, Sequence[AnnotatedStudy]], Task[Any]]
    """Configuration, network and training studies -> task."""
    evaluator: Callable[[LoadedModel, Runtime, PredictionOptions], Evaluator]
    primary: str
    """Score that comparisons rest on, chosen before any comparison."""
    primary_title: str
    higher_is_better: bool = False
    """Of the primary score."""
    compared: tuple[str, ...] = ()
    """Prefixes of the scores that are compared between two models; empty for the primary score alone."""
    compares_measurements: bool = False
    """Whether the absolute errors of measurements are compared too."""
    needs_annotations: bool = False
    """Whether training and evaluation need masks or landmarks, so that studies without any are left out."""


TASKS: dict[str, TaskType] = {}
"""Task by the name in a card."""


def register(task: TaskType) -> TaskType:
    """Add a task; one of the same name is replaced."""
    TASKS[task.name] = task
    return task


for _task in (
    TaskType(
        name="segment",
        config=SegmentConfig,
        create=lambda config, network, studies: SegmentTask(config, network),
        evaluator=SegmentEvaluator,
        primary="dice_mean",
        primary_title="mean Dice of the structures",
        higher_is_better=True,
        compared=("dice_",),
        compares_measurements=True,
        needs_annotations=True,
    ),
    TaskType(
        name="landmark",
        config=LandmarkConfig,
        create=lambda config, network, studies: LandmarkTask(config, network),
        evaluator=LandmarkEvaluator,
        primary="distance_mm",
        primary_title="distance of the landmarks in mm",
        compared=("distance_mm",),
        needs_annotations=True,
    ),
    TaskType(
        name="regress",
        config=ScalarConfig,
        create=ScalarTask.of,
        evaluator=RegressionEvaluator,
        primary="absolute_error",
        primary_title="absolute error",
    ),
    TaskType(
        name="classify",
        config=ScalarConfig,
        create=ScalarTask.of,
        evaluator=ClassificationEvaluator,
        primary="prob_of_target",
        primary_title="probability of the true class",
        higher_is_better=True,
        compared=("prob_of_target", "correct"),
    ),
    TaskType(
        name="pretrain",
        config=PretrainConfig,
        create=lambda config, network, studies: PretrainTask(config, network),
        evaluator=PretrainEvaluator,
        primary="reconstruction_error",
        primary_title="mean squared error of masked tokens",
    ),
):
    register(_task)


def task_type(task: str | ModelCard) -> TaskType:
    """Return the task of a name, or of a model's card, one of another package too.

    Raises `UsageError` or `WeightsError` for an unknown one.
    """
    name = task if isinstance(task, str) else task.task
    found = TASKS.get(name) or load_plugin("tasks", name, TaskType)
    if found is not None:
        return found
    error = unknown_name("task", name, (*TASKS, *plugin_names("tasks")))
    raise error if isinstance(task, str) else WeightsError(f"card of model '{task.name}': {error}{task.install_hint}")


def create_task(config: TaskConfig, network: nn.Module, studies: Sequence[AnnotatedStudy] = ()) -> Task[Any]:
    """Return the task of a configuration around a network.

    `studies`: training studies, from which a regression takes mean and standard deviation of its target.
    """
    return task_type(config.task_name).create(config, network, studies)


def create_evaluator(loaded: LoadedModel, runtime: Runtime, options: PredictionOptions = _DEFAULTS) -> Evaluator:
    """Return the evaluator of a loaded model's task."""
    return task_type(loaded.card).evaluator(loaded, runtime, options)
