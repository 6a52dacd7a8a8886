"""Decoders give logits of the image's own size, whatever it is, and refuse too few widths."""

from __future__ import annotations

import pytest
import torch

from cinema_cmr.core.errors import UsageError
from cinema_cmr.models.blocks.mask_decoders import DecoderConfig, MaskDecoders
from cinema_cmr.models.stem import StemConfig, stems_of
from cinema_cmr.models.vit import Encoder, vit_size

STEM = StemConfig(chans=(4, 6), kernel=(3, 3, 1), n_blocks=1)
SIZES = DecoderConfig(out_chans=3, dec_chans=(4, 6, 8, 8), dec_kernel=(3, 3, 1), dropout=0.0)


@pytest.mark.parametrize("shape", [(32, 32, 3), (35, 50, 4)])
def test_logits_have_the_size_of_the_image(shape: tuple[int, int, int]) -> None:
    vit = vit_size("tiny")
    stems, encoder = stems_of({"sax": (32, 32, 3)}, STEM, in_chans=1, dim=vit.dim), Encoder(vit)
    decoders = MaskDecoders()
    decoders.add_decoders({"sax": 3}, SIZES, in_chans=1, dim=vit.dim, level_chans=STEM.chans, strides=STEM.strides)
    logits = decoders.logits({"sax": torch.rand(2, 1, *shape)}, stems=stems, encoder=encoder)
    assert logits["sax"].shape == (2, 3, *shape)


def test_too_few_widths_are_refused() -> None:
    with pytest.raises(UsageError, match="2 decoder widths for 2 stem levels"):
        DecoderConfig(out_chans=3, dec_chans=(4, 6)).check_levels(2)
