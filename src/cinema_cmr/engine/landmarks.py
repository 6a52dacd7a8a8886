"""From a study to the landmarks of its long-axis views in patient space: the heart's place, two looks, heatmaps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cinema_cmr.core.annotation import Landmarks
from cinema_cmr.core.card import Grid
from cinema_cmr.core.errors import NoCineError, WeightsError
from cinema_cmr.core.geometry import apply_affine
from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import LANDMARKS, View
from cinema_cmr.core.volume import Cine
from cinema_cmr.data.heart_place import heart_places
from cinema_cmr.engine.runtime import Runtime
from cinema_cmr.image.intensity import normalise
from cinema_cmr.image.orient import standard_orientation
from cinema_cmr.image.resample import cut_planes, plan_cut
from cinema_cmr.models.loaded import LoadedModel
from cinema_cmr.models.points import points_of_fractions, points_of_heatmaps

__all__ = ["FoundLandmarks", "LandmarkFinder"]

Points = NDArray[np.float64]
Chances = NDArray[np.float64]

_LOOKS = 3
"""The place from geometry may be a chamber away; each look is centred on what the one before it found."""

_LEAST_CHANCE = 0.1
"""A heatmap whose top is lower shows no point."""

_AT_ONCE = 32


@dataclass(frozen=True, kw_only=True)
class FoundLandmarks:
    """Points of all frames of one view, and how sure the model was of each."""

    landmarks: Landmarks
    confidence: Mapping[str, Chances]
    """Name -> (t,) height of the heatmap at its top, 0 to 1; NaN from a model of coordinates, which has none."""
    centre: tuple[float, float]
    """In-plane voxel indices (i, j) of the cine around which the last look was taken."""
    model: str


class LandmarkFinder:
    """A landmark model on a device; raises `WeightsError` for a model of another task."""

    def __init__(self, loaded: LoadedModel, runtime: Runtime) -> None:
        if loaded.card.task != "landmark":
            raise WeightsError(f"model '{loaded.card.name}' is of the task '{loaded.card.task}'; expected 'landmark'")
        self.card, self.runtime = loaded.card, runtime
        self.model = loaded.model.to(runtime.device).eval()

    def find(self, study: Study) -> dict[View, FoundLandmarks]:
        """Landmarks of every view that both the study and the model have.

        Raises `NoCineError` where they share no view.
        """
        views = [view for view in self.card.grids if view in study]
        if not views:
            wanted = ", ".join(view.title for view in self.card.grids)
            raise NoCineError(f"study '{study.name}' has no {wanted} cine, which model '{self.card.name}' needs")
        places = heart_places(study)
        return {view: self.find_in(study.cine(view), places[view]) for view in views}

    def find_in(self, cine: Cine, place: tuple[float, float]) -> FoundLandmarks:
        """Landmarks of one view, first looked for around `place` (voxels i, j)."""
        turned = standard_orientation(cine) if self.card.training.get("planes") == "standard" else cine
        centre = _carried(place, cine, turned)
        for _ in range(_LOOKS):
            points, chances = self._look(turned, centre)
            seen = np.where(chances[..., None] < _LEAST_CHANCE, np.nan, points)
            if not np.isfinite(seen).any():
                break
            centre = _middle_of(seen)
        return FoundLandmarks(
            landmarks=Landmarks(view=cine.view, points=_in_patient(seen, turned)),
            confidence={name: chances[:, k] for k, name in enumerate(LANDMARKS[cine.view])},
            centre=_carried(centre, turned, cine),
            model=self.card.name,
        )

    @torch.inference_mode()
    def _look(self, cine: Cine, centre: tuple[float, float]) -> tuple[Points, Chances]:
        """Positions (t, k, 2) in voxels of the cine, and the chance of each (t, k)."""
        grid = self.card.grids[cine.view]
        cut = plan_cut(cine.array.shape[:2], cine.spacing_mm, grid, centre)
        planes = cut_planes(cine.array[:, :, 0], cut)
        # Each frame by itself, as in training.
        frames = [normalise(planes[..., t], grid.percentiles) for t in range(cine.n_frames)]
        images = torch.from_numpy(np.stack(frames))[:, None]
        answers = [self._points(part, cine.view, grid) for part in torch.split(images, _AT_ONCE)]
        points, chances = (torch.cat(parts).double().numpy() for parts in zip(*answers, strict=True))
        return cut.to_native(points), chances

    def _points(self, images: Tensor, view: View, grid: Grid) -> tuple[Tensor, Tensor]:
        with self.runtime.autocast():
            answer = self.model({str(view): images.to(self.runtime.device)})
        if isinstance(answer, Tensor):
            points = points_of_fractions(answer.float().cpu(), grid.size)
            return points, torch.full(points.shape[:2], float("nan"))
        return points_of_heatmaps(answer[str(view)].float().cpu())


def _middle_of(points: Points) -> tuple[float, float]:
    """Mean over the points of their medians over frames."""
    seen = np.isfinite(points[..., 0]).any(axis=0)
    i, j = np.nanmedian(points[:, seen], axis=0).mean(axis=0)
    return float(i), float(j)


def _carried(place: tuple[float, float], there: Cine, here: Cine) -> tuple[float, float]:
    """The same place in the voxels of another orientation of one cine."""
    point = apply_affine(there.affine, np.array([*place, 0.0]))
    i, j = apply_affine(np.linalg.inv(here.affine), point)[:2]
    return float(i), float(j)


def _in_patient(points: Points, cine: Cine) -> dict[str, Points]:
    """Voxels (t, k, 2) -> name: (t, 3) in RAS mm."""
    flat = np.concatenate([points, np.zeros((*points.shape[:2], 1))], axis=2)
    placed = apply_affine(cine.affine, flat)
    return {name: placed[:, k] for k, name in enumerate(LANDMARKS[cine.view])}
