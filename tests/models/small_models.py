"""Small networks, inputs and cards that the tests of this folder share."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cinema_cmr.core.card import Grid, ModelCard
from cinema_cmr.core.vocabulary import View
from cinema_cmr.models.architectures import config_values
from cinema_cmr.models.blocks.layers import group_patches, pad_to_multiple
from cinema_cmr.models.blocks.masking import draw_masks
from cinema_cmr.models.blocks.position import interpolate_table
from cinema_cmr.models.convvit import ConvViT, ConvViTConfig
from cinema_cmr.models.mae import CineMA, CineMAConfig
from cinema_cmr.models.stem import Stem, StemConfig, StemOutput
from cinema_cmr.models.unetr import ConvUNetR, ConvUNetRConfig
from cinema_cmr.models.vit import vit_size

STEM = StemConfig(chans=(4, 6))
SIZES: Mapping[str, tuple[int, ...]] = {"sax": (32, 48, 3), "lax_4c": (48, 32)}
UNETR = ConvUNetRConfig(image_sizes=SIZES, out_chans=4, vit=vit_size("tiny"), stem=STEM, dec_chans=(4, 4, 6, 6, 8))


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def images(sizes: Mapping[str, tuple[int, ...]] = SIZES, *, batch: int = 2, chans: int = 1) -> dict[str, Tensor]:
    return {view: torch.rand(batch, chans, *size, generator=seeded(len(size))) for view, size in sizes.items()}


def scrambled(model: nn.Module, seed: int = 0) -> nn.Module:
    """Every parameter random, biases and norms too, so that each matters; evaluation mode."""
    generator = seeded(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return model.eval()


def unetr(seed: int = 0) -> ConvUNetR:
    torch.manual_seed(seed)
    model = ConvUNetR(UNETR)
    scrambled(model, seed)
    return model


def unetr_card(name: str = "tiny-segment") -> ModelCard:
    return ModelCard(
        name=name,
        task="segment",
        architecture="conv_unetr",
        config=config_values(UNETR),
        grids={
            View.SAX: Grid(spacing_mm=1.0, size=(32, 48)),
            View.LAX_4C: Grid(spacing_mm=1.0, size=(48, 32)),
        },
        outputs=("background", "rv", "myo", "lv"),
    )


MAE = CineMAConfig(image_sizes=SIZES, vit=vit_size("tiny"), stem=STEM)
VIT = ConvViTConfig(image_sizes=SIZES, out_chans=5, vit=vit_size("tiny"), stem=STEM)


def mae(**changes: Any) -> CineMA:
    torch.manual_seed(0)
    model = CineMA(replace(MAE, **changes))
    scrambled(model)
    return model


def convvit(**changes: Any) -> ConvViT:
    torch.manual_seed(0)
    model = ConvViT(replace(VIT, **changes))
    scrambled(model)
    return model


def masks(sizes: Mapping[str, tuple[int, ...]] = SIZES, *, batch: int = 2, ratio: float = 0.75) -> dict[str, Tensor]:
    """Random token masks, each sample its own."""
    drawn = {}
    for view, size in sizes.items():
        n_tokens = math.prod(-(-n // s) for n, s in zip(size, (16, 16, 1), strict=False))
        rng = np.random.default_rng(n_tokens)
        drawn[view] = torch.from_numpy(np.stack([draw_mask(n_tokens, ratio, rng) for _ in range(batch)]))
    return drawn


def draw_mask(n_tokens: int, ratio: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """One random mask (n_tokens,), True where masked."""
    mask: NDArray[np.bool_] = draw_masks(n_tokens, ratio, rng, n_masks=1)[0]
    return mask


def spread_tokens(x: Tensor, index: Tensor, n_tokens: int) -> Tensor:
    """Tokens x (b, k, ...) at index (b, k) of (b, n_tokens, ...), zeros elsewhere: the inverse of `pick_tokens`."""
    places = index.reshape(*index.shape, *[1] * (x.ndim - 2)).expand_as(x)
    return x.new_zeros(x.shape[0], n_tokens, *x.shape[2:]).scatter(1, places, x)


def dense_masked_stem(stem: Stem, x: Tensor, visible: Tensor) -> StemOutput:
    """The stem on all positions, masked values set to zero before each depthwise convolution: the plain form."""
    grid = tuple(-(-x.shape[axis] // s) for axis, s in zip((2, 3, 1), stem.stride, strict=True))
    seen = spread_tokens(torch.ones(*visible.shape, 1), visible, math.prod(grid))
    seen = seen.reshape(-1, *grid, 1).permute(0, 3, 1, 2, 4)
    x = pad_to_multiple(x, stem.stride)
    levels = []
    for level, (px, py, pz) in zip(stem.conv_blocks, stem.positions, strict=True):
        m = seen.repeat_interleave(pz, 1).repeat_interleave(px, 2).repeat_interleave(py, 3)
        x = level(x, lambda conv, y, m=m: conv(y * m))
        levels.append(x)
    patches = group_patches(x, stem.token_size).permute(0, 2, 3, 1, 4).flatten(1, 3)
    tokens = stem.linear(stem.patch_embed(patches)) + interpolate_table(
        stem.pos_embed, stem.built_grid, grid[: stem.n_axes]
    )
    return StemOutput(tokens, levels, grid)
