"""The plain U-Net: slices for themselves, samples for themselves, sizes it was not built for refused."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import conv3d, instance_norm, leaky_relu

from cinema_cmr.core.errors import UsageError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.models.architectures import build, config_values
from cinema_cmr.models.baselines import AcrossSlices, UNet2d, UNet2dConfig

CONFIG = UNet2dConfig(out_chans=4, chans=(4, 6, 8))


def network() -> UNet2d:
    torch.manual_seed(0)
    return UNet2d(CONFIG).eval()


def stack(*shape: int) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(1))


@torch.no_grad()
def test_logits_have_the_image_s_size() -> None:
    out = network()({"sax": stack(2, 1, 16, 24, 3)})
    assert set(out) == {"sax"} and out["sax"].shape == (2, 4, 16, 24, 3)


@torch.no_grad()
def test_every_slice_and_every_sample_stands_for_itself() -> None:
    images = stack(2, 1, 16, 24, 3)
    whole = network()({"sax": images})["sax"]
    for sample in range(2):
        for z in range(3):
            alone = network()({"sax": images[sample : sample + 1, ..., z : z + 1]})["sax"]
            assert torch.allclose(whole[sample, ..., z], alone[0, ..., 0], atol=1e-5)


def test_every_weight_learns() -> None:
    net = network()
    net({"sax": stack(1, 1, 16, 16, 2)})["sax"].square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in net.parameters())


def test_another_view_or_a_size_it_cannot_halve_is_refused() -> None:
    with pytest.raises(UsageError, match="built for"):
        network()({"lax_4c": stack(1, 1, 16, 16, 1)})
    for size in ((18, 16), (16, 4)):
        with pytest.raises(UsageError, match="multiples of 4 from 8 on"):
            network()({"sax": stack(1, 1, *size, 2)})
    with pytest.raises(UsageError, match="two resolutions"):
        UNet2dConfig(out_chans=4, chans=(8,))


def test_it_is_built_from_plain_values_and_tells_its_view() -> None:
    again = build("unet2d", config_values(CONFIG))
    assert isinstance(again, UNet2d) and again.config == CONFIG and again.views == (View.SAX,)
    assert {n: p.shape for n, p in again.named_parameters()} == {n: p.shape for n, p in network().named_parameters()}


@torch.no_grad()
def test_slices_meet_where_they_are_let_and_stacks_stay_apart() -> None:
    torch.manual_seed(0)
    model = UNet2d(UNet2dConfig(out_chans=4, chans=(4, 6, 8), across=2)).eval()
    given = stack(2, 1, 16, 16, 4)
    alone = torch.cat([model({"sax": given[..., z : z + 1]})["sax"] for z in range(4)], dim=-1)
    assert torch.allclose(model({"sax": given})["sax"], alone, atol=1e-5)  # they begin as if they did not meet
    for name, weight in model.named_parameters():
        if "across" in name and name.endswith("conv.weight"):
            weight.copy_(torch.rand(weight.shape, generator=torch.Generator().manual_seed(2)))
    changed = given.clone()
    changed[0, ..., 3] += 1
    moved = (model({"sax": changed})["sax"] - model({"sax": given})["sax"]).abs().amax(dim=(1, 2, 3))
    assert (moved[0] > 1e-4).all() and moved[1].max() == 0


@torch.no_grad()
def test_slices_meet_by_a_convolution_along_z_of_normed_planes() -> None:
    torch.manual_seed(3)
    its = AcrossSlices(5).eval()
    for weight in its.parameters():
        weight.copy_(torch.rand(weight.shape))
    planes = stack(8, 5, 6, 7)
    normed = leaky_relu(instance_norm(planes, weight=its.norm.weight, bias=its.norm.bias), 0.01)
    stacks = normed.reshape(2, 4, 5, 6, 7).movedim(1, 2)
    added = conv3d(stacks, its.conv.weight, padding=(1, 0, 0)).movedim(2, 1).reshape(8, 5, 6, 7)
    assert torch.allclose(its(planes, 4), planes + added, atol=1e-5)


@torch.no_grad()
def test_several_views_share_the_weights_and_single_planes_stay_planes() -> None:
    both = UNet2d(UNet2dConfig(view="lax_2c", also=("lax_4c",), out_chans=3, chans=(4, 6, 8))).eval()
    plane = stack(2, 1, 16, 24)
    out = both({"lax_4c": plane, "lax_2c": plane})
    assert out["lax_4c"].shape == (2, 3, 16, 24) and torch.equal(out["lax_4c"], out["lax_2c"])
    assert both.views == (View.LAX_2C, View.LAX_4C)
    with pytest.raises(UsageError, match="each once"):
        UNet2dConfig(view="sax", also=("sax",), out_chans=3)
