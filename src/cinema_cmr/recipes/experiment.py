"""The configuration of a training run, fine-tuning or pre-training: everything but its data and its folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from cinema_cmr.core.card import Grid
from cinema_cmr.core.errors import UsageError, unknown_name
from cinema_cmr.core.serialise import from_dict, to_dict
from cinema_cmr.core.vocabulary import View
from cinema_cmr.engine.trainer import TrainConfig
from cinema_cmr.inference.runtime import choose_runtime
from cinema_cmr.models.adapters import Adaptation
from cinema_cmr.models.architectures import config_from_values
from cinema_cmr.models.cards import Precision
from cinema_cmr.tasks.registry import TaskConfig, task_type

__all__ = ["Experiment"]


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """A training run apart from its data and its folder."""

    name: str
    """Recipe that the experiment was made from."""
    task: TaskConfig
    architecture: str
    """Name in `models.architectures`."""
    network: Any
    """Configuration of that architecture."""
    train: TrainConfig
    start: str | None = None
    """Name or path of the model whose weights training starts from; None starts from random weights."""
    adaptation: Adaptation | None = None
    """Freezes the part taken from `start`; None trains all weights."""
    model_name: str = ""
    """Name in the card of the trained model; the experiment's own if empty."""
    save_precision: Precision = "float16"
    """Number format of the saved weights."""

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

    def with_values(self, changes: Mapping[str, Any]) -> Experiment:
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

    def to_values(self) -> dict[str, Any]:
        """Return the experiment as plain values, as config.yaml records it."""
        values: dict[str, Any] = to_dict(self, "experiment")
        values["task"] = {"task_name": self.task.task_name, **values["task"]}
        return values

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Experiment:
        """Return the experiment that `to_values` described; raises `UsageError` for unknown or ill-typed values."""
        if not isinstance(values, Mapping):
            raise UsageError(f"experiment is a {type(values).__name__}; expected a mapping of names to values")
        missing = [name for name in ("task", "architecture", "network", "train") if name not in values]
        if missing:
            raise UsageError(f"experiment lacks {', '.join(missing)}; expected a config.yaml that a run wrote")
        task = _task_from_values(values["task"])
        network = config_from_values(values["architecture"], values["network"])
        train = from_dict(TrainConfig, values["train"], "train")
        rest = {name: value for name, value in values.items() if name not in ("task", "network", "train")}
        if rest.get("adaptation") is not None:
            rest["adaptation"] = from_dict(Adaptation, rest["adaptation"], "adaptation")
        unknown = [name for name in rest if name not in cls.__dataclass_fields__]
        if unknown:
            raise unknown_name("key in experiment", unknown[0], cls.__dataclass_fields__)
        return cls(task=task, network=network, train=train, **rest)


def _task_from_values(values: Mapping[str, Any]) -> TaskConfig:
    if not isinstance(values, Mapping) or "task_name" not in values:
        raise UsageError("experiment's task has no task_name; expected a config.yaml that a run wrote")
    given = {name: value for name, value in values.items() if name != "task_name"}
    config: TaskConfig = from_dict(task_type(values["task_name"]).config, given, "task")
    return config


def _set_at(values: dict[str, Any], path: str, value: Any) -> None:
    """Set the value at a dotted path of nested mappings."""
    *parents, last = path.split(".")
    place = values
    for name in parents:
        place = _existing(place, name, path)
    _existing(place, last, path)
    place[last] = value


def _existing(values: Any, name: str, path: str) -> Any:
    if not isinstance(values, dict):
        raise UsageError(f"'{path}' goes below a single value; expected a path like train.optim.lr")
    if name not in values:
        raise unknown_name(f"name in '{path}'", name, values)
    return values[name]
