"""Which sample comes when: every one once an epoch, its draws a pure function of (seed, epoch, sample)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, TypeVar

import numpy as np
from torch.utils.data import DataLoader, Dataset, Sampler

from cinema_cmr.core.errors import UsageError
from cinema_cmr.data.sample import Sample, collate

__all__ = ["EpochSampler", "SampleSet", "make_loader"]

Example = TypeVar("Example")
Place = tuple[int, int]


class SampleSet(Dataset[Sample], Generic[Example]):
    """Examples and the function that makes a sample of one; indexed by (epoch, index)."""

    def __init__(
        self,
        examples: Sequence[Example],
        sample: Callable[[Example, np.random.Generator | None], Sample],
        *,
        seed: int | None,
    ) -> None:
        self.examples = examples
        self.sample = sample
        self.seed = seed
        """None: nothing is drawn, as for validation."""

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, place: Place) -> Sample:
        epoch, index = place
        rng = None if self.seed is None else np.random.default_rng((self.seed, epoch, index))
        return self.sample(self.examples[index], rng)


class EpochSampler(Sampler[Place]):
    """Places (epoch, index) from a given position on, without end: each epoch is another permutation.

    With several ranks, rank r takes every n-th place of the one common order.
    """

    def __init__(self, n_examples: int, *, seed: int, start: int = 0, rank: int = 0, world_size: int = 1) -> None:
        if n_examples < 1 or not 0 <= rank < world_size:
            raise UsageError(f"{n_examples} examples for rank {rank} of {world_size}; expected at least one of each")
        self.n_examples, self.seed, self.start = n_examples, seed, start
        self.rank, self.world_size = rank, world_size

    def __iter__(self) -> Iterator[Place]:
        position = self.start + self.rank
        order, of_epoch = np.empty(0, np.int64), -1
        while True:
            epoch, index = divmod(position, self.n_examples)
            if epoch != of_epoch:
                order, of_epoch = (
                    np.random.default_rng((self.seed, epoch)).permutation(self.n_examples),
                    epoch,
                )
            yield epoch, int(order[index])
            position += self.world_size


def make_loader(
    samples: SampleSet[Example],
    sampler: EpochSampler,
    *,
    batch_size: int,
    workers: int,
    collate_fn: Callable[[Sequence[Sample]], Any] = collate,
) -> DataLoader[Sample]:
    """A loader that gives `Batch`es in the sampler's order, the same for any number of workers.

    `collate_fn` makes of the samples of a batch what the loader gives: a `Batch` with `data.sample.collate`.
    """
    return DataLoader(
        samples,
        batch_size=batch_size,
        sampler=sampler,
        num_workers=workers,
        collate_fn=collate_fn,
        persistent_workers=workers > 0,
    )
