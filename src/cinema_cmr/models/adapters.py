"""Training a part of a pre-trained network: frozen stems and encoder, low-rank adapters in the encoder.

An adapter adds `up @ down`, a matrix of low rank, to the frozen weight of a linear layer; only these two are trained
(Hu et al., LoRA, arXiv:2106.09685, section 4.1; without its constant factor). `merge_adapters` adds it to the weight:
the saved network is a plain one.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cinema_cmr.core.errors import UsageError, WeightsError
from cinema_cmr.models.blocks.layers import DropPath
from cinema_cmr.models.convvit import ConvViT
from cinema_cmr.models.transplant import SHARED_PARTS
from cinema_cmr.models.unetr import ConvUNetR

__all__ = ["Adaptation", "AdaptedLinear", "adapt", "merge_adapters"]


@dataclass(frozen=True, kw_only=True)
class Adaptation:
    """Training with frozen stems, encoder and fusion; all other parts are trained."""

    rank: int = 0
    """Rank of the adapter in every linear layer of the encoder; 0 for none."""

    def __post_init__(self) -> None:
        if self.rank < 0:
            raise UsageError(f"adapters of rank {self.rank}; expected 0 (none) or more")

    @property
    def title(self) -> str:
        """Description for a model's card."""
        return f"adapters of rank {self.rank} in the encoder" if self.rank else "stems and encoder frozen"


class AdaptedLinear(nn.Linear):
    """A frozen linear layer with an adapter; its initial output is the layer's."""

    def __init__(self, layer: nn.Linear, rank: int) -> None:
        super().__init__(layer.in_features, layer.out_features, bias=layer.bias is not None, device="meta")
        self.weight, self.bias = layer.weight, layer.bias
        self.adapter_down = nn.Parameter(torch.empty(rank, layer.in_features))
        self.adapter_up = nn.Parameter(torch.zeros(layer.out_features, rank))
        nn.init.kaiming_uniform_(self.adapter_down, a=5**0.5)

    def forward(self, x: Tensor) -> Tensor:
        """Return the sum of the layer's and the adapter's output, (..., in) -> (..., out)."""
        return F.linear(x, self.weight, self.bias) + F.linear(F.linear(x, self.adapter_down), self.adapter_up)

    @torch.no_grad()
    def merged(self) -> nn.Linear:
        """Return a plain linear layer with the same output."""
        plain = nn.Linear(self.in_features, self.out_features, bias=self.bias is not None, device="meta")
        plain.weight = nn.Parameter(self.weight + self.adapter_up @ self.adapter_down)
        plain.bias = self.bias
        return plain


def adapt(model: nn.Module, adaptation: Adaptation) -> None:
    """Freeze the pre-trained part of a network and insert the adapters, in place.

    Stochastic depth is switched off in the frozen part. Raises `WeightsError` for a network without stems and
    encoder, `UsageError` for adapters as wide as the layers.
    """
    if not isinstance(model, ConvViT | ConvUNetR):
        raise WeightsError(f"a {type(model).__name__} has no encoder to freeze; expected a ConvViT or ConvUNetR")
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(not name.startswith(SHARED_PARTS))
    for part in model.encoder.modules():
        if isinstance(part, DropPath):
            part.rate = 0.0
    if adaptation.rank:
        _add_adapters(model.encoder, adaptation.rank)


def merge_adapters(model: nn.Module) -> None:
    """Replace each adapted layer by a plain one with the same output, in place."""
    for part in list(model.modules()):
        for name, child in list(part.named_children()):
            if isinstance(child, AdaptedLinear):
                setattr(part, name, child.merged())


def _add_adapters(encoder: nn.Module, rank: int) -> None:
    for part in list(encoder.modules()):
        for name, child in list(part.named_children()):
            if not isinstance(child, nn.Linear):
                continue
            if rank >= min(child.in_features, child.out_features):
                raise UsageError(
                    f"adapters of rank {rank} in layers of {child.in_features} by {child.out_features}; expected a"
                    " lower rank, or none: without --adapters and --freeze all weights are trained"
                )
            setattr(part, name, AdaptedLinear(child, rank))
