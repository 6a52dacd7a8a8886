"""ConvUNetR answers on the input's own grid, for any size and subset of views, sample by sample."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from small_models import SIZES, UNETR, images, unetr

from cinema_cmr.core.errors import UsageError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.models.blocks.layers import checkpoint_activations
from cinema_cmr.models.stem import StemConfig
from cinema_cmr.models.unetr import ConvUNetR


@pytest.mark.parametrize(
    "sizes",
    [SIZES, {"sax": (32, 48, 3)}, {"lax_4c": (37, 50)}, {"sax": (50, 33, 5)}, {"sax": (16, 16, 1)}],
)
def test_logits_lie_on_the_grid_of_the_input(sizes: dict[str, tuple[int, ...]]) -> None:
    with torch.no_grad():
        logits = unetr()(images(sizes))
    assert {view: x.shape for view, x in logits.items()} == {v: (2, 4, *size) for v, size in sizes.items()}
    assert all(torch.isfinite(x).all() for x in logits.values())


@pytest.mark.medium
def test_a_batch_equals_its_samples_one_by_one() -> None:
    model, batch = unetr(), images()
    with torch.no_grad():
        together = model(batch)
        for index in range(2):
            alone = model({view: x[index : index + 1] for view, x in batch.items()})
            for view, logits in alone.items():
                # Channel norms of so few channels amplify rounding.
                assert torch.allclose(logits[0], together[view][index], atol=1e-3)


def test_padding_at_the_end_changes_little_where_it_is_zero_anyway() -> None:
    """A frame that ends in zeros may be given with or without them up to the next multiple of 16."""
    x = images({"lax_4c": (48, 32)})["lax_4c"]
    x[:, :, 40:] = 0
    model = unetr()
    with torch.no_grad():
        whole, cut = model({"lax_4c": x})["lax_4c"], model({"lax_4c": x[:, :, :40]})["lax_4c"]
    assert torch.equal(whole[:, :, :40], cut)


@pytest.mark.medium
def test_recomputing_changes_no_gradient() -> None:
    model, batch = unetr(), images({"sax": (32, 32, 2)})
    gradients = []
    for on in (False, True):
        checkpoint_activations(model, on)
        model.zero_grad()
        model(batch)["sax"].square().mean().backward()
        gradients.append([p.grad for p in model.parameters() if p.grad is not None])
    assert len(gradients[0]) == len(gradients[1]) > 100
    assert all(torch.equal(a, b) for a, b in zip(*gradients, strict=True))


def test_unknown_views_and_none_are_refused() -> None:
    model = unetr()
    assert model.views == (View.SAX, View.LAX_4C)
    for wrong in ({}, {"lax_2c": torch.zeros(1, 1, 16, 16)}):
        with pytest.raises(UsageError, match=r"this model was built for \['lax_4c', 'sax'\]"):
            model(wrong)


def test_a_decoder_too_short_for_its_stem_is_refused() -> None:
    with pytest.raises(UsageError, match="expected at least two more"):
        replace(UNETR, dec_chans=(4, 4, 6))


def test_slices_can_be_kept_apart_up_to_the_tokens() -> None:
    config = replace(UNETR, stem=StemConfig(chans=(4, 6), kernel=(5, 5, 1)), dec_kernel=(3, 3, 1))
    model = ConvUNetR(config).eval()
    image = images({"sax": (32, 32, 3)})["sax"]
    with torch.no_grad():
        levels = model.enc_down_dict["sax"](image.permute(0, 4, 2, 3, 1)).levels
        alone = model.enc_down_dict["sax"](image[..., 1:2].permute(0, 4, 2, 3, 1)).levels
    for level, one in zip(levels, alone, strict=True):
        assert torch.allclose(level[:, 1:2], one, atol=1e-5)
