"""Blocks shared by all networks: convolution by slices, blocks of convolution and attention.

Inside the networks an image is held as (b, z, x, y, c): slices first, channels last. A long-axis frame has z
= 1. So one set of parts serves stacks and single planes, channel norms and pointwise layers act on the last
axis without a copy, and a convolution across slices is a sum of in-plane convolutions of shifted slices,
which is exact and, on a CPU, several times faster than a three-dimensional one. Weights keep the published
shapes, (out, in, x, y[, z]).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from cinema_cmr.models.blocks.depthwise import depthwise

__all__ = [
    "Attention",
    "Block",
    "Conv",
    "ConvBlock",
    "DropPath",
    "Mlp",
    "PatchConv",
    "PatchUp",
    "ResidualBlock",
    "TransformerBlock",
    "checkpoint_activations",
    "from_slices",
    "group_patches",
    "pad_to_multiple",
    "to_slices",
]


def to_slices(x: Tensor) -> Tensor:
    """(b, c, x, y) or (b, c, x, y, z) -> (b, z, x, y, c), contiguous."""
    if x.ndim == 4:
        x = x.unsqueeze(-1)
    return x.permute(0, 4, 2, 3, 1).contiguous()


def from_slices(x: Tensor, n_axes: int) -> Tensor:
    """(b, z, x, y, c) -> (b, c, x, y, z), or (b, c, x, y) where `n_axes` is 2."""
    x = x.permute(0, 4, 2, 3, 1)
    return x.squeeze(-1) if n_axes == 2 else x


def group_patches(x: Tensor, size: Sequence[int]) -> Tensor:
    """(b, z, x, y, c) -> (b, gz, gx, gy, p * q * r * c): patches flattened as (p, q, r, c), c fastest.

    `size` is (p, q) or (p, q, r); axes that the size does not divide are padded with zeros at their end.
    """
    p, q, r = (*size, 1)[:3]
    x = pad_to_multiple(x, (p, q, r))
    b, _, _, _, c = x.shape
    gz, gx, gy = x.shape[1] // r, x.shape[2] // p, x.shape[3] // q
    x = x.reshape(b, gz, r, gx, p, gy, q, c).permute(0, 1, 3, 5, 4, 6, 2, 7)
    return x.reshape(b, gz, gx, gy, p * q * r * c)


def pad_to_multiple(x: Tensor, size: Sequence[int]) -> Tensor:
    """(b, z, x, y, c) with zeros at the end of each axis that `size`, (x, y[, z]), does not divide."""
    p, q, r = (*size, 1)[:3]
    z, nx, ny = x.shape[1:4]
    pad = (0, 0, 0, -ny % q, 0, -nx % p, 0, -z % r)
    return F.pad(x, pad) if any(pad) else x


Mix = Callable[[nn.Module, Tensor], Tensor]
"""Applies a convolution to values that are not stored as an image."""


class Block(nn.Module):
    """A block with optional activation checkpointing: recomputed in the backward pass instead of stored."""

    activation_checkpointing = False
    """Activation checkpointing: less memory, more time, the same gradients."""
    compute: Callable[..., Tensor]
    """Method of each block that returns its output."""

    def forward(self, *inputs: Tensor | Mix | None) -> Tensor:
        """Run `compute`, with or without storing its activations."""
        if self.activation_checkpointing and torch.is_grad_enabled():
            y: Tensor = checkpoint(self.compute, *inputs, use_reentrant=False)
            return y
        return self.compute(*inputs)


def checkpoint_activations(model: nn.Module, on: bool = True) -> None:
    """Switch activation checkpointing of all blocks of a network on or off."""
    for part in model.modules():
        if isinstance(part, Block):
            part.activation_checkpointing = on


def _start(weight: nn.Parameter, bias: nn.Parameter, *, fan_in: int) -> None:
    """Start of a convolution, its bias not at zero: an empty patch would then be a vector of zeros, whose norm
    multiplies gradients by 1000 at each level until they overflow."""
    nn.init.kaiming_uniform_(weight, a=5**0.5)
    nn.init.uniform_(bias, -(fan_in**-0.5), fan_in**-0.5)


class Conv(nn.Module):
    """Convolution with "same" zero padding, stride one; (b, z, x, y, c) -> (b, z, x, y, out)."""

    def __init__(self, in_chans: int, out_chans: int, kernel: Sequence[int], *, groups: int = 1) -> None:
        super().__init__()
        self.groups = groups
        self.weight = nn.Parameter(torch.empty(out_chans, in_chans // groups, *kernel))
        self.bias = nn.Parameter(torch.empty(out_chans))
        _start(self.weight, self.bias, fan_in=self.weight[0].numel())

    def forward(self, x: Tensor) -> Tensor:
        kernel = self.weight.shape[2:]
        if all(k == 1 for k in kernel):
            y: Tensor = F.linear(x, self.weight.flatten(1), self.bias)
            return y
        if self.groups == x.shape[-1] == self.weight.shape[0] and x.device.type == "cpu":
            return depthwise(x, self.weight, self.bias)
        n_taps = kernel[2] if len(kernel) == 3 else 1
        middle = n_taps // 2
        out = self._in_plane(x, middle, with_bias=True)
        for tap in range(n_taps):
            shift = tap - middle
            if shift and abs(shift) < x.shape[1]:
                out = out + self._shifted(x, tap, shift)
        return out

    def _in_plane(self, x: Tensor, tap: int, *, with_bias: bool = False) -> Tensor:
        weight = self.weight[..., tap] if self.weight.ndim == 5 else self.weight
        b, z = x.shape[:2]
        planes = x.flatten(0, 1).permute(0, 3, 1, 2)
        padding = (weight.shape[2] // 2, weight.shape[3] // 2)
        weight = weight.contiguous(memory_format=torch.channels_last)
        bias = self.bias if with_bias else None
        out = F.conv2d(planes, weight, bias, padding=padding, groups=self.groups)
        return out.permute(0, 2, 3, 1).reshape(b, z, *x.shape[2:4], -1)

    def _shifted(self, x: Tensor, tap: int, shift: int) -> Tensor:
        """Contribution of slice z + shift to slice z; slices beyond the stack are zeros."""
        inside = x[:, shift:] if shift > 0 else x[:, :shift]
        before, after = max(0, -shift), max(0, shift)
        return F.pad(self._in_plane(inside, tap), (0, 0, 0, 0, 0, 0, before, after))


class PatchConv(nn.Module):
    """Convolution whose kernel equals its stride: one linear map of each patch, without padding."""

    def __init__(self, in_chans: int, out_chans: int, size: Sequence[int]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(out_chans, in_chans, *size))
        self.bias = nn.Parameter(torch.empty(out_chans))
        _start(self.weight, self.bias, fan_in=self.weight[0].numel())

    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight.movedim(1, -1).flatten(1)
        return F.linear(group_patches(x, self.weight.shape[2:]), weight, self.bias)


class PatchUp(nn.Module):
    """Transposed convolution whose kernel equals its stride: one linear map from a position to its patch."""

    def __init__(self, in_chans: int, out_chans: int, size: Sequence[int]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(in_chans, out_chans, *size))
        self.bias = nn.Parameter(torch.empty(out_chans))
        _start(self.weight, self.bias, fan_in=self.weight[0].numel())

    def forward(self, x: Tensor) -> Tensor:
        p, q, r = (*self.weight.shape[2:], 1)[:3]
        b, z, nx, ny, _ = x.shape
        weight = self.weight.movedim(1, -1).flatten(1).transpose(0, 1)
        y = F.linear(x, weight, self.bias.repeat(p * q * r)).reshape(b, z, nx, ny, p, q, r, -1)
        return y.permute(0, 1, 6, 2, 4, 3, 5, 7).reshape(b, z * r, nx * p, ny * q, -1)


class Mlp(nn.Module):
    """Two linear layers, an exact GELU between; `n_axes` gives them the shape of pointwise convolutions."""

    def __init__(self, dim: int, hidden: int, *, n_axes: int = 0) -> None:
        super().__init__()
        kernel = (1,) * n_axes
        self.fc1: nn.Module = Conv(dim, hidden, kernel) if n_axes else nn.Linear(dim, hidden)
        self.fc2: nn.Module = Conv(hidden, dim, kernel) if n_axes else nn.Linear(hidden, dim)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.fc2(F.gelu(self.fc1(x)))
        return y


class DropPath(nn.Module):
    """Stochastic depth: in training, a sample's branch is dropped with probability `rate`, else scaled up."""

    def __init__(self, rate: float = 0.0) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.rate == 0:
            return x
        keep = torch.rand((x.shape[0], *(1,) * (x.ndim - 1)), device=x.device) >= self.rate
        return x * keep.to(x.dtype) / (1 - self.rate)


