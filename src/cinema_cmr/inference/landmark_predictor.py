"""From a study to the landmarks of its long-axis views in patient space: the heart's place, a few looks, heatmaps.

Of several tops of a heatmap, the one is taken that lies where the other frames have theirs too, and where a
short-axis mask, if there is one, lets it be expected. Where a mask of the same plane shows the points, the tops are
looked for near them, frame by frame, and both are joined.
"""

from __future__ import annotations

from collections.abc import Mapping

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
from cinema_cmr.core.vocabulary import LANDMARKS, View
from cinema_cmr.core.volume import Cine
from cinema_cmr.data.heart_position import heart_positions
from cinema_cmr.image.intensity import normalise
from cinema_cmr.image.orient import reorient_to_standard
from cinema_cmr.image.resample import CropResample
from cinema_cmr.inference.runtime import Runtime
from cinema_cmr.inference.segmenter import Segmenter
from cinema_cmr.models.loaded import LoadedModel
from cinema_cmr.models.points import heatmaps_of_points, points_of_fractions, points_of_heatmaps

__all__ = ["LandmarkPredictor"]

Points = NDArray[np.float64]
Chances = NDArray[np.float64]

_LOOKS = 3
"""The place from geometry may be a chamber away; each look is centred on what the one before it found."""

_CLOSE_MM = 6.0
"""A look that would be centred so near to the last one is not taken: in training it was 25 mm off (one SD)."""

_LEAST_CHANCE = 0.1
"""A heatmap whose top is lower shows no point."""

_AT_ONCE = {"cpu": 4, "other": 32}
"""Planes of one pass: on a CPU what does not fit its caches is slower (see `inference.segmenter`)."""

_EXPECTED_SD_MM = 14.0
"""How far a point may lie from where a short-axis mask lets it be expected: slices are a centimetre apart."""

_BEAT_SD_MM = 10.0
"""How far a point may lie from its usual place over the beat; the hinges travel by some 15 mm."""

_BLUR_MM = 5.0

_DRAWN_SD_MM = 8.0
"""How far a top may lie from the point of a mask of the same frame."""

_JOINED_MM = 14.0
"""A top further away from the mask's point is another place, and the mask's counts alone."""

_AGREED_MM = 7.0
"""Standard deviation of the distance at which a mask's point makes a top as sure."""

_DRAWN_CHANCE = 0.55
"""How sure a point is that the mask alone shows."""

_LEAST_SMOOTHED = 15
"""In a cycle of so many frames nothing moves far from one to the next."""

_MASK_FRAMES, _POINT_FRAMES, _POINT_SD_FRAMES = 5, 3, 1.0
"""There single frames in which a mask fails are mended by the median over neighbouring ones; the joined points by that
of fewer, and then smoothed a little."""


