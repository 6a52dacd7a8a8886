"""Segmentation model for the predictor: from native frames to class probabilities on the native grid."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cinema_cmr.core.card import Grid, check_tta
from cinema_cmr.core.errors import UsageError
from cinema_cmr.core.results import Flag
from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine
from cinema_cmr.image.intensity import normalise
from cinema_cmr.image.resample import CropResample
from cinema_cmr.image.slices import plan_slices
from cinema_cmr.inference.batches import each_batch
from cinema_cmr.inference.runtime import Runtime
from cinema_cmr.models.loaded import LoadedModel

__all__ = ["Segmenter"]

Probabilities = NDArray[np.float32]

_PIXELS_PER_BATCH = {"cpu": 100_000, "other": 1_200_000}
"""Pixels of all slices of a batch; the slices of a frame stay together. On a CPU, batches beyond its caches are slower:
a slice among 80 takes 1.45 times as long as one among 10 (`benchmarks/pair_speed.py --planes 10 80`)."""


class Segmenter:
    """A segmentation model on a device, with the grids of its card."""

    def __init__(self, loaded: LoadedModel, runtime: Runtime, *, tta: int | None = None) -> None:
        card = loaded.card
        card.check_task("segment")
        self.model = loaded.model.to(runtime.device).eval()
        self.loaded, self.card, self.runtime = loaded, card, runtime
        self.tta = card.tta if tta is None else tta
        """Number of averaged passes: 1 without augmentation; 2 with a flip; 4 and 8 also with quarter rotations."""
        check_tta(self.tta)
        oblong = [str(view) for view, grid in card.grids.items() if grid.size[0] != grid.size[1]]
        if self.tta > 2 and oblong:
            raise UsageError(
                f"test-time augmentation of {self.tta} passes on {oblong}; expected 1 or 2 on oblong planes"
            )

    def localizer(self) -> Segmenter:
        """Return a faster segmenter, enough to find the heart: one network, without test-time augmentation."""
        first = next(iter(self.loaded.members.values()))
        return Segmenter(first, self.runtime, tta=1)

    def model_flags(self) -> tuple[Flag, ...]:
        """Return the flag of a model whose card's note `experimental` says that it is not for measuring; or none."""
        reason = self.card.training.get("experimental")
        if not reason:
            return ()
        message = (
            f"masks are from '{self.card.name}', {reason}: do not use these measurements; fine-tune it first, or take"
            " another model"
        )
        return (Flag(code="masks-experimental", severity="warning", message=message),)

    @property
    def inference_settings(self) -> str:
        """Inference settings for the NIfTI `descrip` field, with logit offsets as a hash."""
        if not self.card.logit_offsets:
            return f"tta {self.tta}"
        offsets = repr(sorted(self.card.logit_offsets.items()))
        return f"tta {self.tta} offsets {hashlib.sha256(offsets.encode()).hexdigest()[:6]}"

    def grid(self, view: View) -> Grid:
        """Return the grid of a view of the card."""
        return self.card.grids[view]

    def plan(self, cine: Cine, centre: tuple[float, float], *, magnification: float = 1.0) -> CropResample:
        """Plan the crop of the model's grid, or one of so many times smaller pixels, around `centre` (voxels i, j)."""
        shape = (cine.array.shape[0], cine.array.shape[1])
        grid = self.grid(cine.view)
        magnified = replace(grid, spacing_mm=grid.spacing_mm / magnification)
        return CropResample.around(shape, cine.spacing_mm, magnified, centre)

    def probabilities(
        self, cine: Cine, crop: CropResample, frames: Sequence[int]
    ) -> Iterator[tuple[int, Probabilities]]:
        """Yield frame and class probabilities (x, y, z, class) on the model's in-plane grid and the native slices.

        All `frames` share one intensity scale, computed from all of them.
        """
        grid = self.grid(cine.view)
        # The darkest voxel becomes 0, so that the zeros outside the image are the lowest value.
        scaled = normalise(crop.apply(cine.array[..., list(frames)] - cine.array.min()), grid.percentiles)
        slices = plan_slices(cine.slice_positions_mm, grid)
        pixels = _PIXELS_PER_BATCH["cpu" if self.runtime.device == "cpu" else "other"]
        batch = max(1, pixels // (crop.size[0] * crop.size[1] * slices.n_model))

        def predict(first: int) -> Probabilities:
            planes = slices.to_model(scaled[..., first : first + batch])
            images = torch.from_numpy(np.ascontiguousarray(np.moveaxis(planes, 3, 0)[:, None]))
            return self._predict(images, str(cine.view))

        probs = (one for several in each_batch(predict, range(0, len(frames), batch), self.runtime) for one in several)
        for frame, prob in zip(frames, probs, strict=True):
            yield frame, slices.to_native(prob)

    def native(self, probabilities: Probabilities, crop: CropResample) -> Probabilities:
        """Resample (x, y, z, class) to (X, Y, z, class) on the native grid, with background outside the crop."""
        whole = crop.invert(probabilities)
        total = whole[..., 0].copy()
        for k in range(1, whole.shape[-1]):  # numpy's sum over so short an axis takes six times as long
            total += whole[..., k]
        whole[..., 0] += 1 - total
        return whole

    @torch.inference_mode()
    def _predict(self, images: Tensor, view: str) -> Probabilities:
        """Return probabilities (b, x, y, z, class) of images (b, 1, x, y, z), averaged over test-time augmentation."""
        total, offsets = torch.zeros(()), self._offsets().to(self.runtime.device)
        passes = [(quarters, flip) for quarters in range(max(1, self.tta // 2)) for flip in range(min(2, self.tta))]
        for quarters, flip in passes:
            rotated = images.rot90(quarters, (2, 3))
            moved = rotated.flip(2) if flip else rotated
            moved = moved.contiguous().to(self.runtime.device)
            with self.runtime.autocast():
                logits = self.model({view: moved})[view]
            prob = (logits.float() + offsets).softmax(dim=1).cpu()
            prob = prob.flip(2) if flip else prob
            total = total + prob.rot90(-quarters, (2, 3))
        mean = total / len(passes)
        return mean.movedim(1, -1).numpy()

    def _offsets(self) -> Tensor:
        """Return the logit offsets, (1, class, 1, 1, 1), or a single 0."""
        if not self.card.logit_offsets:
            return torch.zeros(())
        offsets = [self.card.logit_offsets.get(name, 0.0) for name in self.card.outputs]
        return torch.tensor(offsets).reshape(1, -1, 1, 1, 1)
