"""ConvUNetR: stem and encoder with a convolutional decoder, for segmentation and landmark heatmaps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from torch import Tensor, nn

from cinema_cmr.core.errors import UsageError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.models.blocks.layers import (
    Conv,
    PatchConv,
    PatchUp,
    ResidualBlock,
    from_slices,
    pad_to_multiple,
    to_slices,
)
from cinema_cmr.models.stem import StemConfig, stems_of
from cinema_cmr.models.vit import Encoder, VitConfig

__all__ = ["ConvUNetR", "ConvUNetRConfig"]

Stride = tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class ConvUNetRConfig:
    """Architecture of a ConvUNetR."""

    image_sizes: Mapping[str, tuple[int, ...]]
    """View -> (x, y, z) of a stack or (x, y) of a plane: the size of the position tables."""
    out_chans: int
    """Number of classes with the background, or of heatmaps."""
    vit: VitConfig
    in_chans: int = 1
    stem: StemConfig = field(default_factory=StemConfig)
    dec_chans: tuple[int, ...] = (32, 64, 128, 256, 512)
    """Channels of the decoder, from full resolution down."""
    dec_scale_factor: tuple[int, int, int] = (2, 2, 1)
    """Factor between decoder resolutions."""
    dec_kernel: tuple[int, int, int] = (3, 3, 3)
    """Kernel of the decoder's convolutions; (3, 3, 1) keeps slices apart."""
    dropout: float = 0.1
    """Dropout in the blocks that adjust channels and in the image block."""
    drop_path: float = 0.1

    def __post_init__(self) -> None:
        if len(self.dec_chans) < len(self.stem.chans) + 2:
            raise UsageError(
                f"{len(self.dec_chans)} decoder widths for {len(self.stem.chans)} stem levels; "
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


class ConvUNetR(nn.Module):
    """Images {view: (b, c, x, y[, z])} -> logits {view: (b, out, x, y[, z])}; any size, any subset of views.

    Sizes that the network's strides do not divide are padded with zeros at the end of each axis and cut back.
    """

    def __init__(self, config: ConvUNetRConfig) -> None:
        super().__init__()
        self.config = config
        self.n_axes = {view: len(size) for view, size in config.image_sizes.items()}
        dim = config.vit.dim
        self.encoder = Encoder(config.vit, drop_path=config.drop_path)
        self.enc_down_dict = stems_of(config.image_sizes, config.stem, in_chans=config.in_chans, dim=dim)
        self.dec_image_conv_block_dict = nn.ModuleDict()
        self.dec_down_blocks_dict = nn.ModuleDict()
        self.dec_conv_blocks_dict = nn.ModuleDict()
        self.decoder_dict = nn.ModuleDict()
        self.pred_head_dict = nn.ModuleDict()
        for view, size in config.image_sizes.items():
            self._add_decoder(view, len(size))

    def _add_decoder(self, view: str, n_axes: int) -> None:
        config = self.config
        kernel, factor = config.dec_kernel[:n_axes], config.dec_scale_factor[:n_axes]
        dim, first, dropout = config.vit.dim, config.dec_chans[0], config.dropout
        n_down = len(config.dec_chans) - len(config.stem.chans) - 2
        sources = [*config.stem.chans, dim, *[dim] * n_down]
        self.dec_image_conv_block_dict[view] = ResidualBlock(config.in_chans, first, kernel, dropout=dropout)
        self.dec_down_blocks_dict[view] = nn.ModuleList(PatchConv(dim, dim, factor) for _ in range(n_down))
        self.dec_conv_blocks_dict[view] = nn.ModuleList(
            ResidualBlock(a, b, kernel, dropout=dropout) for a, b in zip(sources, config.dec_chans[1:], strict=True)
        )
        widths = {stride: width for stride, width in zip(self._skip_strides(), config.dec_chans, strict=True)}
        path = self._path_strides()
        chans = [widths.get(stride, first) for stride in path]
        self.decoder_dict[view] = UpPath([UpBlock(a, b, factor, kernel) for a, b in pairwise(chans)])
        self.pred_head_dict[view] = Conv(first, config.out_chans, (1,) * n_axes)

    def _skip_strides(self) -> list[Stride]:
        """Pixels per position of each map that enters the decoder, from full resolution down."""
        strides: list[Stride] = [(1, 1, 1), *self.config.stem.strides]
        while len(strides) < len(self.config.dec_chans):
            strides.append(tuple(a * b for a, b in zip(strides[-1], self.config.dec_scale_factor, strict=True)))
        return strides

    def _path_strides(self) -> list[Stride]:
        """Pixels per position along the way up, deepest first, down to (1, 1, 1)."""
        path = [self._skip_strides()[-1]]
        while path[-1] != (1, 1, 1):
            path.append(tuple(max(1, a // b) for a, b in zip(path[-1], self.config.dec_scale_factor, strict=True)))
        return path

    def forward(self, images: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the logits of every given view; see the class for shapes."""
        views = [view for view in images if view in self.n_axes]
        if not views or len(views) != len(images):
            raise UsageError(f"views {sorted(images)} given; this model was built for {sorted(self.n_axes)}")
        held = {view: to_slices(images[view]) for view in views}
        padded = {
            view: pad_to_multiple(x, self.config.stem.token_stride(self.n_axes[view])) for view, x in held.items()
        }
        stems = {view: self.enc_down_dict[view](x) for view, x in padded.items()}
        _, encoded = self.encoder([stems[view].tokens for view in views])
        logits = {}
        for view, tokens in zip(views, encoded, strict=True):
            gx, gy, gz = stems[view].grid
            vit_map = tokens.reshape(tokens.shape[0], gx, gy, gz, -1).permute(0, 3, 1, 2, 4)
            y = self._decode(view, padded[view], stems[view].levels, vit_map)
            z_size, x_size, y_size = held[view].shape[1:4]
            logits[view] = from_slices(y[:, :z_size, :x_size, :y_size], images[view].ndim - 2)
        return logits

    def _decode(self, view: str, image: Tensor, levels: list[Tensor], vit_map: Tensor) -> Tensor:
        maps = [*levels, vit_map]
        for down in self.dec_down_blocks_dict[view].children():
            maps.append(down(maps[-1]))
        blocks = self.dec_conv_blocks_dict[view].children()
        adjusted = [block(x) for block, x in zip(blocks, maps, strict=True)]
        skips = dict(zip(self._skip_strides(), [self.dec_image_conv_block_dict[view](image), *adjusted], strict=True))
        path = self._path_strides()
        y = self.decoder_dict[view](skips[path[0]], [skips.get(stride) for stride in path[1:]])
        out: Tensor = self.pred_head_dict[view](y)
        return out

    @property
    def views(self) -> tuple[View, ...]:
        """Views of the model."""
        return tuple(View(view) for view in self.n_axes)