class LandmarkPredictor:
    """A landmark model on a device; raises `WeightsError` for a model of another task.

    `segmenter` segments the same planes, for `long_axis_predictor.predict_landmarks`, whose masks show the points too.
    """

    def __init__(self, loaded: LoadedModel, runtime: Runtime, *, segmenter: Segmenter | None = None) -> None:
        loaded.card.check_task("landmark")
        self.card, self.runtime, self.segmenter = loaded.card, runtime, segmenter
        self.model = loaded.model.to(runtime.device).eval()

    def model_flags(self) -> tuple[Flag, ...]:
        """What a reader must know of the model itself, from its card."""
        why = self.card.training.get("experimental")
        if not why:
            return ()
        message = f"landmarks are by '{self.card.name}', {why}: look at the points before using MAPSE or shortening"
        return (Flag(code="landmarks-experimental", severity="info", message=message),)

    def predict(
        self,
        study: Study,
        expected: Mapping[View, Mapping[str, Points]] | None = None,
        drawn: Mapping[View, Landmarks] | None = None,
    ) -> dict[View, LandmarkPrediction]:
        """Landmarks of every view that both the study and the model have.

        `expected` are places (3,) in RAS mm from another source, such as `measure.long_axis_place`; `drawn` the
        points of a mask of the view in each frame (`measure.long_axis_mask`), which go before them.
        Raises `NoCineError` where they share no view.
        """
        views = [view for view in self.card.grids if view in study]
        if not views:
            wanted = ", ".join(view.title for view in self.card.grids)
            raise NoCineError(f"study '{study.name}' has no {wanted} cine, which model '{self.card.name}' needs")
        places = heart_positions(study)
        return {
            view: self.predict_view(study.cine(view), places[view], (expected or {}).get(view), (drawn or {}).get(view))
            for view in views
        }

    def predict_view(
        self,
        cine: Cine,
        place: tuple[float, float],
        expected: Mapping[str, Points] | None = None,
        drawn: Landmarks | None = None,
    ) -> LandmarkPrediction:
        """Landmarks of one view, looked for around those that are drawn, else around the expected places; where
        nothing is there, or nothing was expected, around `place` (voxels i, j)."""
        turned = reorient_to_standard(cine) if self.card.training.get("planes") == "standard" else cine
        if drawn is not None and (shown := _mended(drawn)) is not None:
            return self._joined(cine, turned, shown)
        if expected is not None:
            hints = np.stack([_voxel(expected[name], turned) for name in LANDMARKS[cine.view]])
            found = self._looked(cine, turned, _middle_of(hints[None]), hints)
            if any(np.isfinite(points).any() for points in found.landmarks.points.values()):
                return found
        return self._looked(cine, turned, _carried(place, cine, turned), None)

    def _looked(
        self, cine: Cine, turned: Cine, centre: tuple[float, float], hints: Points | None
    ) -> LandmarkPrediction:
        for _ in range(_LOOKS):
            points, probs = self._look(turned, centre, hints)
            seen = np.where(probs[..., None] < _LEAST_CHANCE, np.nan, points)
            if not np.isfinite(seen).any():
                break
            before, centre = centre, _middle_of(seen)
            if np.hypot(*(np.subtract(centre, before) * turned.spacing_mm[:2])) < _CLOSE_MM:
                break
        return LandmarkPrediction(
            landmarks=Landmarks(view=cine.view, points=_in_patient(seen, turned)),
            confidence={name: probs[:, k] for k, name in enumerate(LANDMARKS[cine.view])},
            centre=_carried(centre, turned, cine),
            model=self.card.name,
        )

    def _joined(self, cine: Cine, turned: Cine, drawn: Points) -> LandmarkPrediction:
        """Tops of the heatmaps near the drawn points (t, k, 3), each joined with its point by how high it is."""
        hints = _voxels(drawn, turned)
        centre = _middle_of(hints)
        points, probs = self._look(turned, centre, hints)
        apart = np.linalg.norm((points - hints) * turned.spacing_mm[:2], axis=2)
        near = (apart < _JOINED_MM) & ~(probs < _LEAST_CHANCE)
        # A model of coordinates has no chance to go by.
        share = np.where(near, np.where(np.isnan(probs), 0.5, probs), 0.0)[..., None]
        joined = _smoothed(share * points + (1 - share) * hints)
        sure = np.where(near, probs + (1 - probs) * np.exp(-0.5 * (apart / _AGREED_MM) ** 2), _DRAWN_CHANCE)
        return LandmarkPrediction(
            landmarks=Landmarks(view=cine.view, points=_in_patient(joined, turned)),
            confidence={name: sure[:, k] for k, name in enumerate(LANDMARKS[cine.view])},
            centre=_carried(centre, turned, cine),
            model=self.card.name,
        )

    @torch.inference_mode()
    def _look(self, cine: Cine, centre: tuple[float, float], hints: Points | None) -> tuple[Points, Chances]:
        """Positions (t, k, 2) in voxels of the cine, and the chance of each (t, k).

        `hints` are in its voxels: (k, 2) for all frames, or (t, k, 2) for each.
        """
        grid = self.card.grids[cine.view]
        crop = CropResample.around(cine.array.shape[:2], cine.spacing_mm, grid, centre)
        planes = crop.apply(cine.array[:, :, 0] - cine.array.min())
        # Each frame by itself, as in training.
        frames = [normalise(planes[..., t], grid.percentiles) for t in range(cine.n_frames)]
        images = torch.from_numpy(np.stack(frames))[:, None]
        at_once = _AT_ONCE["cpu" if self.runtime.device == "cpu" else "other"]
        answer = torch.cat([self._answer(part, cine.view) for part in torch.split(images, at_once)])
        if answer.ndim == 2:
            points = points_of_fractions(answer, grid.size)
            probs = torch.full(points.shape[:2], float("nan"))
        else:
            wanted = None if hints is None else torch.from_numpy(crop.to_crop(hints)).float()
            points, probs = points_of_heatmaps(answer, _places(answer, wanted, grid.spacing_mm))
        return crop.to_native(points.double().numpy()), probs.double().numpy()

    def _answer(self, images: Tensor, view: View) -> Tensor:
        """Logits (t, k, x, y), or coordinates as fractions (t, 2 k)."""
        with self.runtime.autocast():
            answer = self.model({str(view): images.to(self.runtime.device)})
        found: Tensor = answer if isinstance(answer, Tensor) else answer[str(view)]
        return found.float().cpu()


