"""ConvViT: stem, encoder and fusion with linear heads, for classes, numbers and landmark coordinates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor, nn

from cinema_cmr.core.errors import UsageError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.models.blocks.layers import to_slices
from cinema_cmr.models.stem import Fusion, StemConfig, stems_of
from cinema_cmr.models.vit import Encoder, VitConfig

__all__ = ["ConvViT", "ConvViTConfig"]


@dataclass(frozen=True, kw_only=True)
class ConvViTConfig:
    """Architecture of a ConvViT."""

    image_sizes: Mapping[str, tuple[int, ...]]
    """View -> (x, y, z) of a stack or (x, y) of a plane: the size of the position tables."""
    out_chans: int
    """Number of classes or values."""
    vit: VitConfig
    in_chans: int = 1
    """Channels of an image: 2 for ED and ES together."""
    stem: StemConfig = field(default_factory=StemConfig)
    read: Literal["all", "views", "cls"] = "all"
    """Heads whose outputs are averaged: those of each view's mean token, of the class token, or both."""
    dropout: float = 0.1
    """Dropout of the features before the heads."""
    drop_path: float = 0.1

    def __post_init__(self) -> None:
        if not self.image_sizes or self.out_chans < 1:
            raise UsageError(f"{len(self.image_sizes)} views and {self.out_chans} outputs; expected one or more")


class ConvViT(nn.Module):
    """Images {view: (b, c, x, y[, z])} -> (b, out); any size, any subset of views."""

    def __init__(self, config: ConvViTConfig) -> None:
        super().__init__()
        self.config = config
        dim, sizes = config.vit.dim, config.image_sizes
        self.n_axes = {view: len(size) for view, size in sizes.items()}
        self.enc_down_dict = stems_of(sizes, config.stem, in_chans=config.in_chans, dim=dim)
        self.enc_fusion_dict = nn.ModuleDict()
        if config.read != "cls":
            for view, n_axes in self.n_axes.items():
                self.enc_fusion_dict[view] = Fusion(config.stem, n_axes=n_axes, dim=dim)
        self.encoder = Encoder(config.vit, drop_path=config.drop_path)
        self.dropout = nn.Dropout(config.dropout)
        heads = {"all": [*sizes, "cls"], "views": [*sizes], "cls": ["cls"]}[config.read]
        self.pred_head_dict = nn.ModuleDict({name: nn.Linear(dim, config.out_chans) for name in heads})

    def forward(self, images: Mapping[str, Tensor]) -> Tensor:
        """Return logits or values (b, out)."""
        if not images or not set(images) <= set(self.n_axes):
            raise UsageError(f"views {sorted(images)} given; this model was built for {sorted(self.n_axes)}")
        stems = {view: self.enc_down_dict[view](to_slices(image)) for view, image in images.items()}
        cls, encoded = self.encoder([stem.tokens for stem in stems.values()])
        features = {"cls": cls.squeeze(1)} if "cls" in self.pred_head_dict else {}
        if self.config.read != "cls":
            for (view, stem), tokens in zip(stems.items(), encoded, strict=True):
                features[view] = self.enc_fusion_dict[view](tokens, stem.levels).mean(1)
        answers = [self.pred_head_dict[name](self.dropout(x)) for name, x in features.items()]
        return torch.stack(answers).mean(0)

    @property
    def views(self) -> tuple[View, ...]:
        """Views of the model."""
        return tuple(View(view) for view in self.n_axes)
