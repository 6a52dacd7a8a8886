"""Losses on label maps, without ignored voxels, also where only some structures were drawn.

What was not drawn may lie anywhere that no drawn structure does: background and undrawn classes are merged, so that the
loss depends on the sum of their probabilities alone (marginal loss; Shi et al., Medical Image Analysis 70:101979,
2021).
`drawn` (b, c) is True for the background and each drawn class of each sample; None where all are drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import FunctionType

import torch
from torch import Tensor
from torch.nn import functional as F

from cinema_cmr.core.errors import unknown_name
from cinema_cmr.core.plugins import load_plugin, plugin_names

__all__ = ["cross_entropy", "distillation", "find_loss", "merge_undrawn", "soft_dice"]


def merge_undrawn(logits: Tensor, drawn: Tensor) -> Tensor:
    """Logits (b, c, ...) whose background has the probability of background and undrawn classes together.

    An undrawn class has the logit minus infinity.
    """
    structures = drawn.clone()
    structures[:, 0] = False
    background = logits.masked_fill(_by_voxel(structures, logits), -torch.inf).logsumexp(dim=1, keepdim=True)
    foreground = logits.masked_fill(_by_voxel(~structures, logits), -torch.inf)
    return torch.cat([background, foreground[:, 1:]], dim=1)


def cross_entropy(
    logits: Tensor,
    labels: Tensor,
    *,
    drawn: Tensor | None = None,
    weights: Sequence[float] | None = None,
    ignored: int = 255,
) -> Tensor:
    """Mean cross-entropy of logits (b, c, ...) and codes (b, ...) over the voxels that are not ignored.

    With `weights`, one a class, a voxel counts by that of its true class, in the sum alone: the mean is still one
    over voxels. Zero, with no gradient, where all of them are ignored.
    """
    target = labels.long().masked_fill(labels == ignored, -100)
    by_class = None if weights is None else torch.tensor(weights, dtype=torch.float32, device=logits.device)
    merged = logits.float() if drawn is None else merge_undrawn(logits.float(), drawn)
    total = F.cross_entropy(merged, target, weight=by_class, ignore_index=-100, reduction="sum")
    return total / (labels != ignored).sum().clamp(min=1)


def soft_dice(
    logits: Tensor,
    labels: Tensor,
    *,
    drawn: Tensor | None = None,
    ignored: int = 255,
    smooth: float = 10.0,
    over_batch: bool = False,
) -> Tensor:
    """One minus the soft Dice of each foreground class in each sample, averaged (Milletari et al., 3DV 2016).

    A class is counted over the whole stack of a sample, or of all samples together with `over_batch`; `smooth`
    voxels are added above and below, so that an absent class asks for an empty prediction. Undrawn classes are left out
    of the mean.
    """
    n_classes = logits.shape[1]
    counted = (labels != ignored).unsqueeze(1)
    prob = logits.float().softmax(dim=1)[:, 1:] * counted
    truth = F.one_hot(labels.long().masked_fill(labels == ignored, 0), n_classes).movedim(-1, 1)[:, 1:].to(prob.dtype)
    kept = prob.new_ones(prob.shape[:2]) if drawn is None else drawn[:, 1:].to(prob.dtype)
    axes = tuple(range(2, logits.ndim))
    overlap, total = (prob * truth).sum(axes) * kept, (prob.sum(axes) + truth.sum(axes)) * kept
    if over_batch:
        overlap, total, kept = overlap.sum(0), total.sum(0), kept.amax(0)
    score = (2 * overlap + smooth) / (total + smooth)
    return ((1 - score) * kept).sum() / kept.sum().clamp(min=1)


def distillation(
    logits: Tensor, labels: Tensor, teacher: Tensor, *, drawn: Tensor | None = None, ignored: int = 255
) -> Tensor:
    """Cross-entropy towards a teacher's probabilities (b, c, ...) among the classes that the labels leave open.

    Open are background and undrawn classes where nothing is drawn, every class in ignored voxels, and none in a drawn
    structure. The prediction's probabilities are scaled to a sum of one over the open classes, so that an expert's
    label is never contradicted; the teacher's are not, so that it counts less where it sees a drawn structure. Of a
    teacher of fewer classes, the first ones, background stands for the further ones too. The mean is over voxels with
    open classes and a teacher; zero where there are none.
    """
    is_open = _open_classes(logits, labels, drawn, ignored)
    n_taught = teacher.shape[1]
    if n_taught < logits.shape[1]:
        further = torch.where(is_open[:, n_taught:], logits[:, n_taught:].float(), -torch.inf)
        background = torch.cat([logits[:, :1].float(), further], dim=1).logsumexp(dim=1, keepdim=True)
        logits, is_open = torch.cat([background, logits[:, 1:n_taught].float()], dim=1), is_open[:, :n_taught]
    target = torch.where(is_open, teacher.to(torch.float32), 0.0)
    several = is_open.sum(1, keepdim=True) > 1
    # Where a single class or none is open there is nothing to choose; all classes stand in, to avoid infinities.
    log_prob = logits.float().masked_fill(~is_open & several, -torch.inf).log_softmax(dim=1)
    counted = several & (teacher.sum(1, keepdim=True) > 0)
    cost = target * log_prob.masked_fill(~is_open, 0.0) * counted
    return -cost.sum() / counted.sum().clamp(min=1)


def find_loss(name: str) -> FunctionType:
    """Return a loss of another package, from its entry points `cinema_cmr.losses`; raises `UsageError` without it."""
    found = load_plugin("losses", name, FunctionType)
    if found is None:
        raise unknown_name("loss", name, plugin_names("losses"))
    return found


def _open_classes(logits: Tensor, labels: Tensor, drawn: Tensor | None, ignored: int) -> Tensor:
    """Return (b, c, ...): True for each class that a voxel may have according to its label."""
    merged = torch.zeros(logits.shape[:2], dtype=torch.bool, device=logits.device) if drawn is None else ~drawn
    merged[:, 0] = True
    voxels = labels.unsqueeze(1)
    return (voxels == ignored) | ((voxels == 0) & _by_voxel(merged, logits))


def _by_voxel(by_class: Tensor, logits: Tensor) -> Tensor:
    """Return (b, c, 1, ...), with as many axes as `logits`."""
    return by_class.reshape(*by_class.shape, *(1,) * (logits.ndim - 2))
