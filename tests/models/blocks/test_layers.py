"""The parts equal PyTorch's plain operations on images in the usual order."""

from __future__ import annotations

import pytest
import torch
from small_models import scrambled, seeded
from torch import nn
from torch.nn import functional as F

from cinema_cmr.models.blocks.layers import (
    Attention,
    Conv,
    ConvBlock,
    DropPath,
    PatchConv,
    PatchUp,
    ResidualBlock,
    TransformerBlock,
    checkpoint_activations,
    from_slices,
    group_patches,
    pad_to_multiple,
    to_slices,
)


@pytest.mark.parametrize("shape", [(2, 3, 6, 8), (2, 3, 6, 8, 4)])
def test_slices_go_back_to_the_image(shape: tuple[int, ...]) -> None:
    image = torch.randn(shape, generator=seeded(0))
    held = to_slices(image)
    assert held.shape == (2, 4 if len(shape) == 5 else 1, 6, 8, 3)
    assert torch.equal(from_slices(held, len(shape) - 2), image)


@pytest.mark.parametrize(
    ("kernel", "slices"),
    [((3, 3, 3), 4), ((3, 3, 3), 1), ((5, 5, 1), 4), ((1, 1, 1), 4), ((3, 3), 1), ((1, 1), 1)],
)
def test_convolution_by_slices(kernel: tuple[int, ...], slices: int) -> None:
    conv = scrambled(Conv(3, 5, kernel))
    image = torch.randn(2, 3, 7, 6, *([slices] if len(kernel) == 3 else []), generator=seeded(1))
    direct = F.conv3d if len(kernel) == 3 else F.conv2d
    expected = direct(image, conv.weight, conv.bias, padding=[k // 2 for k in kernel])  # type: ignore[operator]
    assert torch.allclose(from_slices(conv(to_slices(image)), len(kernel)), expected, atol=1e-5)


@pytest.mark.parametrize("size", [(2, 3, 2), (2, 3)])
def test_patch_convolutions_both_ways(size: tuple[int, ...]) -> None:
    n_axes = len(size)
    down, up = scrambled(PatchConv(3, 5, size)), scrambled(PatchUp(5, 3, size))
    image = torch.randn(2, 3, 4, 6, *([4] if n_axes == 3 else []), generator=seeded(2))
    conv, transposed = (F.conv3d, F.conv_transpose3d) if n_axes == 3 else (F.conv2d, F.conv_transpose2d)
    y = down(to_slices(image))
    expected = conv(image, down.weight, down.bias, stride=size)  # type: ignore[operator]
    assert torch.allclose(from_slices(y, n_axes), expected, atol=1e-5)
    back = transposed(expected, up.weight, up.bias, stride=size)  # type: ignore[operator]
    assert torch.allclose(from_slices(up(y), n_axes), back, atol=1e-5)


def test_patches_hold_their_pixels_channel_fastest() -> None:
    x, y, z, c = torch.meshgrid(*[torch.arange(n) for n in (4, 6, 2, 3)], indexing="ij")
    image = (1000 * x + 100 * y + 10 * z + c).permute(2, 0, 1, 3).unsqueeze(0)
    patch = group_patches(image, (2, 3, 1))[0, 1, 1, 0]
    assert patch.tolist() == [1000 * i + 100 * j + 10 + k for i in (2, 3) for j in (0, 1, 2) for k in (0, 1, 2)]


def test_padding_is_zeros_at_the_end() -> None:
    padded = pad_to_multiple(torch.ones(1, 3, 5, 4, 1), (4, 4, 2))
    assert padded.shape == (1, 4, 8, 4, 1)
    assert padded.sum() == 60 and padded[0, :3, :5].sum() == 60


def test_attention_is_softmax_over_the_context() -> None:
    part = scrambled(Attention(8, 2))
    x, context = torch.randn(2, 3, 8, generator=seeded(3)), torch.randn(2, 5, 8, generator=seeded(4))
    q = part.q(x).reshape(2, 3, 2, 4)  # type: ignore[operator]
    k, v = part.kv(context).reshape(2, 5, 2, 2, 4).unbind(2)  # type: ignore[operator]
    weights = torch.einsum("bnhd,bmhd->bhnm", q, k).div(2.0).softmax(-1)
    expected = part.proj(torch.einsum("bhnm,bmhd->bnhd", weights, v).flatten(2))  # type: ignore[operator]
    assert torch.allclose(part(x, context), expected, atol=1e-6)


def test_queries_do_not_see_each_other_when_a_context_is_given() -> None:
    block = scrambled(TransformerBlock(8, 2))
    x, context = torch.randn(1, 4, 8, generator=seeded(5)), torch.randn(1, 5, 8, generator=seeded(6))
    assert torch.allclose(block(x, context)[:, 1:2], block(x[:, 1:2], context), atol=1e-6)


def test_dropped_branches_keep_the_mean() -> None:
    torch.manual_seed(0)
    drop = DropPath(0.25).train()
    dropped = drop(torch.ones(4000, 2))
    assert dropped.unique().tolist() == pytest.approx([0.0, 4 / 3])
    assert torch.equal(dropped[:, 0], dropped[:, 1])
    assert dropped.mean().item() == pytest.approx(1.0, abs=0.04)
    assert torch.equal(drop.eval()(torch.ones(3, 2)), torch.ones(3, 2))


@pytest.mark.parametrize(
    ("block", "shape"),
    [
        (ConvBlock(4, (5, 5, 5)), (2, 3, 6, 6, 4)),
        (ResidualBlock(4, 6, (3, 3, 3), dropout=0.3), (2, 3, 6, 6, 4)),
        (TransformerBlock(8, 2, drop_path=0.3), (2, 5, 8)),
    ],
)
def test_recomputing_changes_no_gradient(block: nn.Module, shape: tuple[int, ...]) -> None:
    scrambled(block).train()
    x = torch.randn(shape, generator=seeded(7))

    def gradients(*, on: bool) -> list[torch.Tensor]:
        checkpoint_activations(block, on)
        torch.manual_seed(1)
        return list(torch.autograd.grad(block(x).square().sum(), list(block.parameters())))

    kept, recomputed = gradients(on=False), gradients(on=True)
    assert all(torch.equal(a, b) for a, b in zip(kept, recomputed, strict=True))
