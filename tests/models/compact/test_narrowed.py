"""Narrower U-Nets: the same network at the same widths, nearly the same below, and what cannot be narrowed."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from cinema_cmr.core.errors import UsageError
from cinema_cmr.models.baselines import UNet2d, UNet2dConfig
from cinema_cmr.models.compact.narrowed import narrow_unet, same_labels


def network(*chans: int, across: int = 2) -> UNet2d:
    """A U-Net all of whose weights matter, those across slices too."""
    torch.manual_seed(0)
    net = UNet2d(UNet2dConfig(out_chans=3, chans=chans or (8, 12, 16), across=across))
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, nn.Conv3d):
                module.weight.normal_(std=0.1)
            elif isinstance(module, nn.GroupNorm):
                module.weight.uniform_(0.5, 1.5)
                module.bias.normal_(std=0.3)
    return net.eval()


def stacks(n: int = 4) -> list[Tensor]:
    """Smooth images, of which a channel explains its neighbours, as in those of a heart."""
    coarse = torch.randn(n, 1, 8, 8, 3, generator=torch.Generator().manual_seed(1))
    return [*nn.functional.interpolate(coarse, size=(32, 32, 3), mode="trilinear").split(1)]


def distance(one: UNet2d, other: UNet2d) -> float:
    """Mean square of the difference of the logits on images that were not fitted to, over their variance."""
    with torch.no_grad():
        pairs = [(one({"sax": x})["sax"], other({"sax": x})["sax"]) for x in stacks(8)[4:]]
    return float(sum((a - b).square().mean() for a, b in pairs) / sum(a.var() for a, _ in pairs))


def test_a_network_of_the_same_widths_computes_the_same() -> None:
    wide = network()
    same = narrow_unet(wide, [8, 12, 16], stacks())
    assert distance(wide, same) < 1e-3
    assert min(same_labels(wide, same, stacks(8)[4:], view="sax")) > 0.99


def test_a_narrower_network_is_near_and_a_random_one_is_not() -> None:
    wide, random = network(), network(6, 9, 12)
    narrow = narrow_unet(wide, [6, 9, 12], stacks())
    assert narrow.config.chans == (6, 9, 12) and narrow.config.across == 2
    assert distance(wide, narrow) < 0.3
    assert distance(wide, random) > 0.9
    assert sum(p.numel() for p in narrow.parameters()) < 0.6 * sum(p.numel() for p in wide.parameters())


def test_each_channel_that_is_given_up_costs() -> None:
    wide = network()
    costs = [distance(wide, narrow_unet(wide, chans, stacks())) for chans in ([7, 11, 15], [5, 8, 10], [2, 3, 4])]
    assert costs == sorted(costs)


def test_the_fit_is_drawn_from_its_seed_alone() -> None:
    one, again, other = (narrow_unet(network(), [4, 6, 8], stacks(), seed=seed) for seed in (0, 0, 1))
    assert all(map(torch.equal, one.state_dict().values(), again.state_dict().values()))
    assert not torch.equal(one.head.weight, other.head.weight)


def test_the_wide_network_is_left_as_it_was() -> None:
    wide = network()
    before = {name: weight.clone() for name, weight in wide.state_dict().items()}
    narrow_unet(wide, [4, 6, 8], stacks(2))
    assert all(torch.equal(weight, before[name]) for name, weight in wide.state_dict().items())


def test_planes_are_narrowed_as_stacks_of_one_slice_are() -> None:
    wide = network(across=0)
    planes = [stack[..., 0] for stack in stacks()]
    as_stacks = [plane[..., None] for plane in planes]
    one, other = narrow_unet(wide, [4, 6, 8], planes), narrow_unet(wide, [4, 6, 8], as_stacks)
    assert all(map(torch.equal, one.state_dict().values(), other.state_dict().values()))
    assert same_labels(wide, one, planes, view="sax") == same_labels(wide, one, as_stacks, view="sax")


@pytest.mark.parametrize("chans", [(8, 12), (8, 12, 17), (0, 6, 8), (8, 12, 16, 16)])
def test_channels_that_do_not_fit_are_an_error(chans: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match=r"channels .* of a network of \[8, 12, 16\]; expected 3 numbers"):
        narrow_unet(network(), chans, stacks(1))


def test_no_image_is_an_error() -> None:
    with pytest.raises(UsageError, match="no image to fit"):
        narrow_unet(network(), [4, 6, 8], [])


def test_labels_of_different_networks_are_compared_by_class() -> None:
    class Fixed(nn.Module):
        def __init__(self, labels: Tensor) -> None:
            super().__init__()
            self.logits = nn.functional.one_hot(labels, 3).movedim(-1, 1).float()

        def forward(self, images: dict[str, Tensor]) -> dict[str, Tensor]:
            return {"sax": self.logits[: len(images["sax"])]}

    one, other = Fixed(torch.tensor([[[0, 1, 1, 0]]])), Fixed(torch.tensor([[[0, 1, 0, 0]]]))
    assert same_labels(one, other, [torch.zeros(1, 1, 1, 4)], view="sax") == pytest.approx([2 / 3, 1.0])