class ConvBlock(Block):
    """A stem block: a depthwise convolution between pointwise ones, then an MLP, both residual."""

    def __init__(self, dim: int, kernel: Sequence[int], *, drop_path: float = 0.0) -> None:
        super().__init__()
        pointwise = (1,) * len(kernel)
        self.norm1 = nn.LayerNorm(dim, eps=1e-6)
        self.norm2 = nn.LayerNorm(dim, eps=1e-6)
        self.conv1 = Conv(dim, dim, pointwise)
        self.conv2 = Conv(dim, dim, pointwise)
        self.dw_conv = Conv(dim, dim, kernel, groups=dim)
        self.mlp = Mlp(dim, 4 * dim, n_axes=len(kernel))
        self.drop_path = DropPath(drop_path)

    def compute(self, x: Tensor, mix: Mix | None = None) -> Tensor:
        """`x` (b, z, x, y, c), or only its visible part; `mix` then applies the depthwise convolution."""
        y = self.conv1(self.norm1(x))
        y = self.dw_conv(y) if mix is None else mix(self.dw_conv, y)
        x = x + self.drop_path(self.conv2(y))
        out: Tensor = x + self.drop_path(self.mlp(self.norm2(x)))
        return out


class ResidualBlock(Block):
    """Norm, GELU, convolution, twice, dropout before the second; a pointwise shortcut if channels change."""

    def __init__(self, in_chans: int, out_chans: int, kernel: Sequence[int], *, dropout: float = 0.0) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(in_chans, eps=1e-6)
        self.norm2 = nn.LayerNorm(out_chans, eps=1e-6)
        self.conv1 = Conv(in_chans, out_chans, kernel)
        self.conv2 = Conv(out_chans, out_chans, kernel)
        self.dropout = nn.Dropout(dropout)
        self.shortcut = Conv(in_chans, out_chans, (1,) * len(kernel)) if in_chans != out_chans else None

    def compute(self, x: Tensor) -> Tensor:
        y = self.conv1(F.gelu(self.norm1(x)))
        y = self.conv2(self.dropout(F.gelu(self.norm2(y))))
        out: Tensor = y + (x if self.shortcut is None else self.shortcut(x))
        return out


class Attention(nn.Module):
    """Multi-head attention of queries (b, n, d) on `context` (b, m, d), or on themselves."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q = nn.Linear(dim, dim)
        self.kv = nn.Linear(dim, 2 * dim)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        q = self.q(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
        kv = self.kv(x if context is None else context).unflatten(-1, (2, self.heads, -1))
        k, v = kv.permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(q, k, v)
        out: Tensor = self.proj(y.transpose(1, 2).flatten(2))
        return out


class TransformerBlock(Block):
    """Pre-norm attention and MLP, both residual; a `context` is attended to as it is, not normalised."""

    def __init__(self, dim: int, heads: int, *, drop_path: float = 0.0) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=1e-5)
        self.attn = Attention(dim, heads)
        self.norm2 = nn.LayerNorm(dim, eps=1e-5)
        self.mlp = Mlp(dim, 4 * dim)
        self.drop_path = DropPath(drop_path)

    def compute(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        x = x + self.drop_path(self.attn(self.norm1(x), context))
        out: Tensor = x + self.drop_path(self.mlp(self.norm2(x)))
        return out
