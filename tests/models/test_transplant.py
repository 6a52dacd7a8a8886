"""A fine-tuning model starts with what the autoencoder learned, and with its own tables and heads."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
import torch
from small_models import UNETR, convvit, images, mae, unetr
from torch import nn

from cinema_cmr.core.errors import WeightsError
from cinema_cmr.models.blocks.mask_decoders import DecoderConfig
from cinema_cmr.models.convvit import ConvViT
from cinema_cmr.models.mae import CineMA
from cinema_cmr.models.transplant import SHARED_PARTS, transplant
from cinema_cmr.models.unetr import ConvUNetR, ConvUNetRConfig


def test_a_convvit_then_has_the_autoencoders_features() -> None:
    pretrained, model = mae(), convvit()
    taken = transplant(pretrained.state_dict(), model)
    assert any(key.startswith("enc_fusion_dict") for key in taken)
    with torch.no_grad():
        features = pretrained.features(images())
        answers = [model.pred_head_dict[name](x.mean(1)) for name, x in features.items()]
        assert torch.allclose(model(images()), sum(answers) / 3, atol=1e-5)


def test_a_segmentation_model_keeps_its_decoder_and_its_tables() -> None:
    config = ConvUNetRConfig(**{**vars(UNETR), "image_sizes": {"sax": (48, 48, 2)}})
    model = ConvUNetR(config)
    before = {name: x.clone() for name, x in model.state_dict().items()}
    pretrained = mae().state_dict()
    taken = set(transplant(pretrained, model))
    for name, x in model.state_dict().items():
        assert torch.equal(x, pretrained[name] if name in taken else before[name])
    kept = {name for name in before if name not in taken}
    assert "enc_down_dict.sax.pos_embed" in kept and "pred_head_dict.sax.weight" in kept
    assert not any(name.startswith(("encoder.", "enc_down_dict.sax.conv")) for name in kept)


def test_more_channels_repeat_the_first_convolution() -> None:
    model = convvit(in_chans=2)
    pretrained = mae().state_dict()
    transplant(pretrained, model)
    key = "enc_down_dict.sax.conv_blocks.0.patch_embed.conv.weight"
    wide = model.state_dict()[key]
    assert wide.shape[1] == 2
    assert torch.equal(wide[:, :1], pretrained[key]) and torch.equal(wide[:, 1:], pretrained[key])


def test_what_is_missing_is_named_and_the_model_untouched() -> None:
    model = unetr()
    before = {name: x.clone() for name, x in model.state_dict().items()}
    pretrained = {name: x for name, x in mae().state_dict().items() if "lax_4c" not in name}
    with pytest.raises(WeightsError, match=r"missing: enc_down_dict\.lax_4c"):
        transplant(pretrained, model)
    with pytest.raises(WeightsError, match=r"of another shape: .*encoder\.cls_token"):
        transplant({**mae().state_dict(), "encoder.cls_token": torch.zeros(1, 1, 8)}, model)
    assert all(torch.equal(x, before[name]) for name, x in model.state_dict().items())
    with pytest.raises(WeightsError, match=r"a Linear has no encoder .* --recipe sax-unetr"):
        transplant(pretrained, nn.Linear(1, 1))


def test_it_is_the_encoder_that_counts_not_the_class_of_the_checkpoint() -> None:
    """A ConvViT without fusion takes stems and encoder only."""
    model: ConvViT = convvit(read="cls")
    assert not any("fusion" in key for key in transplant(mae().state_dict(), model))


def test_a_network_of_the_same_decoder_takes_what_the_lessons_taught() -> None:
    config = ConvUNetRConfig(**{**vars(UNETR), "image_sizes": {"sax": mae().config.image_sizes["sax"]}})
    pretrained = CineMA(replace(mae().config, masks=masks_like(config)))
    model = ConvUNetR(config).eval()
    transplant(pretrained.state_dict(), model)
    stack = {"sax": torch.rand(1, 1, 48, 48, 3)}
    with torch.no_grad():
        assert torch.allclose(model(stack)["sax"], pretrained.eval().segment(stack)["sax"], atol=1e-5)


def test_of_another_number_of_classes_all_but_the_head_is_taken_and_of_other_widths_none() -> None:
    config = ConvUNetRConfig(**{**vars(UNETR), "image_sizes": {"sax": (48, 48, 2)}})
    pretrained = CineMA(replace(mae().config, masks=masks_like(config))).state_dict()
    more = ConvUNetR(replace(config, out_chans=config.out_chans + 1))
    taken = transplant(pretrained, more)
    assert any(name.startswith("decoder_dict.") for name in taken)
    assert not any(name.startswith("pred_head_dict.") for name in taken)
    wide = ConvUNetR(replace(config, dec_chans=tuple(2 * n for n in config.dec_chans)))
    assert all(name.startswith(SHARED_PARTS) for name in transplant(pretrained, wide))


def masks_like(config: ConvUNetRConfig) -> DecoderConfig:
    return DecoderConfig(**{field.name: getattr(config, field.name) for field in fields(DecoderConfig)})


def test_a_network_may_have_a_parameter_at_its_root() -> None:
    model = unetr()
    model.temperature = nn.Parameter(torch.ones(()))
    taught = CineMA(replace(mae().config, masks=masks_like(UNETR))).state_dict()
    assert transplant(mae().state_dict(), model) and transplant(taught, model)
