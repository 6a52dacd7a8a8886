"""The base class of tasks: a pass of several batches has the loss and the gradient of their samples together."""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence

import numpy as np
import pytest
import torch
from torch import nn

from cinema_cmr.data.cases import AnnotatedStudy
from cinema_cmr.data.sample import Batch, Sample, collate
from cinema_cmr.tasks.task import CardFields, Loss, Task

VALUES = (1.0, 2.0, 4.0, 8.0, 16.0)


class SquareTask(Task[float]):
    """Mean square of a linear network's output."""

    def examples(self, annotated: AnnotatedStudy) -> Sequence[float]:
        return VALUES

    def sample(self, example: float, rng: np.random.Generator | None) -> Sample:
        return Sample(name=f"{example}", images={"sax": torch.full((1, 2, 2), example)})

    def loss(self, batch: Batch) -> Loss:
        total = (self.network(batch.images["sax"].flatten(1)) ** 2).mean()
        own = "first" if "1.0" in batch.names else "rest"
        return Loss(total, {"square": total.item(), own: 1.0})

    def validate(self, batch: Batch) -> Mapping[str, Sequence[float]]:
        return {"square": [0.0] * len(batch.names)}

    def card_fields(self) -> CardFields:
        return CardFields(task="regress", grids={})


@pytest.fixture
def task() -> SquareTask:
    torch.manual_seed(0)
    return SquareTask(nn.Linear(4, 1))


def batch_of(task: SquareTask, values: Sequence[float]) -> Batch:
    return collate([task.sample(value, None) for value in values])


def gradient(task: SquareTask, loss: Loss) -> torch.Tensor:
    return torch.autograd.grad(loss.total, task.network.weight)[0]


@pytest.mark.parametrize("n_first", [1, 2, 4])
def test_divided_batches_have_the_loss_and_gradient_of_the_whole(task: SquareTask, n_first: int) -> None:
    whole = task(batch_of(task, VALUES))
    divided = task(batch_of(task, VALUES[:n_first]), batch_of(task, VALUES[n_first:]))
    assert divided.total.item() == pytest.approx(whole.total.item(), rel=1e-6)
    assert divided.parts["square"] == pytest.approx(whole.parts["square"], rel=1e-6)
    assert torch.allclose(gradient(task, divided), gradient(task, whole), rtol=1e-5)


def test_term_of_one_batch_counts_by_its_share_of_the_samples(task: SquareTask) -> None:
    parts = task(batch_of(task, VALUES[:2]), batch_of(task, VALUES[2:])).parts
    assert list(parts) == ["square", "first", "rest"]
    assert (parts["first"], parts["rest"]) == pytest.approx((2 / 5, 3 / 5))


def test_copy_without_network_makes_the_same_samples_and_is_small(task: SquareTask) -> None:
    task.network = nn.Linear(1000, 100)
    twin = task.without_network()
    assert not list(twin.parameters()) and len(list(task.parameters())) == 2
    assert len(pickle.dumps(twin)) < 0.01 * len(pickle.dumps(task))
    for value in VALUES:
        assert torch.equal(twin.sample(value, None).images["sax"], task.sample(value, None).images["sax"])


def test_examples_are_not_repeated_by_default(task: SquareTask) -> None:
    assert list(task.oversampled(VALUES)) == list(VALUES)
