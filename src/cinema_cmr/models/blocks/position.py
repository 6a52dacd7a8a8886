"""Sine and cosine position tables, and their interpolation to another grid."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from cinema_cmr.core.errors import UsageError

__all__ = ["interpolate_table", "position_table"]

_MAX_NUMBERS = 1 << 26
"""256 MB; the largest published model has 12,288 tokens of 1280 numbers."""


def position_table(dim: int, grid: Sequence[int]) -> Tensor:
    """Return the fixed table (1, L, dim) of a token grid (gx, gy[, gz]), last axis fastest.

    Each axis takes dim // n_axes numbers, made even: first the sines, then the cosines of position times
    10000^(-k / half), zeros up to `dim`. The axes are laid out as the published tables are, with the first
    two exchanged (the "xy" mesh convention), which shows on grids that are not square. Raises `UsageError` for a table
    of more than 2^26 numbers.
    """
    if math.prod(grid) * dim > _MAX_NUMBERS:
        raise UsageError(
            f"position table of {dim} numbers for a grid of {' x '.join(map(str, grid))} tokens; expected at most"
            f" {_MAX_NUMBERS} numbers: check the image sizes and the patch size"
        )
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
