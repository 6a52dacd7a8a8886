"""The order of samples and their draws: once an epoch each, the same for any workers, from any position."""

from __future__ import annotations

import itertools
import signal

import numpy as np
import pytest
import torch

from cinema_cmr.core.errors import UsageError
from cinema_cmr.data.loader import EpochSampler, SampleSet, make_loader
from cinema_cmr.data.sample import Batch, Sample

N = 7


def first(n: int, **settings: int) -> list[tuple[int, int]]:
    return list(itertools.islice(EpochSampler(N, **{"seed": 3, **settings}), n))


def drawn_sample(example: int, rng: np.random.Generator | None) -> Sample:
    value = -1.0 if rng is None else float(rng.random())
    return Sample(name=f"example {example}", images={"sax": torch.full((1, 2, 2, 1), value)})


def interrupted_sample(example: int, rng: np.random.Generator | None) -> Sample:
    signal.raise_signal(signal.SIGINT)
    return drawn_sample(example, rng)


def batches(workers: int, *, n: int = 9, start: int = 0) -> list[Batch]:
    samples = SampleSet(list(range(N)), drawn_sample, seed=3)
    loader = make_loader(samples, EpochSampler(N, seed=3, start=start), batch_size=2, workers=workers)
    iterator = iter(loader)
    taken: list[Batch] = list(itertools.islice(iterator, n))  # type: ignore[arg-type]
    return taken


def test_every_sample_comes_once_an_epoch_in_another_order_each_time() -> None:
    places = first(3 * N)
    orders = []
    for epoch in range(3):
        of_epoch = places[epoch * N : (epoch + 1) * N]
        assert {place[0] for place in of_epoch} == {epoch}
        assert sorted(index for _, index in of_epoch) == list(range(N))
        orders.append([index for _, index in of_epoch])
    assert orders[0] != orders[1] != orders[2]


def test_a_resumed_order_continues() -> None:
    whole = first(4 * N)
    for start in (1, N - 1, N, 2 * N + 3):
        assert first(N, start=start) == whole[start : start + N]


def test_ranks_share_out_the_one_order() -> None:
    whole = first(4 * N)
    ranks = [first(2 * N, rank=rank, world_size=2) for rank in (0, 1)]
    assert [place for pair in zip(*ranks, strict=True) for place in pair] == whole


def test_draws_are_the_same_with_and_without_workers() -> None:
    alone, helped = batches(0), batches(2)
    for a, b in zip(alone, helped, strict=True):
        assert a.names == b.names and torch.equal(a.images["sax"], b.images["sax"])


def test_workers_leave_an_interrupt_to_the_process_that_trains() -> None:
    """Ctrl-C reaches the workers of a terminal too: one that ended by it took the run with it."""
    samples = SampleSet(list(range(N)), interrupted_sample, seed=3)
    (batch,) = itertools.islice(make_loader(samples, EpochSampler(N, seed=3), batch_size=2, workers=1), 1)
    assert len(batch.names) == 2


def test_no_two_samples_and_no_two_epochs_share_a_draw() -> None:
    values = torch.cat([batch.images["sax"][:, 0, 0, 0, 0] for batch in batches(0, n=14)])
    assert len(set(values.tolist())) == 28


def test_a_draw_depends_on_epoch_and_index_only() -> None:
    whole, later = batches(0, n=9), batches(0, n=5, start=8)
    for a, b in zip(whole[4:], later, strict=True):
        assert a.names == b.names and torch.equal(a.images["sax"], b.images["sax"])


def test_without_a_seed_nothing_is_drawn() -> None:
    samples = SampleSet([0, 1], drawn_sample, seed=None)
    assert len(samples) == 2 and float(samples[(5, 1)].images["sax"].max()) == -1.0


def test_nothing_to_learn_from_is_refused() -> None:
    with pytest.raises(UsageError, match="at least one"):
        EpochSampler(0, seed=0)
    with pytest.raises(UsageError, match="rank 2 of 2"):
        EpochSampler(3, seed=0, rank=2, world_size=2)
