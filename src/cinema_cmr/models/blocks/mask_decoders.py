"""Convolutional decoders from a stem's levels and a token grid up to logits at full resolution, one for each view."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor, nn

from cinema_cmr.core.errors import UsageError
from cinema_cmr.models.blocks.layers import (
    Conv,
    PatchConv,
    PatchUp,
    ResidualBlock,
    from_slices,
    pad_to_multiple,
    to_slices,
)

__all__ = ["DecoderConfig", "MaskDecoders"]

Stride = tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class DecoderConfig:
    """Sizes of the decoders."""

    out_chans: int
    """Number of classes with the background, or of heatmaps."""
    dec_chans: tuple[int, ...] = (32, 64, 128, 256, 512)
    """Channels of the decoder, from full resolution down."""
    dec_scale_factor: tuple[int, int, int] = (2, 2, 1)
    """Factor between decoder resolutions."""
    dec_kernel: tuple[int, int, int] = (3, 3, 3)
    """Kernel of the decoder's convolutions; (3, 3, 1) keeps slices apart."""
    dropout: float = 0.1
    """Dropout in the blocks that adjust channels and in the image block."""

    def check_levels(self, n_levels: int) -> None:
        """Raise `UsageError` for too few widths beside a stem of so many levels."""
        if len(self.dec_chans) < n_levels + 2:
            raise UsageError(
                f"{len(self.dec_chans)} decoder widths for {n_levels} stem levels; "
                "expected at least two more: one at full resolution, one at the token grid"
            )


class UpBlock(nn.Module):
    """Upsampling by one factor, an optional skip connection, two residual blocks."""

    def __init__(self, in_chans: int, out_chans: int, factor: Stride, kernel: Stride) -> None:
        super().__init__()
        self.up = PatchUp(in_chans, out_chans, factor)
        self.conv = nn.ModuleList(ResidualBlock(out_chans, out_chans, kernel) for _ in range(2))

    def forward(self, x: Tensor, skip: Tensor | None) -> Tensor:
        x = self.up(x)
        if skip is not None:
            x = x[:, : skip.shape[1], : skip.shape[2], : skip.shape[3]] + skip
        for block in self.conv:
            x = block(x)
        return x


class UpPath(nn.Module):
    """The decoder of one view: from the deepest map to full resolution."""

    def __init__(self, blocks: list[UpBlock]) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)

    def forward(self, x: Tensor, skips: list[Tensor | None]) -> Tensor:
        for block, skip in zip(self.blocks, skips, strict=True):
            x = block(x, skip)
        return x


