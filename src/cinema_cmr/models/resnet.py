"""MONAI's 3D ResNet, as a baseline for classes and numbers of whole studies."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from cinema_cmr.core.errors import UsageError
from cinema_cmr.core.vocabulary import View

__all__ = ["ResNet", "ResNetConfig"]


@dataclass(frozen=True, kw_only=True)
class ResNetConfig:
    """View and depth of MONAI's ResNet."""

    view: str = "sax"
    out_chans: int
    in_chans: int = 2
    depth: Literal[10, 18, 34, 50] = 18
    widths: tuple[int, int, int, int] = (32, 64, 128, 256)

    def __post_init__(self) -> None:
        if self.depth not in (10, 18, 34, 50) or min(self.widths) < 1:
            raise UsageError(f"ResNet of depth {self.depth}, widths {self.widths}; expected 10, 18, 34 or 50, above 0")


class ResNet(nn.Module):
    """Images {view: (b, c, x, y, z)} -> (b, out): classes or numbers.

    Raises `UsageError` where MONAI is not installed, which only comparisons need.
    """

    def __init__(self, config: ResNetConfig) -> None:
        super().__init__()
        self.config = config
        self.network = _network(config)

    def forward(self, images: Mapping[str, Tensor]) -> Tensor:
        """Return logits or values; raises `UsageError` for other views."""
        if set(images) != {self.config.view}:
            raise UsageError(f"views {sorted(images)} given; this model was built for ['{self.config.view}']")
        image = images[self.config.view]
        # In bfloat16 on a CPU, torch 2.13's 3D convolutions with small kernels read memory that was never written:
        # results differed from run to run, and some gradients were NaN (LOG.md, 2026-11-29).
        with torch.autocast("cpu", enabled=False) if image.device.type == "cpu" else nullcontext():
            out: Tensor = self.network(image.float() if image.device.type == "cpu" else image)
        return out

    @property
    def views(self) -> tuple[View, ...]:
        """View of the model."""
        return (View(self.config.view),)


def _network(config: ResNetConfig) -> nn.Module:
    try:
        from monai.networks.nets.resnet import ResNet as Network
    except ImportError as error:
        raise UsageError("a ResNet is MONAI's, which is not installed: pip install 'cinema-cmr[bench]'") from error
    blocks = {10: [1, 1, 1, 1], 18: [2, 2, 2, 2], 34: [3, 4, 6, 3], 50: [3, 4, 6, 3]}
    network: nn.Module = Network(
        block="bottleneck" if config.depth == 50 else "basic",
        layers=blocks[config.depth],
        block_inplanes=list(config.widths),
        spatial_dims=3,
        n_input_channels=config.in_chans,
        conv1_t_size=(7, 7, 3),
        conv1_t_stride=(2, 2, 1),
        num_classes=config.out_chans,
    )
    return network
