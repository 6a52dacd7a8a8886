"""The convolutional stem of one view: from an image to tokens, and the finer feature maps."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F

from cinema_cmr.core.errors import UsageError
from cinema_cmr.models.blocks.layers import ConvBlock, Mix, PatchConv, group_patches, pad_to_multiple
from cinema_cmr.models.blocks.masking import VisibleMix, visible_patches
from cinema_cmr.models.blocks.position import interpolate_table, position_table

__all__ = ["COARSE_STEM", "SMALL_STEM", "Fusion", "Stem", "StemConfig", "StemOutput", "stems_of"]


@dataclass(frozen=True, kw_only=True)
class StemConfig:
    """Sizes of the stem, for three axes; a long-axis view drops the last."""

    patch_size: tuple[int, int, int] = (4, 4, 1)
    """Patch of the first level, in pixels."""
    scale_factor: tuple[int, int, int] = (2, 2, 1)
    """Patch of every further level and of the tokens."""
    chans: tuple[int, ...] = (64, 128)
    """Channels of each level."""
    n_blocks: int = 2
    """Convolution blocks per level."""
    kernel: tuple[int, int, int] = (5, 5, 5)
    """Kernel of the depthwise convolutions; (5, 5, 1) keeps a stack's slices apart up to the encoder."""

    def __post_init__(self) -> None:
        if not self.chans or any(k % 2 == 0 for k in self.kernel):
            raise UsageError(f"stem needs at least one level and odd kernels; found {self.chans}, {self.kernel}")

    @property
    def level_sizes(self) -> tuple[tuple[int, int, int], ...]:
        """Patch size of each level, then of the tokens."""
        return (self.patch_size, *[self.scale_factor] * len(self.chans))

    @property
    def strides(self) -> tuple[tuple[int, int, int], ...]:
        """Pixels per position of each level, then per token, along x, y, z."""
        strides = [self.patch_size]
        for size in self.level_sizes[1:]:
            x, y, z = (a * b for a, b in zip(strides[-1], size, strict=True))
            strides.append((x, y, z))
        return tuple(strides)

    def token_stride(self, n_axes: int) -> tuple[int, int, int]:
        """Pixels per token along x, y, z; 1 along z in a view of two axes."""
        x, y, z = self.strides[-1]
        return (x, y, z if n_axes == 3 else 1)

    def grid(self, image_size: Sequence[int]) -> tuple[int, ...]:
        """Return the number of tokens along each axis of an image of this size."""
        return tuple(n // s for n, s in zip(image_size, self.strides[-1], strict=False))


SMALL_STEM = StemConfig(patch_size=(2, 2, 1), chans=(32, 64, 128), kernel=(5, 5, 1), n_blocks=1)
"""Our stem for 1.5 mm: levels of 3, 6 and 12 mm, tokens of 24 mm; slices stay apart up to the encoder."""

COARSE_STEM = StemConfig(patch_size=(2, 2, 1), chans=(32, 64), kernel=(5, 5, 1), n_blocks=1)
"""Our stem for 3 mm: levels of 6 and 12 mm, tokens of 24 mm; for comparisons on a CPU."""


@dataclass
class StemOutput:
    """`tokens` (b, L, d) on `grid` (gx, gy, gz), z fastest; `levels`: maps (b, z, x, y, c), finest first.

    Of k visible tokens: `tokens` (b, k, d); `levels` (b * k, z, x, y, c), the positions inside each token.
    """

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
        y: Tensor = F.gelu(self.norm(self.conv(x)))
        return y


class StemLevel(nn.Module):
    """One level: a patch embedding, then its convolution blocks."""

    def __init__(
        self, in_chans: int, out_chans: int, size: Sequence[int], *, kernel: Sequence[int], n_blocks: int
    ) -> None:
        super().__init__()
        self.patch_embed = LevelPatchEmbed(in_chans, out_chans, size)
        self.conv = nn.ModuleList(ConvBlock(out_chans, kernel) for _ in range(n_blocks))

    def forward(self, x: Tensor, mix: Mix | None = None) -> Tensor:
        x = self.patch_embed(x)
        for block in self.conv:
            x = block(x, mix)
        return x


class TokenProjection(nn.Module):
    """Linear map from a flattened patch to a token."""

    def __init__(self, in_features: int, dim: int) -> None:
        super().__init__()
        self.proj = nn.Linear(in_features, dim)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.proj(x)
        return y


class Stem(nn.Module):
    """ConvMAE-style stem of one view (arXiv 2506.00679).

    `image_size` is (x, y) for a long-axis view or (x, y, z) for a stack: the size its position table is built
    for. Any other size may be given to `forward`; the table is then interpolated to the grid of the input.
    """

    pos_embed: Tensor

    def __init__(self, config: StemConfig, *, in_chans: int, image_size: Sequence[int], dim: int) -> None:
        super().__init__()
        self.n_axes = len(image_size)
        sizes = [size[: self.n_axes] for size in config.level_sizes]
        chans = (in_chans, *config.chans)
        kernel = config.kernel[: self.n_axes]
        self.stride = config.token_stride(self.n_axes)
        self.positions = [self._inside(stride) for stride in config.strides[:-1]]
        self.token_size = sizes[-1]
        self.built_grid = config.grid(image_size)
        self.conv_blocks = nn.ModuleList(
            StemLevel(a, b, size, kernel=kernel, n_blocks=config.n_blocks)
            for (a, b), size in zip(pairwise(chans), sizes, strict=False)
        )
        self.patch_embed = TokenProjection(chans[-1] * math.prod(self.token_size), dim)
        self.linear = nn.Linear(dim, dim)
        table = position_table(dim, self.built_grid)
        self.register_buffer("pos_embed", table)

    def forward(self, x: Tensor, visible: Tensor | None = None) -> StemOutput:
        """`x`: (b, z, x, y, c). `visible`: (b, k) indices of the visible tokens; None: all tokens.

        Where tokens are masked, only the visible ones are computed, each as a small image of its own:
        pointwise parts act on their positions alone, and the depthwise convolutions see zeros in place of the
        rest.
        """
        x = pad_to_multiple(x, self.stride)
        b, *sizes = x.shape[:4]
        gz, gx, gy = (n // s for n, s in zip(sizes, (self.stride[2], *self.stride[:2]), strict=True))
        grid = (gx, gy, gz)
        mixes: Sequence[Mix | None] = [None] * len(self.conv_blocks)
        if visible is not None:
            x = visible_patches(x, visible, self.stride)
            mixes = [VisibleMix(visible, grid, inside) for inside in self.positions]
        levels = []
        for level, mix in zip(self.conv_blocks, mixes, strict=True):
            x = level(x, mix)
            levels.append(x)
        patches = group_patches(x, self.token_size).permute(0, 2, 3, 1, 4)
        tokens = self.linear(self.patch_embed(patches.reshape(b, -1, patches.shape[-1])))
        return StemOutput(tokens + self._table(grid, visible).to(tokens.dtype), levels, grid)

    def _inside(self, stride: Sequence[int]) -> tuple[int, ...]:
        """Positions of a level inside one token, along x, y, z."""
        return tuple(a // b for a, b in zip(self.stride, stride, strict=True))

    def _table(self, grid: tuple[int, int, int], visible: Tensor | None) -> Tensor:
        table = interpolate_table(self.pos_embed, self.built_grid, grid[: self.n_axes])
        return table if visible is None else table[0, visible]


def stems_of(image_sizes: Mapping[str, Sequence[int]], config: StemConfig, *, in_chans: int, dim: int) -> nn.ModuleDict:
    """Build a stem for each view."""
    stems = {v: Stem(config, in_chans=in_chans, image_size=s, dim=dim) for v, s in image_sizes.items()}
    return nn.ModuleDict(stems)


class Fusion(nn.Module):
    """Multi-scale fusion of one view: every stem level is brought to the token grid and added to the tokens."""

    def __init__(self, config: StemConfig, *, n_axes: int, dim: int) -> None:
        super().__init__()
        token, levels = config.strides[-1], config.strides[:-1]
        sizes = [[a // b for a, b in zip(token, level, strict=True)][:n_axes] for level in levels]
        self.down_convs = nn.ModuleList(
            PatchConv(chans, dim, size) for chans, size in zip(config.chans, sizes, strict=True)
        )
        self.norm = nn.LayerNorm(dim, eps=1e-5)

    def forward(self, tokens: Tensor, levels: Sequence[Tensor]) -> Tensor:
        """Encoded tokens (b, l, d) and the stem's levels, of all or of the visible tokens -> (b, l, d)."""
        for down, level in zip(self.down_convs, levels, strict=True):
            tokens = tokens + down(level).permute(0, 2, 3, 1, 4).reshape(tokens.shape)
        fused: Tensor = self.norm(tokens)
        return fused
