"""Landmarks as network outputs: one heatmap per point, or two fractions of the image's width and height."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["fractions_of_points", "heatmaps_of_points", "points_of_fractions", "points_of_heatmaps"]

_REACH_PX = 6.0
"""Radius around a heatmap's maximum whose centre of mass is the point: two standard deviations of the targets."""


def heatmaps_of_points(points: Tensor, size: tuple[int, int], sigma_px: float) -> Tensor:
    """Return a Gaussian of height 1 around each position (..., 2) in pixels, as (..., x, y); NaN gives NaN."""
    x, y = (torch.arange(n, dtype=torch.float32, device=points.device) for n in size)
    along_x = torch.exp(-0.5 * ((x - points[..., 0, None]) / sigma_px) ** 2)
    along_y = torch.exp(-0.5 * ((y - points[..., 1, None]) / sigma_px) ** 2)
    return along_x[..., :, None] * along_y[..., None, :]


def points_of_heatmaps(logits: Tensor, weight: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Convert heatmap logits (..., x, y) to subpixel positions (..., 2) and the maximum probability (...).

    `weight` of the same shape favours places of the maximum; positions and probabilities are those of the heatmap.
    """
    prob = logits.float().sigmoid()
    nx, ny = prob.shape[-2:]
    at = (prob if weight is None else prob * weight).flatten(-2).argmax(dim=-1)
    top = prob.flatten(-2).gather(-1, at[..., None])[..., 0]
    x, y = (torch.arange(n, dtype=torch.float32, device=logits.device) for n in (nx, ny))
    near_x = (x - (at // ny)[..., None]).abs() <= _REACH_PX
    near_y = (y - (at % ny)[..., None]).abs() <= _REACH_PX
    spot = prob * near_x[..., :, None] * near_y[..., None, :]
    mass = spot.sum(dim=(-2, -1)).clamp(min=1e-12)
    middle = torch.stack([(spot.sum(-1) * x).sum(-1), (spot.sum(-2) * y).sum(-1)], dim=-1) / mass[..., None]
    return middle, top


def fractions_of_points(points: Tensor, size: tuple[int, int]) -> Tensor:
    """Convert positions (b, k, 2) in pixels to fractions of width and height (b, 2 k): x1, y1, x2, y2, ..."""
    return (points / torch.tensor(size, dtype=points.dtype, device=points.device)).flatten(1)


def points_of_fractions(fractions: Tensor, size: tuple[int, int]) -> Tensor:
    """Convert fractions (b, 2 k) to positions (b, k, 2) in pixels; the inverse of `fractions_of_points`."""
    return fractions.reshape(len(fractions), -1, 2) * torch.tensor(size, dtype=fractions.dtype, device=fractions.device)
