"""What an autoencoder makes of a study, as numbers: nothing is hidden from it, no label is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from cinema_cmr.core.errors import NoCineError, WeightsError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.data.store import StoredStudy
from cinema_cmr.engine.runtime import Runtime
from cinema_cmr.models.loaded import LoadedModel
from cinema_cmr.models.mae import CineMA
from cinema_cmr.tasks.pretrain import frame_of_phase, view_tensor

__all__ = ["FeatureRow", "Featuriser"]

_AT_ONCE = 4


@dataclass(frozen=True, kw_only=True)
class FeatureRow:
    """One vector."""

    study: str
    frame: int | None
    """Counted from 0 in the view with the most frames; None for the mean over the cycle."""
    tokens: str
    """"cls", or the view whose tokens were averaged."""
    values: NDArray[np.float32]
    """(d,)"""


class Featuriser:
    """An autoencoder on a device; raises `WeightsError` for a model of another kind."""

    def __init__(self, loaded: LoadedModel, runtime: Runtime) -> None:
        if not isinstance(loaded.model, CineMA):
            raise WeightsError(
                f"model '{loaded.card.name}' is a {loaded.card.architecture}; features come from an autoencoder"
                " (cinema_mae), as `cinema pretrain` makes it"
            )
        self.card, self.runtime = loaded.card, runtime
        self.model = loaded.model.to(runtime.device).eval()

    def rows(self, study: StoredStudy, *, over_cycle: bool = False) -> list[FeatureRow]:
        """Vectors of the class token and of each view, all views seen together: of each frame, or their mean.

        A view with fewer frames is shown at the same part of the cycle. Raises `NoCineError` where the study
        has no view of the model.
        """
        views = [view for view in self.card.grids if view in study.views]
        if not views:
            known = ", ".join(self.card.grids)
            raise NoCineError(f"study '{study.name}' has none of the model's views: {known}")
        n_frames = max(study.cine(view).n_frames for view in views)
        parts: dict[str, list[NDArray[np.float32]]] = {}
        for first in range(0, n_frames, _AT_ONCE):
            phases = [(t + 0.5) / n_frames for t in range(first, min(first + _AT_ONCE, n_frames))]
            for name, values in self._vectors(study, views, phases):
                parts.setdefault(name, []).append(values)
        whole = {name: np.concatenate(its) for name, its in parts.items()}
        if over_cycle:
            return [self._row(study, None, name, values.mean(axis=0)) for name, values in whole.items()]
        return [self._row(study, t, name, values[t]) for t in range(n_frames) for name, values in whole.items()]

    @torch.no_grad()
    def _vectors(
        self, study: StoredStudy, views: Sequence[View], phases: Sequence[float]
    ) -> Iterator[tuple[str, NDArray[np.float32]]]:
        """ "cls" and each view's name, with (frames, d)."""
        images = {}
        for view in views:
            frames = [frame_of_phase(study, view, phase) for phase in phases]
            tensors = [view_tensor(study, view, frame, self.card.grids[view]) for frame in frames]
            images[str(view)] = torch.stack(tensors).to(self.runtime.device)
        with self.runtime.autocast():
            found = self.model.features(images)
        for name, tokens in found.items():
            yield name, tokens.float().mean(dim=1).cpu().numpy()

    def _row(self, study: StoredStudy, frame: int | None, name: str, values: NDArray[np.float32]) -> FeatureRow:
        return FeatureRow(study=study.name, frame=frame, tokens=name, values=values)
