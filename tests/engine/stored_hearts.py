"""Small prepared studies whose frames can be told apart."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cinema_cmr.core.card import Grid
from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine
from cinema_cmr.data.store import StoredStudy, write_study
from cinema_cmr.models.mae import CineMAConfig
from cinema_cmr.models.stem import StemConfig
from cinema_cmr.models.vit import vit_size
from cinema_cmr.tasks.pretrain import PretrainConfig

GRIDS = {
    View.SAX: Grid(spacing_mm=4.0, size=(32, 32), slice_spacing_mm=10.0, n_slices=3),
    View.LAX_4C: Grid(spacing_mm=4.0, size=(48, 32)),
}
STEM = StemConfig(chans=(4, 6), kernel=(3, 3, 1), n_blocks=1)
NETWORK = CineMAConfig(image_sizes={"sax": (32, 32, 3), "lax_4c": (48, 32)}, vit=vit_size("tiny"), stem=STEM)
TASK = PretrainConfig(grids=GRIDS, token_size=STEM.token_stride(3))


def moving_disc(view: View, n_frames: int, seed: int) -> Cine:
    """A bright disc that changes its radius over the cycle, on a texture of its own, in a 160 mm field."""
    rng = np.random.default_rng(seed)
    shape = (40, 36, 4 if view is View.SAX else 1)
    x, y = (np.arange(n) - n / 2 for n in shape[:2])
    distance = np.hypot(x[:, None] + rng.normal(0, 2), y[None, :])[..., None]
    radii = 7 + 3 * np.cos(2 * np.pi * np.arange(n_frames) / n_frames) + 0.1 * np.arange(n_frames)
    frames = [800 / (1 + np.exp(2 * (distance - radius))) for radius in radii]
    array = np.stack(frames, axis=3) + rng.normal(200, 30, (*shape, 1))
    affine = np.diag([4.0, 4.0, 9.0, 1.0])
    if view is not View.SAX:
        affine[:3, :3] = affine[:3, [0, 2, 1]]
    return Cine(array=array.astype(np.float32), affine=affine, view=view, slice_positions_mm=np.arange(shape[2]) * 9.0)


def stored_heart(
    folder: Path, name: str, *, views: Sequence[View] = (View.SAX, View.LAX_4C), n_frames: int = 5, seed: int = 0
) -> StoredStudy:
    """One such study in a file."""
    cines = tuple(moving_disc(view, n_frames, seed) for view in views)
    return write_study(Study(name=name, cines=cines), folder / f"{name}.cine")
