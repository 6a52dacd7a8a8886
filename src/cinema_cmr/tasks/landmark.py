"""Landmarks of long-axis planes, predicted as heatmaps or as coordinates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from cinema_cmr.core.annotation import Landmarks
from cinema_cmr.core.card import Grid
from cinema_cmr.core.errors import GeometryError, UsageError
from cinema_cmr.core.geometry import apply_affine
from cinema_cmr.core.results import LandmarkPrediction
from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import LANDMARKS, View, view_list
from cinema_cmr.core.volume import Cine
from cinema_cmr.data.cases import AnnotatedStudy
from cinema_cmr.data.sample import Batch, Sample
from cinema_cmr.image.augment import (
    FROM_SYNTHETIC,
    Augmentation,
    change_intensities,
    draw_intensities,
    draw_plane,
    move_planes,
    move_points,
)
from cinema_cmr.image.intensity import normalise
from cinema_cmr.image.orient import reorient_to_standard
from cinema_cmr.image.resample import CropResample
from cinema_cmr.inference.landmark_predictor import LandmarkPredictor
from cinema_cmr.inference.runtime import Runtime
from cinema_cmr.measure.long_axis.measurements import long_axis_values
from cinema_cmr.models.loaded import LoadedModel
from cinema_cmr.models.points import fractions_of_points, heatmaps_of_points, points_of_fractions, points_of_heatmaps
from cinema_cmr.score.landmarks import detection_rates, landmark_distances_mm
from cinema_cmr.score.statistics import finite_mean
from cinema_cmr.tasks.evaluator import Evaluator, PredictionOptions
from cinema_cmr.tasks.result import Result
from cinema_cmr.tasks.task import CardFields, Loss, Task

__all__ = ["LandmarkConfig", "LandmarkEvaluator", "LandmarkExample", "LandmarkTask", "score_landmarks"]

AS_PLANNED = replace(
    FROM_SYNTHETIC, p_right_angle_rotation=0.0, p_free_rotation=0.05, p_flip=0.0, p_random_crop=0.0, shift_mm=25.0
)
"""Planes come turned one way (`image.orient`) and are never mirrored, which would exchange anterior with inferior."""


@dataclass(frozen=True, kw_only=True)
class LandmarkConfig:
    """Views, grids and output form of a landmark model."""

    grids: Mapping[View, Grid]
    """Grid of each view; its points are those of `core.vocabulary.LANDMARKS`."""
    by: Literal["heatmap", "coordinates"] = "heatmap"
    """One heatmap a point, or all coordinates as fractions of the grid (of one view)."""
    sigma_px: float = 3.0
    """Standard deviation of a heatmap's spot."""
    augmentation: Augmentation = AS_PLANNED

    task_name: ClassVar[str] = "landmark"

    def __post_init__(self) -> None:
        without = [view.title for view in self.grids if view not in LANDMARKS]
        if not self.grids or without:
            known = ", ".join(view.title for view in LANDMARKS)
            raise UsageError(f"landmarks of {without or 'no view'}; expected views of: {known}")
        if self.by == "coordinates" and len(self.grids) > 1:
            raise UsageError(f"coordinates of {len(self.grids)} views by one network; expected one view")
        if self.sigma_px <= 0:
            raise UsageError(f"heatmaps with a spot of {self.sigma_px} pixels; expected more than 0")


@dataclass(frozen=True, kw_only=True)
class LandmarkExample:
    """One frame of one view at the model's spacing over the whole field of view, with its points."""

    name: str
    view: View
    plane: NDArray[np.float16] = field(repr=False)
    """(x, y), intensities divided by their largest magnitude."""
    points: NDArray[np.float64]
    """(k, 2) in pixels of the plane, in the order of `LANDMARKS`; NaN for a missing point."""

    @property
    def middle(self) -> tuple[float, float]:
        """Mean of the points that are not missing."""
        x, y = np.nanmean(self.points, axis=0)
        return float(x), float(y)


