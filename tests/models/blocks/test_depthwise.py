"""The depthwise convolution and its gradients equal PyTorch's own."""

from __future__ import annotations

import pytest
import torch
from small_models import seeded
from torch import Tensor
from torch.nn import functional as F

from cinema_cmr.models.blocks.depthwise import depthwise


def direct(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    image = x.permute(0, 4, 2, 3, 1)
    padding = [k // 2 for k in weight.shape[2:]]
    if weight.ndim == 4:
        y = F.conv2d(image.squeeze(-1), weight, bias, padding=padding, groups=x.shape[-1]).unsqueeze(-1)
    else:
        y = F.conv3d(image, weight, bias, padding=padding, groups=x.shape[-1])
    return y.permute(0, 4, 2, 3, 1)


CASES = [
    ((2, 3, 9, 10, 4), (5, 5, 5)),
    ((1, 1, 8, 4, 4), (5, 5, 5)),
    ((2, 1, 7, 13, 3), (5, 5)),
    ((1, 4, 6, 8, 2), (5, 5, 1)),
    ((1, 2, 5, 5, 2), (3, 7, 3)),
]


@pytest.mark.parametrize(("shape", "kernel"), CASES)
def test_it_equals_the_direct_form_forward_and_backward(shape: tuple[int, ...], kernel: tuple[int, ...]) -> None:
    generator = seeded(0)
    sizes = [shape, (shape[-1], 1, *kernel), (shape[-1],)]
    inputs = [torch.randn(s, generator=generator, dtype=torch.float64, requires_grad=True) for s in sizes]
    back = torch.randn(shape, generator=generator, dtype=torch.float64)
    y, expected = depthwise(*inputs), direct(*inputs)
    assert torch.allclose(y, expected, atol=1e-12)
    gradients = torch.autograd.grad(y, inputs, back)
    for found, wanted in zip(gradients, torch.autograd.grad(expected, inputs, back), strict=True):
        assert torch.allclose(found, wanted, atol=1e-11)


def test_bfloat16_is_as_close_as_its_precision() -> None:
    generator = seeded(1)
    sizes = [(1, 3, 16, 16, 4), (4, 1, 5, 5, 5), (4,)]
    exact = [torch.randn(s, generator=generator).bfloat16().float().requires_grad_() for s in sizes]
    half = [x.detach().bfloat16().requires_grad_() for x in exact]
    back = torch.randn(sizes[0], generator=generator).bfloat16()
    wanted = torch.autograd.grad(depthwise(*exact), exact, back.float())
    for found, expected in zip(torch.autograd.grad(depthwise(*half), half, back), wanted, strict=True):
        assert found.dtype == torch.bfloat16
        assert (found.float() - expected).abs().max() < 0.01 * expected.abs().max()


def test_under_autocast_parameters_keep_float32_gradients() -> None:
    weight = torch.randn(4, 1, 5, 5, generator=seeded(2), requires_grad=True)
    x = torch.randn(1, 1, 8, 8, 4, generator=seeded(3), requires_grad=True)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = depthwise(x, weight, torch.zeros(4))
    y.float().square().sum().backward()
    assert y.dtype == torch.bfloat16
    assert weight.grad is not None and weight.grad.dtype == torch.float32
    assert x.grad is not None and x.grad.dtype == torch.float32
