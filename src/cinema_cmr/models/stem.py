"""The convolutional stem of one view: from an image to tokens, with the finer maps that decoders and fusion use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cinema_cmr.core.errors import UsageError
from cinema_cmr.models.layers import ConvBlock, PatchConv, group_patches
from cinema_cmr.models.position import interpolate_table, position_table

__all__ = ["Stem", "StemConfig", "StemOutput"]


@dataclass(frozen=True, kw_only=True)
class StemConfig:
    """Sizes of the stem; numbers for three axes, of which a long-axis view drops the last."""

    patch_size: tuple[int, int, int] = (4, 4, 1)
    """Patch of the first level, in pixels."""
    scale_factor: tuple[int, int, int] = (2, 2, 1)
    """Patch of every further level and of the tokens."""
    chans: tuple[int, ...] = (64, 128)
    """Channels of each level."""
    n_blocks: int = 2
    """Convolution blocks a level."""
    kernel: tuple[int, int, int] = (5, 5, 5)
    """Kernel of the depthwise convolutions; (5, 5, 1) keeps a stack's slices apart until the tokens meet."""

    def __post_init__(self) -> None:
        if not self.chans or any(k % 2 == 0 for k in self.kernel):
            raise UsageError(f"stem needs at least one level and odd kernels; found {self.chans}, {self.kernel}")

    @property
    def level_sizes(self) -> tuple[tuple[int, int, int], ...]:
        """Patch size of each level, then of the tokens."""
        return (self.patch_size, *[self.scale_factor] * len(self.chans))

    @property
    def strides(self) -> tuple[tuple[int, ...], ...]:
        """Pixels per position of each level, then per token, along x, y, z."""
        strides = [self.patch_size]
        for size in self.level_sizes[1:]:
            strides.append(tuple(a * b for a, b in zip(strides[-1], size, strict=True)))  # type: ignore[arg-type]
        return tuple(strides)


@dataclass
class StemOutput:
    """`tokens` (b, L, d) on `grid` (gx, gy, gz), z fastest; `levels`: maps (b, z, x, y, c), finest first."""

    tokens: Tensor
    levels: list[Tensor]
    grid: tuple[int, int, int]


class LevelPatchEmbed(nn.Module):
    """Patch convolution, channel norm, exact GELU."""

    def __init__(self, in_chans: int, out_chans: int, size: Sequence[int]) -> None:
        super().__init__()
        self.conv = PatchConv(in_chans, out_chans, size)
        self.norm = nn.LayerNorm(out_chans, eps=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        return F.gelu(self.norm(self.conv(x)))


class StemLevel(nn.Module):
    """One level: a patch embedding, then its convolution blocks."""

    def __init__(self, in_chans: int, out_chans: int, size: Sequence[int], *, kernel: Sequence[int], n_blocks: int) -> None:
        super().__init__()
        self.patch_embed = LevelPatchEmbed(in_chans, out_chans, size)
        self.conv = nn.ModuleList(ConvBlock(out_chans, kernel) for _ in range(n_blocks))

    def forward(self, x: Tensor, visible: Tensor | None) -> Tensor:
        x = self.patch_embed(x)
        for block in self.conv:
            x = block(x, visible)
        return x


class TokenProjection(nn.Module):
    """The linear map of a flattened patch to a token."""

    def __init__(self, in_features: int, dim: int) -> None:
        super().__init__()
        self.proj = nn.Linear(in_features, dim)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.proj(x)
        return y


class Stem(nn.Module):
    """ConvMAE-style stem of one view (MODEL.md, "Stem").

    `image_size` is (x, y) for a long-axis view or (x, y, z) for a stack: the size its position table is built for.
    Any other size may be given to `forward`; the table is then interpolated to the grid of the input.
    """

    pos_embed: Tensor

    def __init__(self, config: StemConfig, *, in_chans: int, image_size: Sequence[int], dim: int) -> None:
        super().__init__()
        self.n_axes = len(image_size)
        sizes = [size[: self.n_axes] for size in config.level_sizes]
        chans = (in_chans, *config.chans)
        kernel = config.kernel[: self.n_axes]
        self.token_size = sizes[-1]
        self.built_grid = tuple(n // s for n, s in zip(image_size, config.strides[-1], strict=False))
        self.conv_blocks = nn.ModuleList(
            StemLevel(a, b, size, kernel=kernel, n_blocks=config.n_blocks)
            for (a, b), size in zip(pairwise(chans), sizes, strict=False)
        )
        self.patch_embed = TokenProjection(chans[-1] * int(torch.tensor(self.token_size).prod()), dim)
        self.linear = nn.Linear(dim, dim)
        table = position_table(dim, self.built_grid)
        self.register_buffer("pos_embed", table)

    def forward(self, x: Tensor, visible: Sequence[Tensor] | None = None) -> StemOutput:
        """`x`: (b, z, x, y, c). `visible`: for each level, (b, z, x, y, 1) with one where seen; None: all seen."""
        levels = []
        for index, level in enumerate(self.conv_blocks):
            x = level(x, None if visible is None else visible[index])
            levels.append(x)
        patches = group_patches(x, self.token_size)
        gz, gx, gy = patches.shape[1:4]
        tokens = self.linear(self.patch_embed(patches.permute(0, 2, 3, 1, 4).flatten(1, 3)))
        grid = (gx, gy, gz)
        table = interpolate_table(self.pos_embed, self.built_grid, grid[: self.n_axes])
        return StemOutput(tokens + table.to(tokens.dtype), levels, grid)
