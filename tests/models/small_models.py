"""Small networks, inputs and cards that the tests of this folder share."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from cinema_cmr.core.card import Grid, ModelCard
from cinema_cmr.core.vocabulary import View
from cinema_cmr.models.architectures import config_values
from cinema_cmr.models.stem import StemConfig
from cinema_cmr.models.unetr import ConvUNetR, ConvUNetRConfig
from cinema_cmr.models.vit import vit_size

STEM = StemConfig(chans=(4, 6))
SIZES: Mapping[str, tuple[int, ...]] = {"sax": (32, 48, 3), "lax_4c": (48, 32)}
UNETR = ConvUNetRConfig(
    image_sizes=SIZES, out_chans=4, vit=vit_size("tiny"), stem=STEM, dec_chans=(4, 4, 6, 6, 8)
)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def images(
    sizes: Mapping[str, tuple[int, ...]] = SIZES, *, batch: int = 2, chans: int = 1
) -> dict[str, Tensor]:
    return {
        view: torch.rand(batch, chans, *size, generator=seeded(len(size))) for view, size in sizes.items()
    }


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
