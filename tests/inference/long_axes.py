"""Long-axis cines whose landmarks are three discs of known brightness, and a network that reads them off."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cinema_cmr.core.annotation import Landmarks
from cinema_cmr.core.card import Grid, ModelCard
from cinema_cmr.core.geometry import apply_affine
from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import LANDMARKS, View
from cinema_cmr.core.volume import Cine
from cinema_cmr.data.cases import AnnotatedStudy
from cinema_cmr.models.loaded import LoadedModel

LEVELS = (0.4, 0.7, 1.0)
GRID = Grid(spacing_mm=1.5, size=(64, 64), percentiles=(0.0, 100.0))
AFFINE = np.array([[-1.2, 0.0, 0.0, 80.0], [0.0, -0.9, 5.0, 60.0], [0.0, 0.85, 5.0, -70.0], [0.0, 0.0, 0.0, 1.0]])
"""A 4-chamber plane as it is looked at: columns to the left, rows down and to the back."""

POINTS = np.array([[[60.0, 70.0], [85.0, 74.0], [75.0, 40.0]], [[61.0, 64.0], [86.0, 68.0], [75.0, 41.0]]])
"""(t, k, 2) in voxels: the hinges come nearer to the apex from frame 0 to 1."""


def cine(points: NDArray[np.float64] = POINTS, view: View = View.LAX_4C, affine: NDArray[np.float64] = AFFINE) -> Cine:
    """Discs of 5 voxels around the points, on a chequered dark ground."""
    i, j = np.meshgrid(np.arange(130), np.arange(120), indexing="ij")
    array = np.empty((130, 120, 1, len(points)), np.float32)
    for t, frame in enumerate(points):
        plane = ((i + j) % 2).astype(np.float32)
        for (x, y), level in zip(frame, LEVELS, strict=True):
            plane[np.hypot(i - x, j - y) <= 5] = 1000 * level
        array[:, :, 0, t] = plane
    return Cine(array=array, affine=affine, view=view, slice_positions_mm=np.zeros(1))


def in_patient(points: NDArray[np.float64], affine: NDArray[np.float64] = AFFINE) -> NDArray[np.float64]:
    return apply_affine(affine, np.concatenate([points, np.zeros((*points.shape[:-1], 1))], axis=-1))


def annotated(name: str = "long", points: NDArray[np.float64] = POINTS, view: View = View.LAX_4C) -> AnnotatedStudy:
    placed = in_patient(points)
    named = {point: placed[:, k] for k, point in enumerate(LANDMARKS[view])}
    return AnnotatedStudy(
        study=Study(name=name, cines=(cine(points, view),)),
        patient=name,
        landmarks={view: Landmarks(view=view, points=named)},
    )


def spot(image: Tensor, level: float) -> Tensor:
    """(b, x, y) whether a pixel lies inside of the disc of this brightness: its rim passes through the others'."""
    plane = image[:, :1]
    around = [nn.functional.max_pool2d(sign * plane, 3, 1, 1) for sign in (1, -1)]
    return (((plane - level).abs() < 0.06) & (around[0] + around[1] < 0.06))[:, 0]


class Reads(nn.Module):
    """Heatmap logits: 4 where a pixel has a point's brightness, -12 elsewhere."""

    def __init__(self, lost: int | None = None) -> None:
        super().__init__()
        self.lost = lost

    def forward(self, images: Mapping[str, Tensor]) -> dict[str, Tensor]:
        (view, image), *_ = images.items()
        maps = [torch.where(spot(image, level), 4.0, -12.0) for level in LEVELS]
        if self.lost is not None:
            maps[self.lost] = torch.full_like(maps[0], -12.0)
        return {view: torch.stack(maps, dim=1)}


def model(network: nn.Module | None = None, *, planes: str = "standard", view: View = View.LAX_4C) -> LoadedModel:
    card = ModelCard(
        name="reads",
        task="landmark",
        architecture="unet2d",
        config={},
        grids={view: GRID},
        training={"planes": planes},
    )
    return LoadedModel(model=network or Reads(), card=card)
