"""Stem and encoder come over from a pre-trained autoencoder, and nothing else does."""

from __future__ import annotations

import pytest
import torch
from small_models import SIZES, STEM, UNETR

from cinema_cmr.core.errors import WeightsError
from cinema_cmr.models.baselines import UNet2d, UNet2dConfig
from cinema_cmr.models.mae import CineMA, CineMAConfig
from cinema_cmr.models.transfer import take_encoder
from cinema_cmr.models.unetr import ConvUNetR
from cinema_cmr.models.vit import vit_size


def autoencoder(**changes: object) -> CineMA:
    torch.manual_seed(1)
    values = {"image_sizes": SIZES, "vit": vit_size("tiny"), "stem": STEM, **changes}
    return CineMA(CineMAConfig(**values))  # type: ignore[arg-type]


def test_stem_and_encoder_come_over_and_the_rest_stays() -> None:
    torch.manual_seed(0)
    model, given = ConvUNetR(UNETR), autoencoder()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    taken, source = take_encoder(model, given), given.state_dict()
    after = model.state_dict()
    assert all(torch.equal(after[name], source[name]) for name in taken)
    assert all(torch.equal(after[name], before[name]) for name in set(after) - set(taken))
    learned = [name for name in taken if not torch.equal(before[name], source[name])]
    assert any(name.startswith("encoder.") for name in learned)
    assert {name.split(".")[1] for name in learned if name.startswith("enc_down_dict.")} == set(SIZES)


def test_a_network_without_such_an_encoder_is_refused() -> None:
    with pytest.raises(WeightsError, match="no such stem"):
        take_encoder(UNet2d(UNet2dConfig(out_chans=4, chans=(4, 6))), autoencoder())


def test_an_encoder_of_another_size_is_refused() -> None:
    with pytest.raises(WeightsError, match="pre-trained encoder"):
        take_encoder(ConvUNetR(UNETR), autoencoder(vit=vit_size("small")))