class LandmarkTask(Task[LandmarkExample]):
    """Landmarks of each view's frames; a point without annotation is no part of the loss."""

    def __init__(self, config: LandmarkConfig, network: nn.Module) -> None:
        super().__init__(network)
        self.config = config

    def examples(self, annotated: AnnotatedStudy) -> list[LandmarkExample]:
        """Return one example for each frame and view with at least one point; a study without points has none.

        Raises `GeometryError` if points and image differ in their frames.
        """
        found = []
        for view, grid in self.config.grids.items():
            if view in annotated.landmarks and view in annotated.study:
                cine = reorient_to_standard(annotated.study.cine(view))
                points = _in_plane(annotated, cine)
                frames = np.flatnonzero(np.isfinite(points[..., 0]).any(axis=1))
                found += [_example(annotated.study.name, cine, int(t), points[t], grid) for t in frames]
        return found

    def sample(self, example: LandmarkExample, rng: np.random.Generator | None) -> Sample:
        """Return a crop around the points, with `rng` augmented."""
        grid = self.config.grids[example.view]
        if rng is None:
            crop = CropResample.around(example.plane.shape, (grid.spacing_mm, grid.spacing_mm), grid, example.middle)
            seen = normalise(crop.apply(example.plane), grid.percentiles)
            return _sample(example, torch.from_numpy(seen), crop.to_crop(example.points))
        config = self.config.augmentation
        draw = draw_plane(rng, config, heart=example.middle, shape=example.plane.shape, spacing_mm=grid.spacing_mm)
        source = torch.from_numpy(example.plane.astype(np.float32))[None, None]
        image = move_planes(source, draw, grid.size, mode="bicubic")[0, 0].clamp(min=float(source.min()))
        scaled = torch.from_numpy(normalise(image.numpy(), grid.percentiles)).unsqueeze(-1)
        changed = change_intensities(scaled, draw_intensities(rng, config)).squeeze(-1)
        return _sample(example, changed, move_points(example.points, draw, grid.size))

    def loss(self, batch: Batch) -> Loss:
        """Run the network on a batch of one view and compare with its points."""
        view, points = _only(batch.values)
        outputs = self.network(batch.images)
        return self.criterion(outputs if self.config.by == "coordinates" else outputs[view], points, View(view))

    def criterion(self, outputs: Tensor, points: Tensor, view: View) -> Loss:
        """Heatmaps: cross-entropy plus soft Dice; coordinates: squared error of the fractions. May be overridden.

        `outputs`: logits (b, k, x, y), or fractions (b, 2k); `points`: (b, k, 2) in pixels, NaN where not annotated.
        """
        size = self.config.grids[view].size
        known = torch.isfinite(points).all(dim=-1)
        if self.config.by == "coordinates":
            error = (outputs.float() - fractions_of_points(points, size)).reshape(points.shape)
            squared = error[known].square().mean() if known.any() else error.nan_to_num().sum() * 0
            return Loss(total=squared, parts={"squared_error": float(squared.detach())})
        target = heatmaps_of_points(points, size, self.config.sigma_px)
        entropy, overlap = _heatmap_losses(outputs.float(), target.nan_to_num(), known)
        return Loss(
            total=entropy + overlap,
            parts={"cross_entropy": float(entropy.detach()), "dice_loss": float(overlap.detach())},
        )

    def validate(self, batch: Batch) -> Mapping[str, Sequence[float]]:
        """Return the distance of each point of each sample in mm, on the model's grid around the points."""
        view, points = _only(batch.values)
        grid = self.config.grids[View(view)]
        if self.config.by == "coordinates":
            found = points_of_fractions(self.network(batch.images).float(), grid.size)
        else:
            found, _ = points_of_heatmaps(self.network(batch.images)[view].float())
        distances = (found - points).norm(dim=-1).cpu().numpy() * grid.spacing_mm
        return {f"{name}_mm": distances[:, k].tolist() for k, name in enumerate(LANDMARKS[View(view)])}

    def validation_score(self, scores: Mapping[str, float]) -> float:
        """Return minus the mean distance of the points in mm."""
        return -finite_mean(scores.values())

    def card_fields(self) -> CardFields:
        """Return the grids and the names of the points, with several views as VIEW:POINT."""
        views = list(self.config.grids)
        names = [name if len(views) == 1 else f"{view}:{name}" for view in views for name in LANDMARKS[view]]
        return CardFields(
            task="landmark", grids=self.config.grids, outputs=tuple(names), training={"planes": "standard"}
        )


def _in_plane(annotated: AnnotatedStudy, cine: Cine) -> NDArray[np.float64]:
    """(t, k, 2) positions in pixels of the cine's plane."""
    stacked = np.stack(annotated.landmarks[cine.view].tracks(), axis=1)
    if len(stacked) != cine.n_frames:
        raise GeometryError(
            f"study '{annotated.study.name}' has {cine.view.title} landmarks of {len(stacked)} frames and an image of"
            f" {cine.n_frames}; expected as many"
        )
    return apply_affine(np.linalg.inv(cine.affine), stacked)[..., :2]


