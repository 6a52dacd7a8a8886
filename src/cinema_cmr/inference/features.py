"""Feature vectors of a study from an autoencoder, computed from all patches without labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cinema_cmr.core.errors import NoCineError, WeightsError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.data.store import StoredStudy
from cinema_cmr.inference.runtime import Runtime
from cinema_cmr.inference.study_tensors import frame_at_phase, view_tensor
from cinema_cmr.models.loaded import LoadedModel
from cinema_cmr.models.mae import CineMA
from cinema_cmr.models.stem import Stem

__all__ = ["HEART_REACH_MM", "FeatureExtractor", "FeatureRow"]

HEART_REACH_MM = 36.0
"""Largest distance between the heart and the centre of a token near it, along either axis of the plane."""

_FRAMES_PER_BATCH = 4
_THIRDS = ("first", "middle", "last")


@dataclass(frozen=True, kw_only=True)
class FeatureRow:
    """One feature vector."""

    study: str
    frame: int | None
    """Frame from 0 in the view with the most frames; None for the mean over the cycle."""
    tokens: str
    """Origin of the vector: "cls"; a view, for the mean of its tokens; or, for tokens near the heart, "sax/first",
    "sax/middle" and "sax/last", a third of the grid's slices each, and "lax_4c/heart" for a plane; or
    "sax/structures": see `FeatureExtractor.rows`."""
    values: NDArray[np.float32]
    """(d,)"""


class FeatureExtractor:
    """Feature extraction with an autoencoder on a device; raises `WeightsError` for another model."""

    def __init__(self, loaded: LoadedModel, runtime: Runtime) -> None:
        if not isinstance(loaded.model, CineMA):
            raise WeightsError(
                f"model '{loaded.card.name}' is a {loaded.card.architecture}; expected an autoencoder (cinema_mae):"
                " train one with `cinema pretrain`"
            )
        self.card, self.runtime = loaded.card, runtime
        self.model = loaded.model.to(runtime.device).eval()

    def rows(self, study: StoredStudy, *, over_cycle: bool = False, heart: bool = False) -> list[FeatureRow]:
        """Return vectors of the class token and of each view, of every frame or averaged over the cycle.

        All views are encoded together; a view with fewer frames contributes the frame at the same phase of the cycle.
        With `heart`, tokens near the heart (`HEART_REACH_MM`) give further vectors, and a model that decodes structures
        on a grid of known slice distance gives "sax/structures": the volume in ml of each structure of
        `core.vocabulary.CINE_LABELS` in turn by its probability, in the whole stack, then in each third of the grid's
        slices. Raises `NoCineError` if the study has no view of the model.
        """
        views = [view for view in self.card.grids if view in study.views]
        if not views:
            expected = ", ".join(self.card.grids)
            raise NoCineError(f"study '{study.name}' has no view of the model; expected one of {expected}")
        n_frames = max(study.cine(view).n_frames for view in views)
        parts: dict[str, list[NDArray[np.float32]]] = {}
        for first in range(0, n_frames, _FRAMES_PER_BATCH):
            phases = [(t + 0.5) / n_frames for t in range(first, min(first + _FRAMES_PER_BATCH, n_frames))]
            for name, values in self._vectors(study, views, phases, heart=heart):
                parts.setdefault(name, []).append(values)
        vectors = {name: np.concatenate(batches) for name, batches in parts.items()}
        if over_cycle:
            return [self._row(study, None, name, values.mean(axis=0)) for name, values in vectors.items()]
        return [self._row(study, t, name, values[t]) for t in range(n_frames) for name, values in vectors.items()]

    @torch.no_grad()
    def _vectors(
        self, study: StoredStudy, views: Sequence[View], phases: Sequence[float], *, heart: bool
    ) -> Iterator[tuple[str, NDArray[np.float32]]]:
        """Yield the name of each vector, as in `FeatureRow.tokens`, with its values (frames, d)."""
        images = {}
        for view in views:
            frames = [frame_at_phase(study, view, phase) for phase in phases]
            tensors = [view_tensor(study, view, frame, self.card.grids[view]) for frame in frames]
            images[str(view)] = torch.stack(tensors).to(self.runtime.device)
        with self.runtime.autocast():
            features = self.model.features(images)
        for name, tokens in features.items():
            yield name, tokens.float().mean(dim=1).cpu().numpy()
        for view in views if heart else ():
            yield from self._heart_vectors(view, features[str(view)].float().cpu())
        stack_mm = self.card.grids[View.SAX].slice_spacing_mm if View.SAX in views else None
        if heart and stack_mm is not None and self.model.mask_decoders is not None:
            yield f"{View.SAX}/structures", self._structure_volumes(images[str(View.SAX)], stack_mm)

    def _structure_volumes(self, stack: Tensor, slice_spacing_mm: float) -> NDArray[np.float32]:
        """Volumes in ml (frames, 4 times the structures) of stacks (frames, 1, x, y, z) on the model's grid."""
        with self.runtime.autocast():
            logits = self.model.segment({str(View.SAX): stack})[str(View.SAX)]
        voxel_ml = self.card.grids[View.SAX].spacing_mm ** 2 * slice_spacing_mm / 1000
        by_slice = voxel_ml * logits.float().softmax(dim=1)[:, 1:].sum(dim=(2, 3)).cpu()
        parts = [by_slice.sum(dim=2), *(part.sum(dim=2) for part in by_slice.tensor_split(3, dim=2))]
        return torch.stack(parts, dim=2).flatten(1).numpy()

    def _heart_vectors(self, view: View, tokens: Tensor) -> Iterator[tuple[str, NDArray[np.float32]]]:
        """Average the tokens (frames, l, d) of a view near the heart, which lies in the middle of the grid."""
        grid, stem = self.card.grids[view], cast(Stem, self.model.enc_down_dict[str(view)])
        counts = [-(-n // step) for n, step in zip(grid.size, stem.stride, strict=False)]
        grid_tokens = tokens.reshape(len(tokens), *counts, -1, tokens.shape[-1])
        for axis, (n, step, count) in enumerate(zip(grid.size, stem.stride, counts, strict=False), 1):
            distance = grid.spacing_mm * ((torch.arange(count) + 0.5) * step - n / 2).abs()
            near = distance <= max(HEART_REACH_MM, float(distance.min()))
            grid_tokens = grid_tokens.index_select(axis, torch.nonzero(near).flatten())
        parts = (
            zip(_THIRDS, grid_tokens.tensor_split(3, dim=3), strict=True)
            if view is View.SAX
            else [("heart", grid_tokens)]
        )
        for name, part in parts:
            if part.shape[3]:
                yield f"{view}/{name}", part.mean(dim=(1, 2, 3)).numpy()

    def _row(self, study: StoredStudy, frame: int | None, name: str, values: NDArray[np.float32]) -> FeatureRow:
        return FeatureRow(study=study.name, frame=frame, tokens=name, values=values)
