"""Order of samples: each once per epoch, with random draws as a pure function of (seed, epoch, index)."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeVar

import numpy as np
from torch.utils.data import DataLoader, Dataset, Sampler

from cinema_cmr.core.errors import UsageError
from cinema_cmr.data.sample import Batch, Sample, collate

__all__ = ["EpochSampler", "SampleSet", "make_loader"]

Example = TypeVar("Example")
EpochIndex = tuple[int, int]


class SampleSet(Dataset[Sample], Generic[Example]):
    """Examples and the function that turns one into a sample; indexed by (epoch, index)."""

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
        """None: no random draws, as for validation."""

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, epoch_index: EpochIndex) -> Sample:
        epoch, index = epoch_index
        rng = None if self.seed is None else np.random.default_rng((self.seed, epoch, index))
        return self.sample(self.examples[index], rng)


class EpochSampler(Sampler[EpochIndex]):
    """Endless sequence of (epoch, index) from a given position; each epoch is a new permutation.

    With several ranks, rank r takes every n-th element of the common order.
    """

    def __init__(self, n_examples: int, *, seed: int, start: int = 0, rank: int = 0, world_size: int = 1) -> None:
        if n_examples < 1 or not 0 <= rank < world_size:
            raise UsageError(
                f"{n_examples} examples for rank {rank} of {world_size}; expected at least one example and 0 <= rank <"
                " world size"
            )
        self.n_examples, self.seed, self.start = n_examples, seed, start
        self.rank, self.world_size = rank, world_size

    def __iter__(self) -> Iterator[EpochIndex]:
        position = self.start + self.rank
        order, order_epoch = np.empty(0, np.int64), -1
        while True:
            epoch, index = divmod(position, self.n_examples)
            if epoch != order_epoch:
                order, order_epoch = (
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
    collate_fn: Callable[[Sequence[Sample]], Batch | Sequence[Batch]] = collate,
) -> DataLoader[Sample]:
    """Return a loader of `Batch`es in the order of the sampler, identical for any number of workers.

    `collate_fn` turns the samples of a batch into the loader's output, by default a `Batch` (`data.sample.collate`).
    """
    return DataLoader(
        samples,
        batch_size=batch_size,
        sampler=sampler,
        num_workers=workers,
        collate_fn=collate_fn,
        persistent_workers=workers > 0,
        worker_init_fn=_ignore_interrupts,
    )


def _ignore_interrupts(_worker: int) -> None:
    """Leave Ctrl-C, which reaches all processes of a terminal, to the one that trains: it still needs the batches."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
