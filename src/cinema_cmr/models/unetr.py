"""ConvUNetR: stem and encoder with a convolutional decoder, for segmentation and landmark heatmaps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor

from cinema_cmr.core.errors import UsageError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.models.blocks.mask_decoders import DecoderConfig, MaskDecoders
from cinema_cmr.models.stem import StemConfig, stems_of
from cinema_cmr.models.vit import Encoder, VitConfig

__all__ = ["ConvUNetR", "ConvUNetRConfig"]


@dataclass(frozen=True, kw_only=True)
class ConvUNetRConfig(DecoderConfig):
    """Architecture of a ConvUNetR."""

    image_sizes: Mapping[str, tuple[int, ...]]
    """View -> (x, y, z) of a stack or (x, y) of a plane: the size of the position tables."""
    vit: VitConfig
    in_chans: int = 1
    stem: StemConfig = field(default_factory=StemConfig)
    drop_path: float = 0.1

    def __post_init__(self) -> None:
        self.check_levels(len(self.stem.chans))


class ConvUNetR(MaskDecoders):
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
        self.add_decoders(
            self.n_axes,
            config,
            in_chans=config.in_chans,
            dim=dim,
            level_chans=config.stem.chans,
            strides=config.stem.strides,
        )

    def forward(self, images: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the logits of every given view; see the class for shapes."""
        views = [view for view in images if view in self.n_axes]
        if not views or len(views) != len(images):
            raise UsageError(f"views {sorted(images)} given; this model was built for {sorted(self.n_axes)}")
        return self.logits(images, stems=self.enc_down_dict, encoder=self.encoder)

    @property
    def views(self) -> tuple[View, ...]:
        """Views of the model."""
        return tuple(View(view) for view in self.n_axes)
