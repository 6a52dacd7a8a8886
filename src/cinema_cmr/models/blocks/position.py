"""Sine and cosine position tables, and their interpolation to another grid."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["interpolate_table", "position_table"]


def position_table(dim: int, grid: Sequence[int]) -> Tensor:
    """Return the fixed table (1, L, dim) of a token grid (gx, gy[, gz]), last axis fastest.

    Each axis takes dim // n_axes numbers, made even: first the sines, then the cosines of position times
    10000^(-k / half), zeros up to `dim`. The axes are laid out as the published tables are, with the first
    two exchanged (the "xy" mesh convention), which shows on grids that are not square.
    """
    per_axis = dim // len(grid) // 2 * 2
    half = per_axis // 2
    frequency = 10000.0 ** (-torch.arange(half, dtype=torch.float64) / half)
    axes = torch.meshgrid(*[torch.arange(n, dtype=torch.float64) for n in grid], indexing="xy")
    parts = []
    for coordinate in axes:
        angle = coordinate.reshape(-1, 1) * frequency
        parts += [angle.sin(), angle.cos()]
    table = torch.cat(parts, dim=1)
    return F.pad(table, (0, dim - table.shape[1])).float().unsqueeze(0)


def interpolate_table(table: Tensor, built: Sequence[int], wanted: Sequence[int]) -> Tensor:
    """Interpolate a table (1, L, d) from its grid to another grid with the same number of axes.

    Bicubic for two axes, trilinear for three, corners not aligned, no antialiasing.
    """
    if tuple(built) == tuple(wanted):
        return table
    mode = "bicubic" if len(built) == 2 else "trilinear"
    image = table.reshape(1, *built, -1).movedim(-1, 1).float()
    stretched = F.interpolate(image, size=tuple(wanted), mode=mode, align_corners=False)
    return stretched.movedim(1, -1).flatten(1, -2)
