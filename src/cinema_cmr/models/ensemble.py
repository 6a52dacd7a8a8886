"""Several networks whose outputs are averaged: seeds of one architecture, or networks of different architectures."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cinema_cmr.core.card import OutputKind
from cinema_cmr.core.errors import UsageError

__all__ = ["Ensemble", "EnsembleConfig", "MemberConfig"]


@dataclass(frozen=True, kw_only=True)
class MemberConfig:
    """One network of an ensemble, described as in a model card."""

    architecture: str
    """Name in `models.architectures`; not "ensemble"."""
    config: Mapping[str, Any]
    """Configuration of the architecture, as plain values."""


@dataclass(frozen=True, kw_only=True)
class EnsembleConfig:
    """Networks with the same inputs and outputs, and the kind of these outputs."""

    members: Mapping[str, MemberConfig]
    """Networks by name; the names are prefixes of their weights' keys."""
    output_kind: OutputKind

    def __post_init__(self) -> None:
        if len(self.members) < 2 or any(member.architecture == "ensemble" for member in self.members.values()):
            raise UsageError(f"an ensemble of {sorted(self.members)}; expected two or more networks, no ensemble")


class Ensemble(nn.Module):
    """Average of several networks, with outputs of the same form as one network's.

    Class logits become the logarithm of the mean softmax probability, so that their softmax is the mean of the
    members'. Heatmap logits become the logit of each pixel's mean sigmoid probability. Coordinates, numbers and tokens
    are averaged directly.
    """

    def __init__(self, members: Mapping[str, nn.Module], output_kind: OutputKind) -> None:
        super().__init__()
        self.members = nn.ModuleDict(members)
        self.output_kind = output_kind

    def forward(self, images: Mapping[str, Tensor]) -> dict[str, Tensor] | Tensor:
        """Return {view: (b, out, x, y[, z])}, or (b, out) if the members return tensors."""
        average = _AVERAGES[self.output_kind]
        outputs = [member(images) for member in self.members.values()]
        if isinstance(outputs[0], Mapping):
            return {view: average([output[view] for output in outputs]) for view in outputs[0]}
        return average(outputs)


def _mean_softmax(logits: list[Tensor]) -> Tensor:
    return torch.stack([x.float().log_softmax(1) for x in logits]).logsumexp(0) - math.log(len(logits))


def _mean_sigmoid(logits: list[Tensor]) -> Tensor:
    # From logarithms, so that probabilities near 0 and 1 neither vanish nor overflow.
    positive = torch.stack([F.logsigmoid(x) for x in logits]).logsumexp(0)
    negative = torch.stack([F.logsigmoid(-x) for x in logits]).logsumexp(0)
    return positive - negative


def _mean(values: list[Tensor]) -> Tensor:
    return torch.stack(values).mean(0)


_AVERAGES: Mapping[OutputKind, Callable[[list[Tensor]], Tensor]] = {
    "classes": _mean_softmax,
    "heatmaps": _mean_sigmoid,
    "coordinates": _mean,
    "numbers": _mean,
    "tokens": _mean,
}
