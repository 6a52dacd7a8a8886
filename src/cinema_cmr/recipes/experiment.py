"""The configuration of a training run, fine-tuning or pre-training: everything but its data and its folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from cinema_cmr.core.card import Grid
from cinema_cmr.core.errors import UsageError, unknown_name
from cinema_cmr.core.serialise import Json, from_dict, to_dict
from cinema_cmr.core.vocabulary import View
from cinema_cmr.engine.trainer import TrainConfig
from cinema_cmr.inference.runtime import choose_runtime
from cinema_cmr.models.adapters import Adaptation
from cinema_cmr.models.architectures import config_from_values
from cinema_cmr.models.cards import Precision
from cinema_cmr.tasks.registry import TaskConfig, task_type

__all__ = ["Experiment"]


@dataclass(frozen=True, kw_only=True)
class _Settings:
    name: str
    """Recipe that the experiment was made from."""
    architecture: str
    """Name in `models.architectures`."""
    start: str | None = None
    """Name or path of the model whose weights training starts from; None starts from random weights."""
    adaptation: Adaptation | None = None
    """Freezes the part taken from `start`; None trains all weights."""
    model_name: str = ""
    """Name in the card of the trained model; the experiment's own if empty."""
    author: str = ""
    """Author in that card."""
    description: str = ""
    """Description in that card."""
    save_precision: Precision = "float16"
    """Number format of the saved weights."""


@dataclass(frozen=True, kw_only=True)
class Experiment(_Settings):
    """A training run apart from its data and its folder."""

    task: TaskConfig
    network: Any
    """Configuration of the architecture."""
    train: TrainConfig

    def with_train(self, **changes: Any) -> Experiment:
        """Return a copy with changes to its training configuration."""
        return replace(self, train=replace(self.train, **changes))

    def with_optim(self, **changes: Any) -> Experiment:
        """Return a copy with changes to its optimiser."""
        return self.with_train(optim=replace(self.train.optim, **changes))

    def with_task(self, **changes: Any) -> Experiment:
        """Return a copy with changes to its task configuration."""
        return replace(self, task=replace(self.task, **changes))  # type: ignore[type-var]

    def with_grids(self, change: Callable[[View, Grid], Grid]) -> Experiment:
        """Return a copy whose task has another grid for each view; the network is left as it is."""
        task: Any = self.task
        if hasattr(task, "grid"):
            return self.with_task(grid=change(task.view, task.grid))
        return self.with_task(grids={view: change(view, grid) for view, grid in task.grids.items()})

    def with_values(self, changes: Mapping[str, Json]) -> Experiment:
        """Return a copy with plain values at dotted paths, e.g. `{"train.optim.lr": 1e-4}`.

        Raises `UsageError` for a path that does not exist, with the nearest known name, and for a value of another
        type.
        """
        values = self.to_values()
        for path, value in changes.items():
            _set_at(values, path, value)
        return Experiment.from_values(values)

    def resolved(self, *, start: str | None) -> Experiment:
        """Return the experiment as it is run on this machine from these weights: nothing is left to "auto"."""
        runtime = choose_runtime(self.train.accelerator, self.train.precision)
        experiment = replace(self, start=start).with_train(accelerator=runtime.device, precision=runtime.precision)
        # Random weights have no pre-trained layers to keep.
        return experiment if start is not None else experiment.with_optim(layer_decay=1.0)

    def to_values(self) -> dict[str, Json]:
        """Return the experiment as plain values, as config.yaml records it."""
        task: dict[str, Json] = {"task_name": self.task.task_name, **to_dict(self.task, "experiment.task")}
        return {**to_dict(self, "experiment"), "task": task}

    @classmethod
    def from_values(cls, values: Mapping[str, object]) -> Experiment:
        """Return the experiment that `to_values` described; raises `UsageError` for unknown or ill-typed values."""
        if not isinstance(values, Mapping):
            raise UsageError(f"experiment is a {type(values).__name__}; expected a mapping of names to values")
        missing = [name for name in ("task", "architecture", "network", "train") if name not in values]
        if missing:
            raise UsageError(f"experiment lacks {', '.join(missing)}; expected a config.yaml that a run wrote")
        parts = {name: values[name] for name in ("task", "network", "train")}
        own = from_dict(_Settings, {name: value for name, value in values.items() if name not in parts}, "experiment")
        return cls(
            task=_task_from_values(parts["task"]),
            network=config_from_values(own.architecture, parts["network"]),
            train=from_dict(TrainConfig, parts["train"], "train"),
            **vars(own),
        )


def _task_from_values(values: object) -> TaskConfig:
    if not isinstance(values, Mapping) or "task_name" not in values:
        raise UsageError("experiment's task has no task_name; expected a config.yaml that a run wrote")
    given = {name: value for name, value in values.items() if name != "task_name"}
    config: TaskConfig = from_dict(task_type(values["task_name"]).config, given, "task")
    return config


def _set_at(values: dict[str, Json], path: str, value: Json) -> None:
    """Set the value at a dotted path of nested mappings."""
    *parents, last = path.split(".")
    place = values
    for name in parents:
        place = _below(place, name, path)
    _check_name(place, last, path)
    place[last] = value


def _below(values: dict[str, Json], name: str, path: str) -> dict[str, Json]:
    _check_name(values, name, path)
    inner = values[name]
    if not isinstance(inner, dict):
        raise UsageError(f"'{path}' goes below a single value; expected a path like train.optim.lr")
    return inner


def _check_name(values: dict[str, Json], name: str, path: str) -> None:
    if name not in values:
        raise unknown_name(f"name in '{path}'", name, values)