def _places(logits: Tensor, hints: Tensor | None, spacing_mm: float) -> Tensor:
    """(t, k, x, y) how much a top counts by its place: near the frame's own hint (t, k, 2); or near that of all frames
    (k, 2), if any, and where all frames together have one."""
    size = (logits.shape[-2], logits.shape[-1])
    if hints is not None and hints.ndim == 3:
        return heatmaps_of_points(hints, size, _DRAWN_SD_MM / spacing_mm)
    expected = torch.ones(1, logits.shape[1], *size)
    if hints is not None:
        expected = heatmaps_of_points(hints, size, _EXPECTED_SD_MM / spacing_mm)[None]
    together = (logits.sigmoid() * expected).mean(dim=0).numpy()
    smooth = ndimage.gaussian_filter(together, (0, _BLUR_MM / spacing_mm, _BLUR_MM / spacing_mm))
    tops = [np.unravel_index(int(np.argmax(one)), one.shape) for one in smooth]
    usual = torch.tensor(np.array(tops), dtype=torch.float32)
    return (expected * heatmaps_of_points(usual, size, _BEAT_SD_MM / spacing_mm)[None]).expand_as(logits)


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


def _mended(drawn: Landmarks) -> Points | None:
    """(t, k, 3) drawn points, single odd frames mended; None where a point is drawn in less than half of the frames."""
    points = np.stack([drawn.points[name] for name in LANDMARKS[drawn.view]], axis=1)
    if np.isfinite(points[..., 0]).mean(axis=0).min() < 0.5:
        return None
    filled = np.where(np.isfinite(points), points, np.nanmedian(points, axis=0))
    if len(filled) < _LEAST_SMOOTHED:
        return filled
    return np.asarray(ndimage.median_filter(filled, size=(_MASK_FRAMES, 1, 1), mode="wrap"))


def _smoothed(points: Points) -> Points:
    """(t, k, 2) points over a cycle of many frames without their small jumps; of few frames the same."""
    if len(points) < _LEAST_SMOOTHED:
        return points
    mended = ndimage.median_filter(points, size=(_POINT_FRAMES, 1, 1), mode="wrap")
    return np.asarray(ndimage.gaussian_filter1d(mended, _POINT_SD_FRAMES, axis=0, mode="wrap"))


def _voxels(points: Points, cine: Cine) -> Points:
    """RAS mm (t, k, 3) -> in-plane voxels (t, k, 2)."""
    flat = apply_affine(np.linalg.inv(cine.affine), points.reshape(-1, 3))
    return np.asarray(flat[:, :2].reshape(*points.shape[:2], 2))


def _voxel(point: Points, cine: Cine) -> Points:
    """RAS mm -> in-plane voxels (i, j)."""
    return apply_affine(np.linalg.inv(cine.affine), np.asarray(point))[:2]


def _in_patient(points: Points, cine: Cine) -> dict[str, Points]:
    """Voxels (t, k, 2) -> name: (t, 3) in RAS mm."""
    flat = np.concatenate([points, np.zeros((*points.shape[:2], 1))], axis=2)
    placed = apply_affine(cine.affine, flat)
    return {name: placed[:, k] for k, name in enumerate(LANDMARKS[cine.view])}
