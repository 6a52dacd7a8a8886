"""How a published configuration states each task: one table, for reading and for writing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from cinema_cmr.core.card import ModelCard, OutputKind, TaskName
from cinema_cmr.core.errors import UsageError
from cinema_cmr.core.vocabulary import CINE_LABELS, LANDMARKS, View
from cinema_cmr.models.published.settings import Settings

__all__ = ["LANDMARK_DATA", "PublishedTask", "task_of_card", "task_of_settings"]

LANDMARK_DATA = "landmark"
"""Value of `data.name` that makes a segmentation or a regression one of landmarks."""

Facts = dict[str, object]


def _no_outputs(_settings: Settings, _views: Sequence[View]) -> tuple[str, ...]:
    return ()


def _class_labels(_settings: Settings, _views: Sequence[View]) -> tuple[str, ...]:
    return ("background", *(label.name for label in CINE_LABELS))


def _class_names(settings: Settings, _views: Sequence[View]) -> tuple[str, ...]:
    return settings.names(f"data.{settings.text('data.class_column')}")


def _number_name(settings: Settings, _views: Sequence[View]) -> tuple[str, ...]:
    return (settings.text("data.regression_column"),)


def _landmark_names(_settings: Settings, views: Sequence[View]) -> tuple[str, ...]:
    return LANDMARKS.get(views[0], ())


def _landmark_coordinates(_settings: Settings, views: Sequence[View]) -> tuple[str, ...]:
    return tuple(f"{name}_{axis}" for name in LANDMARKS.get(views[0], ()) for axis in "xy")


def _no_training(_settings: Settings) -> Facts:
    return {}


def _target_scale(settings: Settings) -> Facts:
    column = settings.text("data.regression_column")
    return {"target": {key: settings.number(f"data.{column}.{key}") for key in ("mean", "std")}}


def _no_data(_card: ModelCard) -> Facts:
    return {}


def _class_data(card: ModelCard) -> Facts:
    return {"class_column": "classes", "classes": list(card.outputs)}


def _target_data(card: ModelCard) -> Facts:
    (column,) = card.outputs
    scale = dict(card.training.get("target", {"mean": 0.0, "std": 1.0}))
    return {"regression_column": column, column: scale}


@dataclass(frozen=True, kw_only=True)
class PublishedTask:
    """One task in the words of the published configuration."""

    task: TaskName
    output_kind: OutputKind
    word: str
    """Value of `task`; an autoencoder's configuration has none."""
    is_landmark: bool = False
    """Whether `data.name` is `LANDMARK_DATA`."""
    outputs: Callable[[Settings, Sequence[View]], tuple[str, ...]]
    """Names of the outputs, from the settings and the views."""
    training: Callable[[Settings], Facts] = _no_training
    """Facts for the card's `training`, from the settings."""
    data: Callable[[ModelCard], Facts] = _no_data
    """Settings below `data`, from a card."""


_TASKS: tuple[PublishedTask, ...] = (
    PublishedTask(task="pretrain", output_kind="tokens", word="pretrain", outputs=_no_outputs),
    PublishedTask(task="segment", output_kind="classes", word="segmentation", outputs=_class_labels),
    PublishedTask(
        task="classify", output_kind="classes", word="classification", outputs=_class_names, data=_class_data
    ),
    PublishedTask(
        task="regress",
        output_kind="numbers",
        word="regression",
        outputs=_number_name,
        training=_target_scale,
        data=_target_data,
    ),
    PublishedTask(
        task="landmark", output_kind="heatmaps", word="segmentation", is_landmark=True, outputs=_landmark_names
    ),
    PublishedTask(
        task="landmark", output_kind="coordinates", word="regression", is_landmark=True, outputs=_landmark_coordinates
    ),
)


def task_of_settings(settings: Settings) -> PublishedTask:
    """Return the task of a published configuration; `UsageError` for an unknown one."""
    word, data = settings.text("task", "pretrain"), settings.text("data.name", "")
    by_word: Mapping[tuple[str, bool], PublishedTask] = {(one.word, one.is_landmark): one for one in _TASKS}
    found = by_word.get((word, data == LANDMARK_DATA)) or by_word.get((word, False))
    if found is None:
        raise UsageError(f"task is '{word}'; expected one of {sorted({one.word for one in _TASKS})}")
    return found


def task_of_card(described: ModelCard) -> PublishedTask:
    """Return how the task of a card is published."""
    wanted = described.task, described.output_kind
    return next(one for one in _TASKS if (one.task, one.output_kind) == wanted)
