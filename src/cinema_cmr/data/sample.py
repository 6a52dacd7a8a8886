"""What a network is given: one sample, and samples gathered to a batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from cinema_cmr.core.errors import UsageError

__all__ = ["IGNORE_INDEX", "Batch", "Sample", "collate", "collate_by_views"]

IGNORE_INDEX = 255
"""Label code of voxels that are no part of the image and count in no loss."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One study's images on its model's grid, with what is to be learned from them."""

    name: str
    """For messages; never a patient's name."""
    images: Mapping[str, Tensor]
    """View -> (c, x, y[, z]), float32."""
    labels: Mapping[str, Tensor] = field(default_factory=dict)
    """View -> (x, y[, z]), uint8."""
    values: Mapping[str, Tensor] = field(default_factory=dict)
    """Name -> numbers of a fixed shape, float32, e.g. points or what is to be predicted; NaN where not known."""


class Batch(NamedTuple):
    """Samples along a first axis; stacks of fewer slices are padded at their end with `IGNORE_INDEX` labels.

    A named tuple, which the wrappers of a module (precision, several processes) pass through.
    """

    names: tuple[str, ...]
    images: Mapping[str, Tensor]
    labels: Mapping[str, Tensor]
    values: Mapping[str, Tensor] = {}

    def to(self, device: torch.device) -> Batch:
        """The same batch on a device."""

        def moved(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
            return {name: tensor.to(device, non_blocking=True) for name, tensor in tensors.items()}

        return Batch(names=self.names, images=moved(self.images), labels=moved(self.labels), values=moved(self.values))


def collate(samples: Sequence[Sample]) -> Batch:
    """Gather samples of the same views; raises `UsageError` where they differ in views or in-plane size.

    Only stacks are padded: images (c, x, y, z) and labels (x, y, z); planes must agree in size.
    """
    if not samples:
        raise UsageError("no samples for a batch; expected at least one")
    first = samples[0]
    if any(_contents(sample) != _contents(first) for sample in samples):
        raise UsageError("the samples of a batch have different views or values; expected the same in each")
    return Batch(
        names=tuple(sample.name for sample in samples),
        images={view: _stack([s.images[view] for s in samples], 0, stack_axes=4) for view in first.images},
        labels={view: _stack([s.labels[view] for s in samples], IGNORE_INDEX, stack_axes=3) for view in first.labels},
        values={name: torch.stack([s.values[name] for s in samples]) for name in first.values},
    )


def collate_by_views(samples: Sequence[Sample]) -> list[Batch]:
    """Gather samples of any views: a batch for each set of views, in the order in which they first come.

    Samples whose labels are lists of other lengths, which nothing could pad, make batches of their own too.
    """
    groups: dict[frozenset[tuple[str, torch.Size | None]], list[Sample]] = {}
    for sample in samples:
        groups.setdefault(_kind(sample), []).append(sample)
    return [collate(group) for group in groups.values()]


def _contents(sample: Sample) -> tuple[set[str], set[str], set[str]]:
    return set(sample.images), set(sample.labels), set(sample.values)


def _kind(sample: Sample) -> frozenset[tuple[str, torch.Size | None]]:
    """What samples of one batch share: views, and how long their lists of labels are."""
    lists = {view: label.shape for view, label in sample.labels.items() if label.ndim < 3}
    return frozenset((view, lists.get(view)) for view in sample.images)


def _stack(tensors: Sequence[Tensor], fill: int, *, stack_axes: int) -> Tensor:
    fixed = {tensor.shape[:-1] if tensor.ndim == stack_axes else tensor.shape for tensor in tensors}
    if len(fixed) > 1:
        raise UsageError(
            f"sizes {[tuple(t.shape) for t in tensors]} in one batch; only the number of slices may differ"
        )
    longest = max(tensor.shape[-1] for tensor in tensors)
    return torch.stack([F.pad(tensor, (0, longest - tensor.shape[-1]), value=fill) for tensor in tensors])
