"""Masks of tokens, and computation on the visible tokens only.

Token indices count along x, y, z with z fastest. The number of visible tokens is the same for all samples of
a batch and known from shapes alone, so that nothing waits for the device.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cinema_cmr.core.errors import UsageError
from cinema_cmr.models.blocks.layers import group_patches

__all__ = ["TokenMask", "VisibleMix", "draw_masks", "pick_tokens", "visible_patches"]


def draw_masks(n_tokens: int, ratio: float, rng: np.random.Generator, *, n_masks: int) -> NDArray[np.bool_]:
    """Draw complementary masks (n_masks, n_tokens), True where masked; no token is visible in two of them.

    Each has int(n_tokens * (1 - ratio)) visible tokens, drawn uniformly. Raises `UsageError` if so many masks need more
    tokens than there are.
    """
    if not 0 <= ratio < 1:
        raise UsageError(f"mask ratio {ratio}; expected 0 or more and below 1")
    n_visible = int(n_tokens * (1 - ratio))
    if n_masks * n_visible > n_tokens:
        raise UsageError(f"{n_masks} masks with {n_visible} visible tokens each, of {n_tokens}; expected fewer masks")
    masks = np.ones((n_masks, n_tokens), dtype=np.bool_)
    shown = rng.permutation(n_tokens)[: n_masks * n_visible].reshape(n_masks, n_visible)
    np.put_along_axis(masks, shown, False, axis=1)
    return masks


@dataclass(frozen=True, kw_only=True)
class TokenMask:
    """Indices of the visible tokens of one view and of the masked tokens to predict.

    Other tokens are neither visible nor predicted.
    """

    visible: Tensor
    """(b, k)"""
    masked: Tensor
    """(b, m)"""

    @classmethod
    def of(cls, mask: Tensor) -> TokenMask:
        """Return the indices of a mask (b, l), True where masked, in ascending order; every masked token is predicted.

        Raises `UsageError` if samples differ in their number of masked tokens.

        The check reads the numbers: make masks on the CPU, where batches are made, and move them with `to`.
        """
        if mask.ndim != 2 or mask.dtype != torch.bool:
            raise UsageError(f"mask of shape {tuple(mask.shape)}, {mask.dtype}; expected bool (samples, tokens)")
        counts = sorted(set(mask.sum(1).tolist()))
        if len(counts) != 1:
            raise UsageError(f"samples of one batch have {counts} masked tokens; expected as many in each")
        order = mask.to(torch.uint8).argsort(dim=1, stable=True)
        n_visible = mask.shape[1] - int(counts[0])
        return cls(visible=order[:, :n_visible].contiguous(), masked=order[:, n_visible:].contiguous())

    def to(self, device: torch.device | str) -> TokenMask:
        """Return a copy on another device."""
        visible, masked = (x.to(device, non_blocking=True) for x in (self.visible, self.masked))
        return TokenMask(visible=visible, masked=masked)

    @property
    def n_tokens(self) -> int:
        """Number of visible and predicted tokens of the view."""
        return self.visible.shape[1] + self.masked.shape[1]


def pick_tokens(x: Tensor, index: Tensor) -> Tensor:
    """Return the tokens (b, k, ...) of x (b, l, ...) at index (b, k), without repeated indices in a sample."""
    rows = _rows(index, x.shape[1])
    return _pick(x.reshape(-1, *x.shape[2:]), rows).reshape(*index.shape, *x.shape[2:])


def visible_patches(x: Tensor, visible: Tensor, stride: Sequence[int]) -> Tensor:
    """Return the patches of an image (b, z, x, y, c) at visible tokens (b, k), as images (b * k, z, x, y, c)."""
    p, q, r = stride
    patches = group_patches(x, stride).permute(0, 2, 3, 1, 4).flatten(1, 3)
    picked = pick_tokens(patches, visible).reshape(-1, p, q, r, x.shape[-1])
    return picked.permute(0, 3, 1, 2, 4)


class VisibleMix:
    """Applies a convolution to the positions of visible tokens, as if the masked ones held zeros.

    The values (b * k, z, x, y, c) are laid out as the image they belong to, convolved there, and picked
    again. This is exact, for any convolution that keeps the grid.
    """

    def __init__(self, visible: Tensor, grid: Sequence[int], inside: Sequence[int]) -> None:
        (gx, gy, gz), (px, py, pz) = grid, inside
        self.shape = (visible.shape[0], gz * pz, gx * px, gy * py)
        token = visible.reshape(-1, 1, 1, 1)
        device = visible.device
        sample = torch.arange(visible.shape[0], device=device).repeat_interleave(visible.shape[1])
        z = (token % gz) * pz + torch.arange(pz, device=device).reshape(-1, 1, 1)
        x = (token // (gy * gz)) * px + torch.arange(px, device=device).reshape(-1, 1)
        y = (token // gz % gy) * py + torch.arange(py, device=device)
        slices = sample.reshape(-1, 1, 1, 1) * self.shape[1] + z
        self.rows = ((slices * self.shape[2] + x) * self.shape[3] + y).flatten()

    def __call__(self, conv: nn.Module, y: Tensor) -> Tensor:
        """(b * k, z, x, y, c) -> (b * k, z, x, y, out)"""
        b, nz, nx, ny = self.shape
        spread = _spread(y.reshape(-1, y.shape[-1]), self.rows, b * nz * nx * ny)
        out = conv(spread.reshape(*self.shape, -1))
        picked = _pick(out.reshape(-1, out.shape[-1]), self.rows)
        return picked.reshape(*y.shape[:-1], -1)


def _rows(index: Tensor, n_tokens: int) -> Tensor:
    first = torch.arange(index.shape[0], device=index.device).unsqueeze(1) * n_tokens
    return (index + first).flatten()


def _pick(x: Tensor, rows: Tensor) -> Tensor:
    picked: Tensor = _Pick.apply(x, rows)  # type: ignore[no-untyped-call]
    return picked


def _spread(x: Tensor, rows: Tensor, n_rows: int) -> Tensor:
    spread: Tensor = _Spread.apply(x, rows, n_rows)  # type: ignore[no-untyped-call]
    return spread


class _Context(Protocol):
    """Tensors and values that the forward pass stores for the backward pass."""

    saved_tensors: tuple[Tensor, ...]
    n_rows: int

    def save_for_backward(self, *tensors: Tensor) -> None: ...


class _Pick(torch.autograd.Function):
    """Selects rows, none twice, so that the gradient is a copy, where PyTorch would sum."""

    @staticmethod
    def forward(ctx: _Context, x: Tensor, rows: Tensor) -> Tensor:
        ctx.save_for_backward(rows)
        ctx.n_rows = x.shape[0]
        return x.index_select(0, rows)

    @staticmethod
    def backward(ctx: _Context, *grads: Tensor) -> tuple[Tensor, None]:
        (rows,) = ctx.saved_tensors
        return _spread(grads[0], rows, ctx.n_rows), None


class _Spread(torch.autograd.Function):
    """Places rows into zeros; the gradient selects them."""

    @staticmethod
    def forward(ctx: _Context, x: Tensor, rows: Tensor, n_rows: int) -> Tensor:
        ctx.save_for_backward(rows)
        return x.new_zeros(n_rows, *x.shape[1:]).index_copy_(0, rows, x)

    @staticmethod
    def backward(ctx: _Context, *grads: Tensor) -> tuple[Tensor, None, None]:
        (rows,) = ctx.saved_tensors
        return _pick(grads[0], rows), None, None
