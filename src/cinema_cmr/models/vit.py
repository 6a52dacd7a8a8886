"""The transformer encoder shared by all views, and the named sizes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cinema_cmr.core.errors import UsageError, unknown_name
from cinema_cmr.models.blocks.layers import TransformerBlock

__all__ = ["SIZES", "Encoder", "VitConfig", "vit_size"]


@dataclass(frozen=True, kw_only=True)
class VitConfig:
    """Sizes of the encoder and of the masked autoencoder's decoder."""

    dim: int
    depth: int
    heads: int
    dec_dim: int
    dec_depth: int
    dec_heads: int

    def __post_init__(self) -> None:
        if self.dim % self.heads or self.dec_dim % self.dec_heads:
            raise UsageError(f"width must be a multiple of the number of heads; found {self}")


SIZES: dict[str, VitConfig] = {
    "tiny": VitConfig(dim=16, depth=1, heads=2, dec_dim=16, dec_depth=1, dec_heads=2),
    "coarse": VitConfig(dim=192, depth=4, heads=6, dec_dim=128, dec_depth=2, dec_heads=4),
    "small": VitConfig(dim=256, depth=6, heads=8, dec_dim=192, dec_depth=4, dec_heads=6),
    "base": VitConfig(dim=768, depth=12, heads=12, dec_dim=512, dec_depth=8, dec_heads=16),
    "large": VitConfig(dim=1024, depth=24, heads=16, dec_dim=512, dec_depth=8, dec_heads=16),
    "huge": VitConfig(dim=1280, depth=32, heads=16, dec_dim=512, dec_depth=8, dec_heads=16),
}
"""`tiny`, `base`, `large`, `huge` are the published sizes. Ours are `small`, which fits in a package, and `coarse`, for
comparisons on a CPU."""


def vit_size(name: str) -> VitConfig:
    """Return the encoder's sizes by name; `UsageError` for an unknown one."""
    if name not in SIZES:
        raise unknown_name("model size", name, SIZES)
    return SIZES[name]


class Encoder(nn.Module):
    """Pre-norm transformer over a class token and the tokens of all views present."""

    def __init__(self, config: VitConfig, *, drop_path: float = 0.0) -> None:
        super().__init__()
        rates = [drop_path * index / max(1, config.depth - 1) for index in range(config.depth)]
        self.cls_token = nn.Parameter(torch.zeros(1, 1, config.dim))
        self.blocks = nn.ModuleList(TransformerBlock(config.dim, config.heads, drop_path=rate) for rate in rates)
        self.norm = nn.LayerNorm(config.dim, eps=1e-5)
        nn.init.normal_(self.cls_token, std=0.02)

    def forward(self, tokens: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Tokens (b, L_v, d) of each view -> class token (b, 1, d) and the encoded tokens of each view."""
        cls = self.cls_token.expand(tokens[0].shape[0], -1, -1).to(tokens[0].dtype)
        x = torch.cat([cls, *tokens], dim=1)
        for block in self.blocks:
            x = block(x)
        x = self.norm(x)
        cls, *views = x.split([1, *[t.shape[1] for t in tokens]], dim=1)
        return cls, views
