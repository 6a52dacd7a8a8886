"""Landmarks of the long-axis views of a study in patient space, from heatmaps around the heart.

Among several peaks of a heatmap, the one is chosen that other frames share and that agrees with the position estimated
from a short-axis mask, if there is one. If a mask of the same plane yields the points, peaks are searched near them,
frame by frame, and both are combined.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from cinema_cmr.core.annotation import Landmarks
from cinema_cmr.core.errors import NoCineError
from cinema_cmr.core.geometry import apply_affine
from cinema_cmr.core.results import Flag, LandmarkPrediction
from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import LANDMARKS, View, view_list
from cinema_cmr.core.volume import Cine
from cinema_cmr.data.heart_position import heart_positions
from cinema_cmr.image.intensity import normalise
from cinema_cmr.image.orient import mirror, reorient_to_standard
from cinema_cmr.image.resample import CropResample
from cinema_cmr.inference.batches import each_batch
from cinema_cmr.inference.runtime import Runtime
from cinema_cmr.inference.segmenter import Segmenter
from cinema_cmr.models.loaded import LoadedModel
from cinema_cmr.models.points import heatmaps_of_points, points_of_fractions, points_of_heatmaps

__all__ = ["LandmarkPredictor"]

Points = NDArray[np.float64]
Confidences = NDArray[np.float64]

_MAX_PASSES = 3
"""Number of passes; each is centred on the result of the last, because the geometric estimate may be a chamber off."""

_CLOSE_MM = 6.0
"""Smallest shift of the centre that needs another pass; training crops were shifted by 25 mm (one SD)."""

_MIN_PEAK = 0.1
"""Smallest height of a heatmap peak that is a point."""

_PLANES_PER_BATCH = {"cpu": 4, "other": 32}
"""Planes per batch; on a CPU batches beyond its caches are slower (see `inference.segmenter`)."""

_EXPECTED_SD_MM = 14.0
"""Deviation of a point from its estimate by a short-axis mask, whose slices are a centimetre apart."""

_BEAT_SD_MM = 10.0
"""Deviation of a point from its mean position over the beat; hinge points travel by about 15 mm."""

_BLUR_MM = 5.0

_MASK_SD_MM = 12.0
"""Deviation of a peak from the point of a mask of the same frame."""

_MAX_COMBINED_MM = 20.0
"""Largest distance at which peak and mask point are combined; beyond it the mask point counts alone."""

_AGREEMENT_SD_MM = 7.0
"""Standard deviation of the distance at which a mask point raises the confidence of a peak."""

_MASK_CONFIDENCE = 0.55
"""Confidence of a point from the mask alone."""

_MIN_SMOOTHED = 15
"""Smallest number of frames of a cycle at which points may be smoothed over time."""

_MASK_FRAMES, _POINT_FRAMES, _POINT_SD_FRAMES = 5, 3, 1.0
"""Frames of the median filter of mask points, which repairs single failed frames, and of combined points, and the SD of
the final smoothing of the latter."""


class LandmarkPredictor:
    """A landmark model on a device; raises `WeightsError` for a model of another task.

    `segmenter` segments the same planes for `long_axis_predictor.predict_landmarks`, whose masks yield the points as
    well.
    """

    def __init__(self, loaded: LoadedModel, runtime: Runtime, *, segmenter: Segmenter | None = None) -> None:
        loaded.card.check_task("landmark")
        self.card, self.runtime, self.segmenter = loaded.card, runtime, segmenter
        self.model = loaded.model.to(runtime.device).eval()

    def model_flags(self, views: Iterable[View]) -> tuple[Flag, ...]:
        """Return the flags of the model itself for the landmarks of these views, from its card.

        A card names the views that its note `experimental` is about as `experimental_views`; without, it is about all.
        """
        reason, stated = self.card.training.get("experimental"), self.card.training.get("experimental_views")
        named = list(stated) if isinstance(stated, list | tuple) else [str(view) for view in self.card.grids]
        concerned = [view for view in views if str(view) in named]
        if not reason or not concerned:
            return ()
        message = (
            f"{view_list(concerned)} landmarks are from '{self.card.name}', {reason}: inspect them before using MAPSE"
            " or shortening"
        )
        return (Flag(code="landmarks-experimental", severity="info", message=message),)

    def predict(
        self,
        study: Study,
        expected: Mapping[View, Mapping[str, Points]] | None = None,
        mask_points: Mapping[View, Landmarks] | None = None,
    ) -> dict[View, LandmarkPrediction]:
        """Predict the landmarks of every view that both the study and the model have.

        `expected` are positions (3,) in RAS mm from another source, such as `measure.long_axis.estimate`; `mask_points`
        are the points of a mask of the view in each frame (`measure.long_axis.mask`) and take precedence. Raises
        `NoCineError` if study and model share no view.
        """
        views = [view for view in self.card.grids if view in study]
        if not views:
            wanted = ", ".join(view.title for view in self.card.grids)
            raise NoCineError(f"study '{study.name}' has no {wanted} cine, which model '{self.card.name}' needs")
        positions, expected, mask_points = heart_positions(study), expected or {}, mask_points or {}
        return {
            view: self.predict_view(study.cine(view), positions[view], expected.get(view), mask_points.get(view))
            for view in views
        }

    def predict_view(
        self,
        cine: Cine,
        position: tuple[float, float],
        expected: Mapping[str, Points] | None = None,
        mask_points: Landmarks | None = None,
    ) -> LandmarkPrediction:
        """Predict the landmarks of one view.

        The search is centred on the mask points, else on the expected positions, else, and if nothing is found there,
        on `position` (voxels i, j). A mask of the 3-chamber view does not show the aorta: the hinge point beside that
        is sought at its expected position, and read off the mask in frames without a peak there.
        """
        oriented = reorient_to_standard(cine) if self.card.training.get("planes") == "standard" else cine
        if mask_points is not None and (repaired := _repair(mask_points)) is not None:
            found = self._combine(cine, _as_displayed(oriented, repaired), repaired)
            return found if expected is None else self._with_aortic_end(found, cine, oriented, expected)
        if expected is not None:
            hints = _hints(expected, oriented)
            found = self._search(cine, oriented, _centre(hints[None]), hints)
            if any(np.isfinite(points).any() for points in found.landmarks.points.values()):
                return found
        return self._search(cine, oriented, _transfer(position, cine, oriented), None)

    def _search(
        self, cine: Cine, oriented: Cine, centre: tuple[float, float], hints: Points | None
    ) -> LandmarkPrediction:
        for _ in range(_MAX_PASSES):
            points, probs = self._locate(oriented, centre, hints)
            visible = np.where(probs[..., None] < _MIN_PEAK, np.nan, points)
            if not np.isfinite(visible).any():
                break
            previous, centre = centre, _centre(visible)
            if np.hypot(*(np.subtract(centre, previous) * oriented.spacing_mm[:2])) < _CLOSE_MM:
                break
        return LandmarkPrediction(
            landmarks=Landmarks(view=cine.view, points=_to_patient(visible, oriented)),
            confidence={name: probs[:, k] for k, name in enumerate(LANDMARKS[cine.view])},
            centre=_transfer(centre, oriented, cine),
            model=self.card.name,
        )

    def _combine(self, cine: Cine, oriented: Cine, mask_points: Points) -> LandmarkPrediction:
        """Combine each mask point (t, k, 3) with the nearest heatmap peak, weighted by the height of the peak.

        A peak that is both low and far from the mask's point says less than that alone, and does not count.
        """
        hints = _to_voxels(mask_points, oriented)
        centre = _centre(hints)
        points, probs = self._locate(oriented, centre, hints)
        distance = np.linalg.norm((points - hints) * oriented.spacing_mm[:2], axis=2)
        agreed = probs + (1 - probs) * np.exp(-0.5 * (distance / _AGREEMENT_SD_MM) ** 2)
        # A model of coordinates has no peak heights; its points count as half, without a confidence.
        counts = (distance < _MAX_COMBINED_MM) & ~(probs < _MIN_PEAK) & ~(agreed < _MASK_CONFIDENCE)
        weight = np.where(counts, np.where(np.isnan(probs), 0.5, probs), 0.0)[..., None]
        combined = _smooth(weight * points + (1 - weight) * hints)
        confidence = np.where(counts, agreed, _MASK_CONFIDENCE)
        return LandmarkPrediction(
            landmarks=Landmarks(view=cine.view, points=_to_patient(combined, oriented)),
            confidence={name: confidence[:, k] for k, name in enumerate(LANDMARKS[cine.view])},
            centre=_transfer(centre, oriented, cine),
            model=self.card.name,
        )

    def _with_aortic_end(
        self, found: LandmarkPrediction, cine: Cine, oriented: Cine, expected: Mapping[str, Points]
    ) -> LandmarkPrediction:
        """Return the points with the hinge point of a 3-chamber view beside the aorta at its own peak.

        Its confidence is raised where the peak agrees with the short-axis mask.
        """
        if cine.view is not View.LAX_3C:
            return found
        name, *_ = LANDMARKS[cine.view]
        hints = _hints(expected, oriented)
        points, probs = self._locate(oriented, _transfer(found.centre, cine, oriented), hints)
        seen = probs[:, 0] >= _MIN_PEAK
        away_mm = np.linalg.norm((points[:, 0] - hints[0]) * oriented.spacing_mm[:2], axis=1)
        raised = probs[:, 0] + (1 - probs[:, 0]) * np.exp(-0.5 * (away_mm / _BEAT_SD_MM) ** 2)
        of_mask = _to_voxels(found.landmarks.points[name][:, None], oriented)
        track = _smooth(np.where(seen[:, None, None], points[:, :1], of_mask))
        placed = _to_patient(np.concatenate([track, points[:, 1:]], axis=1), oriented)[name]
        return replace(
            found,
            landmarks=Landmarks(view=cine.view, points={**found.landmarks.points, name: placed}),
            confidence={**found.confidence, name: np.where(seen, raised, found.confidence[name])},
        )

    def _locate(self, cine: Cine, centre: tuple[float, float], hints: Points | None) -> tuple[Points, Confidences]:
        """Return positions (t, k, 2) in voxels of the cine, and their peak heights (t, k).

        `hints` are in voxels of the cine: (k, 2) for all frames, or (t, k, 2) for each.
        """
        grid = self.card.grids[cine.view]
        crop = CropResample.around(cine.array.shape[:2], cine.spacing_mm, grid, centre)
        planes = crop.apply(cine.array[:, :, 0] - cine.array.min())
        # Frames are normalised individually, as in training.
        frames = [normalise(planes[..., t], grid.percentiles) for t in range(cine.n_frames)]
        images = torch.from_numpy(np.stack(frames))[:, None]
        batch = _PLANES_PER_BATCH["cpu" if self.runtime.device == "cpu" else "other"]
        parts = torch.split(images, batch)
        output = torch.cat(list(each_batch(lambda part: self._forward(part, cine.view), parts, self.runtime)))
        if output.ndim == 2:
            points = points_of_fractions(output, grid.size)
            probs = torch.full(points.shape[:2], float("nan"))
        else:
            on_grid = None if hints is None else torch.from_numpy(crop.to_crop(hints)).float()
            points, probs = points_of_heatmaps(output, _position_weights(output, on_grid, grid.spacing_mm))
        return crop.to_native(points.double().numpy()), probs.double().numpy()

    @torch.inference_mode()
    def _forward(self, images: Tensor, view: View) -> Tensor:
        """Return logits (t, k, x, y), or coordinates as fractions (t, 2 k)."""
        with self.runtime.autocast():
            output = self.model({str(view): images.to(self.runtime.device)})
        tensor: Tensor = output if isinstance(output, Tensor) else output[str(view)]
        return tensor.float().cpu()


def _position_weights(logits: Tensor, hints: Tensor | None, spacing_mm: float) -> Tensor:
    """Return the (t, k, x, y) weights of peak positions.

    Peaks count near the hint of their frame (t, k, 2); or near the hint of all frames (k, 2), if any, and near the peak
    shared by all frames.
    """
    size = (logits.shape[-2], logits.shape[-1])
    if hints is not None and hints.ndim == 3:
        return heatmaps_of_points(hints, size, _MASK_SD_MM / spacing_mm)
    expected = torch.ones(1, logits.shape[1], *size)
    if hints is not None:
        expected = heatmaps_of_points(hints, size, _EXPECTED_SD_MM / spacing_mm)[None]
    mean = (logits.sigmoid() * expected).mean(dim=0).numpy()
    smooth = ndimage.gaussian_filter(mean, (0, _BLUR_MM / spacing_mm, _BLUR_MM / spacing_mm))
    peaks = [np.unravel_index(int(np.argmax(one)), one.shape) for one in smooth]
    shared = torch.tensor(np.array(peaks), dtype=torch.float32)
    return (expected * heatmaps_of_points(shared, size, _BEAT_SD_MM / spacing_mm)[None]).expand_as(logits)


def _centre(points: Points) -> tuple[float, float]:
    """Return the mean over points of their medians over frames."""
    present = np.isfinite(points[..., 0]).any(axis=0)
    i, j = np.nanmedian(points[:, present], axis=0).mean(axis=0)
    return float(i), float(j)


def _transfer(position: tuple[float, float], source: Cine, target: Cine) -> tuple[float, float]:
    """Convert a position between the voxels of two orientations of one cine."""
    point = apply_affine(source.affine, np.array([*position, 0.0]))
    i, j = apply_affine(np.linalg.inv(target.affine), point)[:2]
    return float(i), float(j)


def _as_displayed(cine: Cine, mask_points: Points) -> Cine:
    """Return a 4-chamber plane as seen from the feet: mirrored if its mask points (t, k, 3) show it from the head.

    That happens in copies that lost their axes. Other views are returned unchanged.
    """
    if cine.view is not View.LAX_4C:
        return cine
    septal, lateral, apex = _to_voxels(mask_points, cine).mean(axis=0)
    across, up = lateral - septal, apex - (septal + lateral) / 2
    return mirror(cine) if across[0] * up[1] - across[1] * up[0] > 0 else cine


def _repair(landmarks: Landmarks) -> Points | None:
    """Return the (t, k, 3) points with outlier frames replaced; None if a point is missing in half of the frames."""
    points = np.stack(landmarks.tracks(), axis=1)
    if np.isfinite(points[..., 0]).mean(axis=0).min() < 0.5:
        return None
    filled = np.where(np.isfinite(points), points, np.nanmedian(points, axis=0))
    if len(filled) < _MIN_SMOOTHED:
        return filled
    return np.asarray(ndimage.median_filter(filled, size=(_MASK_FRAMES, 1, 1), mode="wrap"))


def _smooth(points: Points) -> Points:
    """Smooth (t, k, 2) points over a cycle of many frames; points of few frames remain unchanged."""
    if len(points) < _MIN_SMOOTHED:
        return points
    filtered = ndimage.median_filter(points, size=(_POINT_FRAMES, 1, 1), mode="wrap")
    return np.asarray(ndimage.gaussian_filter1d(filtered, _POINT_SD_FRAMES, axis=0, mode="wrap"))


def _to_voxels(points: Points, cine: Cine) -> Points:
    """Convert RAS mm (t, k, 3) to in-plane voxels (t, k, 2)."""
    flat = apply_affine(np.linalg.inv(cine.affine), points.reshape(-1, 3))
    return np.asarray(flat[:, :2].reshape(*points.shape[:2], 2))


def _hints(expected: Mapping[str, Points], cine: Cine) -> Points:
    """Return the in-plane voxels (k, 2) of the expected points (3,) in RAS mm."""
    placed = np.stack([expected[name] for name in LANDMARKS[cine.view]])
    return apply_affine(np.linalg.inv(cine.affine), placed)[:, :2]


def _to_patient(points: Points, cine: Cine) -> dict[str, Points]:
    """Convert voxels (t, k, 2) to name -> (t, 3) in RAS mm."""
    flat = np.concatenate([points, np.zeros((*points.shape[:2], 1))], axis=2)
    placed = apply_affine(cine.affine, flat)
    return {name: placed[:, k] for k, name in enumerate(LANDMARKS[cine.view])}
