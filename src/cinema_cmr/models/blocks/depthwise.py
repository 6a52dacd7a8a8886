"""Depthwise convolution of stacks and planes on a CPU, with a weight gradient made of matrix products.

PyTorch's own weight gradient of a depthwise convolution takes most of the time of a stem's backward pass,
above all in bfloat16. Here the gradient at the output is cut into tiles of 4 x 4 positions and the input into
the windows that reach them; the products of the two, summed over all tiles, hold every tap, several times,
and are added up.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["depthwise"]

_TILE = 4


def depthwise(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """(b, z, x, y, c) with a weight (c, 1, kx, ky[, kz]) of odd sizes, zeros around -> (b, z, x, y, c)."""
    y: Tensor = _Depthwise.apply(x, weight, bias)  # type: ignore[no-untyped-call]
    return y


class _Context(Protocol):
    """Tensors and values that the forward pass stores for the backward pass."""

    saved_tensors: tuple[Tensor, ...]
    needs_input_grad: tuple[bool, ...]
    bias_dtype: torch.dtype

    def save_for_backward(self, *tensors: Tensor) -> None: ...


class _Depthwise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: _Context, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.bias_dtype = bias.dtype
        return _convolved(x, weight, bias)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: _Context, grad: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        x, weight = ctx.saved_tensors
        grad = grad.contiguous()
        to_x = to_weight = to_bias = None
        if ctx.needs_input_grad[0]:
            # The adjoint of a "same" convolution is the one with the kernel turned round.
            flipped = weight.flip(tuple(range(2, weight.ndim))).to(grad.dtype)
            to_x = _convolved(grad, flipped, None).to(x.dtype)
        if ctx.needs_input_grad[1]:
            to_weight = _weight_gradient(x.to(grad.dtype), grad, weight.shape[2:]).to(weight.dtype)
        if ctx.needs_input_grad[2]:
            to_bias = grad.flatten(0, 3).sum(0, dtype=torch.promote_types(grad.dtype, torch.float32)).to(ctx.bias_dtype)
        return to_x, to_weight, to_bias


def _convolved(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    b, z = x.shape[:2]
    padding = [k // 2 for k in weight.shape[2:]]
    if weight.ndim == 5 and z > 1 and weight.shape[4] > 1:
        kernel = weight.permute(0, 1, 4, 2, 3).contiguous(memory_format=torch.channels_last_3d)
        order = (padding[2], padding[0], padding[1])
        stack = F.conv3d(x.permute(0, 4, 1, 2, 3), kernel, bias, padding=order, groups=x.shape[-1])
        return stack.permute(0, 2, 3, 4, 1)
    # Of a single slice, only the middle of the kernel sees anything.
    kernel = weight[..., padding[2]] if weight.ndim == 5 else weight
    kernel = kernel.contiguous(memory_format=torch.channels_last)
    planes = x.flatten(0, 1).permute(0, 3, 1, 2)
    out = F.conv2d(planes, kernel, bias, padding=padding[:2], groups=x.shape[-1])
    return out.permute(0, 2, 3, 1).reshape(b, z, *x.shape[2:])


def _weight_gradient(x: Tensor, grad: Tensor, kernel: Sequence[int]) -> Tensor:
    """(c, 1, kx, ky[, kz]), added up in float32 at least.

    One sample at a time, since the windows are four times as large as the input.
    """
    kx, ky, kz = (*kernel, 1)[:3]
    exact = torch.promote_types(x.dtype, torch.float32)
    total = x.new_zeros((x.shape[-1], kz, kx, ky), dtype=exact)
    for image, back in zip(x, grad, strict=True):
        windows = _windows(image, (kx, ky, kz))
        tiles = _tiles(back)
        for tap in range(kz):
            rows = windows[:, tap : tap + image.shape[0]].flatten(1, 2)
            product = torch.bmm(tiles, rows).to(exact)
            total[:, tap] += _summed_taps(product, kx, ky)
    taps = total.permute(0, 2, 3, 1).unsqueeze(1)
    return taps if len(kernel) == 3 else taps.squeeze(-1)


def _windows(image: Tensor, kernel: tuple[int, int, int]) -> Tensor:
    """(z, x, y, c) -> (c, z + kz - 1, tiles, window): the input window of each output tile in one slice."""
    kx, ky, kz = kernel
    nx, ny = image.shape[1:3]
    pad = (ky // 2, ky // 2 + -ny % _TILE, kx // 2, kx // 2 + -nx % _TILE, kz // 2, kz // 2)
    padded = F.pad(image.permute(3, 0, 1, 2), pad)
    cut = padded.unfold(2, _TILE + kx - 1, _TILE).unfold(3, _TILE + ky - 1, _TILE)
    return cut.reshape(*cut.shape[:2], cut.shape[2] * cut.shape[3], -1)


def _tiles(image: Tensor) -> Tensor:
    """(z, x, y, c) -> (c, tile, z * tiles)."""
    nz, nx, ny, c = image.shape
    padded = F.pad(image, (0, 0, 0, -ny % _TILE, 0, -nx % _TILE))
    cut = padded.reshape(nz, padded.shape[1] // _TILE, _TILE, padded.shape[2] // _TILE, _TILE, c)
    return cut.permute(5, 2, 4, 0, 1, 3).reshape(c, _TILE * _TILE, -1)


def _summed_taps(product: Tensor, kx: int, ky: int) -> Tensor:
    """(c, tile, window) -> (c, kx, ky): each position of a tile holds all taps, shifted by its place."""
    cells = product.reshape(-1, _TILE, _TILE, _TILE + kx - 1, _TILE + ky - 1)
    total = torch.zeros_like(cells[:, 0, 0, :kx, :ky])
    for i in range(_TILE):
        for j in range(_TILE):
            total += cells[:, i, j, i : i + kx, j : j + ky]
    return total
