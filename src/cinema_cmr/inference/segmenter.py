"""A segmentation model as the predictor uses it: native frames in, class probabilities on the native grid out."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cinema_cmr.core.card import Grid, check_tta
from cinema_cmr.core.errors import UsageError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine
from cinema_cmr.image.intensity import normalise
from cinema_cmr.image.resample import CropResample
from cinema_cmr.image.slices import plan_slices
from cinema_cmr.inference.runtime import Runtime
from cinema_cmr.models.loaded import LoadedModel

__all__ = ["Segmenter"]

Probabilities = NDArray[np.float32]

_PIXELS_AT_ONCE = {"cpu": 100_000, "other": 1_200_000}
"""Of the slices of all frames of one pass; a frame's slices stay together. On a CPU what does not fit its caches is
slower: a slice among 80 takes 1.45 times as long as one among 10 (`benchmarks/pair_speed.py --planes 10 80`)."""


class Segmenter:
    """A model that segments, on a device, with the grids of its card."""

    def __init__(self, loaded: LoadedModel, runtime: Runtime, *, tta: int | None = None) -> None:
        card = loaded.card
        card.check_task("segment")
        self.model = loaded.model.to(runtime.device).eval()
        self.loaded, self.card, self.runtime = loaded, card, runtime
        self.tta = card.tta if tta is None else tta
        """1: as it is; 2: also mirrored; 4 and 8: also turned by quarters; the probabilities are averaged."""
        check_tta(self.tta)
        oblong = [str(view) for view, grid in card.grids.items() if grid.size[0] != grid.size[1]]
        if self.tta > 2 and oblong:
            raise UsageError(f"{self.tta} turns of {oblong}, whose planes are not square; expected 1 or 2")

    def localizer(self) -> Segmenter:
        """Return a faster segmenter, enough to find the heart: one network, without test-time augmentation."""
        first = next(iter(self.loaded.members.values()))
        return Segmenter(first, self.runtime, tta=1)

    @property
    def inference_settings(self) -> str:
        """How the model is asked, short enough for a mask's header: offsets stand there by their hash."""
        if not self.card.logit_offsets:
            return f"turns {self.tta}"
        offsets = repr(sorted(self.card.logit_offsets.items()))
        return f"turns {self.tta} odds {hashlib.sha256(offsets.encode()).hexdigest()[:6]}"

    def grid(self, view: View) -> Grid:
        """The grid of a view; the view must be one of the card's."""
        return self.card.grids[view]

    def plan(self, cine: Cine, centre: tuple[float, float]) -> CropResample:
        """The part of the cine's planes that is seen with the model's grid around `centre` (voxels i, j)."""
        shape = (cine.array.shape[0], cine.array.shape[1])
        return CropResample.around(shape, cine.spacing_mm, self.grid(cine.view), centre)

    def probabilities(
        self, cine: Cine, crop: CropResample, frames: Sequence[int]
    ) -> Iterator[tuple[int, Probabilities]]:
        """Frame and class probabilities (x, y, z, class) on the model's in-plane grid and the cine's own slices.

        All `frames` share one intensity scale, taken from all of them together.
        """
        grid = self.grid(cine.view)
        # From the darkest voxel on, so that the zeros outside the image are the lowest value.
        seen = normalise(crop.apply(cine.array[..., list(frames)] - cine.array.min()), grid.percentiles)
        slices = plan_slices(cine.slice_positions_mm, grid)
        pixels = _PIXELS_AT_ONCE["cpu" if self.runtime.device == "cpu" else "other"]
        at_once = max(1, pixels // (crop.size[0] * crop.size[1] * slices.n_model))
        for first in range(0, len(frames), at_once):
            block = slices.to_model(seen[..., first : first + at_once])
            images = torch.from_numpy(np.ascontiguousarray(np.moveaxis(block, 3, 0)[:, None]))
            probs = self._averaged(images, str(cine.view))
            for frame, prob in zip(frames[first : first + at_once], probs, strict=True):
                yield frame, slices.to_native(prob)

    def native(self, probabilities: Probabilities, crop: CropResample) -> Probabilities:
        """(x, y, z, class) on the model's grid -> (X, Y, z, class) on the cine's own; outside the cut background."""
        whole = crop.invert(probabilities)
        whole[..., 0] += 1 - whole.sum(axis=-1)
        return whole

    @torch.inference_mode()
    def _averaged(self, images: Tensor, view: str) -> Probabilities:
        """Images (b, 1, x, y, z) -> probabilities (b, x, y, z, class), averaged over the passes of augmentation."""
        total, offsets = torch.zeros(()), self._offsets().to(self.runtime.device)
        ways = [(turn, mirror) for turn in range(max(1, self.tta // 2)) for mirror in range(min(2, self.tta))]
        for turn, mirror in ways:
            moved = images.rot90(turn, (2, 3)).flip(2) if mirror else images.rot90(turn, (2, 3))
            moved = moved.contiguous().to(self.runtime.device)
            with self.runtime.autocast():
                logits = self.model({view: moved})[view]
            prob = (logits.float() + offsets).softmax(dim=1).cpu()
            prob = prob.flip(2) if mirror else prob
            total = total + prob.rot90(-turn, (2, 3))
        mean = total / len(ways)
        return mean.movedim(1, -1).numpy()

    def _offsets(self) -> Tensor:
        """Of each class, (1, class, 1, 1, 1) or one 0 for all: added to the logits."""
        if not self.card.logit_offsets:
            return torch.zeros(())
        offsets = [self.card.logit_offsets.get(name, 0.0) for name in self.card.outputs]
        return torch.tensor(offsets).reshape(1, -1, 1, 1, 1)