class MaskDecoders(nn.Module):
    """The decoders' modules and how a view is decoded; empty until `add_decoders`.

    A part of another network, or its base class: the modules then stand beside the network's own.
    """

    def add_decoders(
        self,
        n_axes: Mapping[str, int],
        sizes: DecoderConfig,
        *,
        in_chans: int,
        dim: int,
        level_chans: tuple[int, ...],
        strides: tuple[Stride, ...],
    ) -> None:
        """Add a decoder for each view (view -> 3 axes of a stack, 2 of a plane).

        `dim`: width of the tokens; `level_chans`: channels of the stem's levels, finest first; `strides`: pixels per
        position along x, y, z of each level, then per token.
        """
        self.sizes, self.strides = sizes, strides
        self.dec_image_conv_block_dict = nn.ModuleDict()
        self.dec_down_blocks_dict = nn.ModuleDict()
        self.dec_conv_blocks_dict = nn.ModuleDict()
        self.decoder_dict = nn.ModuleDict()
        self.pred_head_dict = nn.ModuleDict()
        for view, n in n_axes.items():
            self._add_decoder(view, n, in_chans=in_chans, dim=dim, level_chans=level_chans)

    def _add_decoder(self, view: str, n_axes: int, *, in_chans: int, dim: int, level_chans: tuple[int, ...]) -> None:
        sizes = self.sizes
        kernel, factor = sizes.dec_kernel[:n_axes], sizes.dec_scale_factor[:n_axes]
        first, dropout = sizes.dec_chans[0], sizes.dropout
        n_down = len(sizes.dec_chans) - len(level_chans) - 2
        sources = [*level_chans, dim, *[dim] * n_down]
        self.dec_image_conv_block_dict[view] = ResidualBlock(in_chans, first, kernel, dropout=dropout)
        self.dec_down_blocks_dict[view] = nn.ModuleList(PatchConv(dim, dim, factor) for _ in range(n_down))
        self.dec_conv_blocks_dict[view] = nn.ModuleList(
            ResidualBlock(a, b, kernel, dropout=dropout) for a, b in zip(sources, sizes.dec_chans[1:], strict=True)
        )
        widths = {stride: width for stride, width in zip(self._skip_strides(), sizes.dec_chans, strict=True)}
        path = self._path_strides()
        chans = [widths.get(stride, first) for stride in path]
        self.decoder_dict[view] = UpPath([UpBlock(a, b, factor, kernel) for a, b in pairwise(chans)])
        self.pred_head_dict[view] = Conv(first, sizes.out_chans, (1,) * n_axes)

    def _skip_strides(self) -> list[Stride]:
        """Pixels per position of each map that enters the decoder, from full resolution down."""
        strides: list[Stride] = [(1, 1, 1), *self.strides]
        while len(strides) < len(self.sizes.dec_chans):
            strides.append(tuple(a * b for a, b in zip(strides[-1], self.sizes.dec_scale_factor, strict=True)))
        return strides

    def _path_strides(self) -> list[Stride]:
        """Pixels per position along the way up, deepest first, down to (1, 1, 1)."""
        path = [self._skip_strides()[-1]]
        while path[-1] != (1, 1, 1):
            path.append(tuple(max(1, a // b) for a, b in zip(path[-1], self.sizes.dec_scale_factor, strict=True)))
        return path

    def logits(self, images: Mapping[str, Tensor], *, stems: nn.ModuleDict, encoder: nn.Module) -> dict[str, Tensor]:
        """Images {view: (b, c, x, y[, z])} -> logits {view: (b, out, x, y[, z])} by way of all tokens.

        Sizes that a token does not divide are padded with zeros at the end of each axis and cut back.
        """
        held = {view: to_slices(image) for view, image in images.items()}
        padded = {view: pad_to_multiple(x, self._token_stride(images[view].ndim - 2)) for view, x in held.items()}
        stemmed = {view: stems[view](x) for view, x in padded.items()}
        _, encoded = encoder([stem.tokens for stem in stemmed.values()])
        logits = {}
        for (view, stem), tokens in zip(stemmed.items(), encoded, strict=True):
            vit_map = tokens.reshape(tokens.shape[0], *stem.grid, -1).permute(0, 3, 1, 2, 4)
            y = self._decode(view, padded[view], [*stem.levels, vit_map])
            z_size, x_size, y_size = held[view].shape[1:4]
            logits[view] = from_slices(y[:, :z_size, :x_size, :y_size], images[view].ndim - 2)
        return logits

    def _token_stride(self, n_axes: int) -> Stride:
        x, y, z = self.strides[-1]
        return (x, y, z if n_axes == 3 else 1)

    def _decode(self, view: str, image: Tensor, maps: list[Tensor]) -> Tensor:
        for down in self.dec_down_blocks_dict[view].children():
            maps.append(down(maps[-1]))
        blocks = self.dec_conv_blocks_dict[view].children()
        adjusted = [block(x) for block, x in zip(blocks, maps, strict=True)]
        skips = dict(zip(self._skip_strides(), [self.dec_image_conv_block_dict[view](image), *adjusted], strict=True))
        path = self._path_strides()
        y = self.decoder_dict[view](skips[path[0]], [skips.get(stride) for stride in path[1:]])
        out: Tensor = self.pred_head_dict[view](y)
        return out
