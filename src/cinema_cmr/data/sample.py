"""Network input: a sample, and samples collated to a batch."""

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
"""Label code of voxels outside the image, excluded from every loss."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Images of one study on the model's grid, with their targets."""

    name: str
    """For messages; never a patient name."""
    images: Mapping[str, Tensor]
    """View -> (c, x, y[, z]), float32."""
    labels: Mapping[str, Tensor] = field(default_factory=dict)
    """View -> (x, y[, z]), uint8."""
    values: Mapping[str, Tensor] = field(default_factory=dict)
    """Name -> float32 targets of a fixed shape, such as landmarks or scalars; NaN if unknown."""
    soft_labels: Mapping[str, Tensor] = field(default_factory=dict)
    """View -> (class, x, y[, z]), float32 probabilities of a teacher; zero where it has none."""


class Batch(NamedTuple):
    """Samples along a first axis; stacks with fewer slices are padded at the end, with `IGNORE_INDEX` labels.

    A named tuple, which wrappers of a module (precision, several processes) pass through.
    """

    names: tuple[str, ...]
    images: Mapping[str, Tensor]
    labels: Mapping[str, Tensor]
    values: Mapping[str, Tensor] = {}
    soft_labels: Mapping[str, Tensor] = {}

    def to(self, device: torch.device) -> Batch:
        """Return the batch on a device."""

        def move(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
            return {name: tensor.to(device, non_blocking=True) for name, tensor in tensors.items()}

        return Batch(
            names=self.names,
            images=move(self.images),
            labels=move(self.labels),
            values=move(self.values),
            soft_labels=move(self.soft_labels),
        )


def collate(samples: Sequence[Sample]) -> Batch:
    """Collate samples with the same views; raises `UsageError` if they differ in views or in-plane size.

    Only stacks are padded: images (c, x, y, z) and labels (x, y, z); planes must have the same size.
    """
    if not samples:
        raise UsageError("no samples for a batch; expected at least one: check the data")
    first = samples[0]
    if any(_contents(sample) != _contents(first) for sample in samples):
        raise UsageError(
            "the samples of a batch have different views or values; expected the same in each: use collate_by_views"
        )
    return Batch(
        names=tuple(sample.name for sample in samples),
        images={view: _stack([s.images[view] for s in samples], 0, stack_axes=4) for view in first.images},
        labels={view: _stack([s.labels[view] for s in samples], IGNORE_INDEX, stack_axes=3) for view in first.labels},
        values={name: torch.stack([s.values[name] for s in samples]) for name in first.values},
        soft_labels=_stack_soft_labels(samples),
    )


def _stack_soft_labels(samples: Sequence[Sample]) -> dict[str, Tensor]:
    """Return the teacher's probabilities of each view in which any sample has them, zero for the others."""
    classes = {view: soft.shape[0] for sample in samples for view, soft in sample.soft_labels.items()}
    return {
        view: _stack([s.soft_labels.get(view, torch.zeros(n, *s.labels[view].shape)) for s in samples], 0, stack_axes=4)
        for view, n in classes.items()
    }


def collate_by_views(samples: Sequence[Sample]) -> list[Batch]:
    """Collate samples with any views: one batch per set of views, in order of first occurrence.

    Samples whose labels are lists of different lengths, which cannot be padded, are batched separately too.
    """
    groups: dict[frozenset[tuple[str, torch.Size | None]], list[Sample]] = {}
    for sample in samples:
        groups.setdefault(_kind(sample), []).append(sample)
    return [collate(group) for group in groups.values()]


def _contents(sample: Sample) -> tuple[set[str], set[str], set[str]]:
    return set(sample.images), set(sample.labels), set(sample.values)


def _kind(sample: Sample) -> frozenset[tuple[str, torch.Size | None]]:
    """Return what the samples of one batch must share: views, and the lengths of label lists."""
    lists = {view: label.shape for view, label in sample.labels.items() if label.ndim < 3}
    return frozenset((view, lists.get(view)) for view in sample.images)


def _stack(tensors: Sequence[Tensor], fill: int, *, stack_axes: int) -> Tensor:
    fixed_shapes = {tensor.shape[:-1] if tensor.ndim == stack_axes else tensor.shape for tensor in tensors}
    if len(fixed_shapes) > 1:
        raise UsageError(
            f"sizes {[tuple(t.shape) for t in tensors]} in one batch; expected equal sizes except for the number of"
            " slices"
        )
    longest = max(tensor.shape[-1] for tensor in tensors)
    return torch.stack([F.pad(tensor, (0, longest - tensor.shape[-1]), value=fill) for tensor in tensors])
