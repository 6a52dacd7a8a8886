"""Losses on label maps, without ignored voxels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["cross_entropy", "soft_dice"]


def cross_entropy(
    logits: Tensor, labels: Tensor, *, weights: Sequence[float] | None = None, ignored: int = 255
) -> Tensor:
    """Mean cross-entropy of logits (b, c, ...) and codes (b, ...) over the voxels that are not ignored.

    With `weights`, one a class, a voxel counts by that of its true class, in the sum alone: the mean is still one
    over voxels. Zero, with no gradient, where all of them are ignored.
    """
    target = labels.long().masked_fill(labels == ignored, -100)
    by_class = None if weights is None else torch.tensor(weights, dtype=torch.float32, device=logits.device)
    total = F.cross_entropy(logits.float(), target, weight=by_class, ignore_index=-100, reduction="sum")
    return total / (labels != ignored).sum().clamp(min=1)


def soft_dice(
    logits: Tensor, labels: Tensor, *, ignored: int = 255, smooth: float = 10.0, over_batch: bool = False
) -> Tensor:
    """One minus the soft Dice of each foreground class in each sample, averaged (Milletari et al., 3DV 2016).

    A class is counted over the whole stack of a sample, or of all samples together with `over_batch`; `smooth`
    voxels are added above and below, so that an absent class asks for an empty prediction.
    """
    n_classes = logits.shape[1]
    counted = (labels != ignored).unsqueeze(1)
    prob = logits.float().softmax(dim=1)[:, 1:] * counted
    truth = F.one_hot(labels.long().masked_fill(labels == ignored, 0), n_classes).movedim(-1, 1)[:, 1:].to(prob.dtype)
    axes = (*((0,) if over_batch else ()), *range(2, logits.ndim))
    overlap = (prob * truth).sum(axes)
    total = prob.sum(axes) + truth.sum(axes)
    return 1 - torch.mean((2 * overlap + smooth) / (total + smooth))
