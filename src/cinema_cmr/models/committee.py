"""Networks of different kinds that answer together: each sees the images, and their probabilities are averaged."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from cinema_cmr.core.errors import UsageError

__all__ = ["Committee", "CommitteeConfig", "MemberConfig"]


@dataclass(frozen=True, kw_only=True)
class MemberConfig:
    """One network of a committee, as a model card describes one."""

    architecture: str
    """Name in `models.architectures`; no committee itself."""
    config: Mapping[str, Any]
    """The architecture's configuration as plain values."""


@dataclass(frozen=True, kw_only=True)
class CommitteeConfig:
    """Which networks answer together; all take the same images and give the same classes."""

    members: Mapping[str, MemberConfig]
    """Name -> network; the names stand before the keys of its weights."""

    def __post_init__(self) -> None:
        if len(self.members) < 2 or any(member.architecture == "committee" for member in self.members.values()):
            raise UsageError(f"a committee of {sorted(self.members)}; expected two or more networks, none a committee")


class Committee(nn.Module):
    """Images {view: (b, c, x, y[, z])} -> {view: (b, out, x, y[, z])}: the logarithm of the mean probability.

    The softmax of the answer is the mean of the members' softmax, so that it is used like one network's logits.
    """

    def __init__(self, members: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self.networks = nn.ModuleDict(members)

    def forward(self, images: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The common answer of all members; see the class for shapes."""
        answers = [member(images) for member in self.networks.values()]
        return {view: _mean([answer[view] for answer in answers]) for view in answers[0]}


def _mean(logits: list[Tensor]) -> Tensor:
    return torch.stack([x.float().log_softmax(1) for x in logits]).logsumexp(0) - math.log(len(logits))
