"""An experiment makes the task that its configuration describes."""

from __future__ import annotations

import pytest
from oracles import annotated, heart
from torch import nn

from cinema_cmr.recipes.registry import recipe
from cinema_cmr.tasks.landmark import LandmarkTask
from cinema_cmr.tasks.registry import create_task
from cinema_cmr.tasks.scalar import ScalarTask
from cinema_cmr.tasks.segment import SegmentTask

STUDIES = [annotated(heart((15.0, radius)), str(radius)) for radius in (8.0, 10.0)]


@pytest.mark.parametrize(
    ("task", "kind"), [("segment", SegmentTask), ("landmark", LandmarkTask), ("regress", ScalarTask)]
)
def test_the_task_is_of_its_kind(task: str, kind: type) -> None:
    assert isinstance(create_task(recipe(task=task).task, nn.Identity(), STUDIES), kind)


def test_training_numbers_change_in_a_copy() -> None:
    first = recipe()
    assert first.with_train(n_steps=7).train.n_steps == 7 and first.train.n_steps != 7
