"""Network input of a study: a frame of a view, or the two phases of the cycle around the heart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cinema_cmr.core.card import Grid
from cinema_cmr.core.errors import InputError
from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import View
from cinema_cmr.data.heart_position import heart_positions
from cinema_cmr.data.store import StoredStudy
from cinema_cmr.image.augment import Augmentation
from cinema_cmr.image.intensity import normalise
from cinema_cmr.image.resample import CropResample
from cinema_cmr.image.slices import plan_slices
from cinema_cmr.image.view_grid import augment_to_view_grid, resample_to_view_grid

__all__ = [
    "PhasePlanes",
    "channels_first",
    "crop_heart",
    "frame_at_phase",
    "phase_images",
    "phase_planes",
    "view_tensor",
]

Place = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class PhasePlanes:
    """Both phases of a view at the model's spacing, over the whole field of view."""

    planes: NDArray[np.float16] = field(repr=False)
    """(x, y, z, 2), end-diastole first, with the slices of the model's input."""
    heart: Place
    """Position in pixels of the planes."""


def view_tensor(
    study: StoredStudy,
    view: View,
    frame: int,
    grid: Grid,
    *,
    augmentation: Augmentation | None = None,
    rng: np.random.Generator | None = None,
) -> Tensor:
    """Return one frame of a view as network input: (1, x, y, z) of a stack, (1, x, y) of a long-axis plane.

    With an augmentation and a generator, a random transform is applied.
    """
    cine, planes = study.cine(view), study.frame(view, frame)
    spacing, positions, heart = cine.spacing_mm, np.array(cine.slice_positions_mm), cine.heart
    if augmentation is None or rng is None:
        image = resample_to_view_grid(planes, grid, spacing_mm=spacing, slice_positions_mm=positions, heart=heart)
    else:
        image = augment_to_view_grid(
            planes,
            grid,
            spacing_mm=spacing,
            slice_positions_mm=positions,
            heart=heart,
            augmentation=augmentation,
            rng=rng,
        )
    return torch.from_numpy(image if view is View.SAX else image[..., image.shape[2] // 2]).unsqueeze(0).contiguous()


def frame_at_phase(study: StoredStudy, view: View, phase: float) -> int:
    """Return the frame at a fraction of the cycle, 0 to below 1; it matches views of different numbers of frames."""
    n_frames = study.cine(view).n_frames
    return min(int(phase * n_frames), n_frames - 1)


def phase_images(study: Study, grids: Mapping[View, Grid], phases: tuple[float, float]) -> dict[str, Tensor]:
    """Return view -> (2, x, y[, z]), both phases (fractions of the cycle, end-diastole first) around the heart.

    Raises `InputError` for a study without any of the views.
    """
    by_view = phase_planes(study, grids, phases)
    return {str(view): channels_first(crop_heart(planes, grids[view])) for view, planes in by_view.items()}


def phase_planes(study: Study, grids: Mapping[View, Grid], phases: tuple[float, float]) -> dict[View, PhasePlanes]:
    """Return both phases (fractions of the cycle) of each view at its grid spacing; `InputError` without a view."""
    views = [view for view in grids if view in study]
    if not views:
        expected = ", ".join(view.title for view in grids)
        raise InputError(f"study '{study.name}' has no view of the model; expected one of {expected}: exclude it")
    hearts = heart_positions(study)
    return {view: _resample_phases(study, view, grids[view], hearts[view], phases) for view in views}


def _resample_phases(study: Study, view: View, grid: Grid, heart: Place, phases: tuple[float, float]) -> PhasePlanes:
    cine = study.cine(view)
    frames = _frames_at(phases, cine.n_frames)
    crop = CropResample.full_plane(cine.array.shape[:2], cine.spacing_mm, grid)
    planes = crop.apply(cine.array[..., frames] - cine.array.min())
    planes = plan_slices(cine.slice_positions_mm, grid).to_model(planes)
    i, j = crop.to_crop(np.array(heart))
    scaled = np.asarray(planes / max(float(planes.max()), 1e-6), dtype=np.float16)
    return PhasePlanes(planes=scaled, heart=(float(i), float(j)))


def _frames_at(phases: tuple[float, float], n_frames: int) -> list[int]:
    """Return the frames of both phases.

    A cine of two frames uses both, whatever their fractions of the cycle, because one frame twice would hide the
    motion.
    """
    if n_frames == 2:
        return [0, 1] if phases[0] <= phases[1] else [1, 0]
    return [min(int(round(phase * n_frames, 6)), n_frames - 1) for phase in phases]


def crop_heart(phases: PhasePlanes, grid: Grid) -> Tensor:
    """Crop both phases around the heart: (x, y, z, 2), normalised to the grid's percentiles."""
    crop = CropResample.around(phases.planes.shape[:2], (grid.spacing_mm, grid.spacing_mm), grid, phases.heart)
    return torch.from_numpy(normalise(crop.apply(phases.planes), grid.percentiles))


def channels_first(image: Tensor) -> Tensor:
    """Reorder (x, y, z, c) -> (c, x, y, z) of a stack, (c, x, y) of a single plane."""
    moved = image.permute(3, 0, 1, 2)
    return (moved if moved.shape[-1] > 1 else moved[..., 0]).contiguous()