def _example(study: str, cine: Cine, frame: int, points: NDArray[np.float64], grid: Grid) -> LandmarkExample:
    crop = CropResample.full_plane(cine.array.shape[:2], cine.spacing_mm, grid)
    native = cine.array[:, :, 0, frame]
    plane = crop.apply(native - native.min())
    scaled = np.asarray(plane / max(float(np.abs(plane).max()), 1e-6), dtype=np.float16)
    name = f"{study}, {cine.view.title}, frame {frame}"
    return LandmarkExample(name=name, view=cine.view, plane=scaled, points=crop.to_crop(points))


def _sample(example: LandmarkExample, image: Tensor, points: NDArray[np.float64]) -> Sample:
    """`image` (x, y) and `points` (k, 2) on its grid."""
    return Sample(
        name=example.name,
        images={str(example.view): image.unsqueeze(0).contiguous()},
        values={str(example.view): torch.from_numpy(points.astype(np.float32))},
    )


def _only(values: Mapping[str, Tensor]) -> tuple[str, Tensor]:
    """The one view of a batch with its points (b, k, 2)."""
    (view, points), *_ = values.items()
    return view, points


def _heatmap_losses(logits: Tensor, target: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
    """Mean over known points of cross-entropy a pixel, and of one minus soft Dice."""
    entropy = F.binary_cross_entropy_with_logits(logits, target, reduction="none").mean(dim=(-2, -1))
    prob = logits.sigmoid()
    both, either = (prob * target).sum(dim=(-2, -1)), (prob**2 + target**2).sum(dim=(-2, -1))
    overlap = 1 - (2 * both + 1) / (either + 1)
    weight = known.float() / known.sum().clamp(min=1)
    return (entropy * weight).sum(), (overlap * weight).sum()


class LandmarkEvaluator(Evaluator):
    """Distances of a model's landmarks from reference points, and the motion that both measure."""

    def __init__(self, loaded: LoadedModel, runtime: Runtime, options: PredictionOptions) -> None:
        self.card, self.predictor = loaded.card, LandmarkPredictor(loaded, runtime)

    def predict(self, study: Study) -> Mapping[View, LandmarkPrediction]:
        """Predict the landmarks of every view that study and model share."""
        return self.predictor.predict(study)

    def not_scorable(self, annotated: AnnotatedStudy) -> str | None:
        """Require landmarks in one of the model's views."""
        found = any(view in annotated.landmarks and view in annotated.study for view in self.card.grids)
        return None if found else f"no landmarks of the {view_list(self.card.grids, 'or')}"

    def evaluate(self, annotated: AnnotatedStudy) -> Result:
        """Predict the whole cines and score the frames that have reference points."""
        predicted = {view: found.landmarks for view, found in self.predictor.predict(annotated.study).items()}
        return score_landmarks(annotated, predicted)


def score_landmarks(annotated: AnnotatedStudy, predicted: Mapping[View, Landmarks]) -> Result:
    """Score the views that have predicted and reference points: median distance of each point, and motion.

    "distance_mm" is the mean over the points; "found_VIEW:POINT" the fraction of the reference's frames in which the
    point was predicted at all.
    """
    reference = {view: annotated.landmarks[view] for view in predicted if view in annotated.landmarks}
    predicted = {view: predicted[view] for view in reference}
    distances: dict[str, NDArray[np.float64]] = {}
    found: dict[str, float] = {}
    for view, points in reference.items():
        pair = predicted[view], points
        distances |= {f"distance_mm_{view}:{name}": mm for name, mm in landmark_distances_mm(*pair).items()}
        found |= {f"found_{view}:{name}": fraction for name, fraction in detection_rates(*pair).items()}
    medians = {
        name: float(np.median(mm[known])) if (known := np.isfinite(mm)).any() else np.nan
        for name, mm in distances.items()
    }
    n_frames = max((len(mm) for mm in distances.values()), default=0)
    return Result(
        study=annotated.study.name,
        patient=annotated.patient,
        facts=annotated.facts,
        scores={"distance_mm": finite_mean(medians.values()), **medians, **found},
        measured={value.name: value.value for value in long_axis_values(predicted)},
        reference={value.name: value.value for value in long_axis_values(reference)},
        frames=tuple({name: float(mm[t]) for name, mm in distances.items() if t < len(mm)} for t in range(n_frames)),
    )
