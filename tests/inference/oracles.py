"""Hearts whose labels are known, and networks that read them off the intensities: no weight is learned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cinema_cmr.core.annotation import LabelMap
from cinema_cmr.core.card import Grid, ModelCard
from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine
from cinema_cmr.data.cases import AnnotatedStudy
from cinema_cmr.inference.runtime import Runtime
from cinema_cmr.inference.segmenter import Segmenter
from cinema_cmr.models.loaded import LoadedModel

LEVELS = {0: 0.0, 2: 300.0, 1: 600.0, 3: 1000.0}
"""Code -> intensity."""
CPU = Runtime(device="cpu", precision="fp32")


class Oracle(nn.Module):
    """Calls each voxel what its intensity, 0 to 1, is nearest to; `lv_only` knows bright from dark alone."""

    def __init__(self, *, lv_only: bool = False, sharp: float = 400.0) -> None:
        super().__init__()
        self.sharp = nn.Parameter(torch.tensor(float(sharp)))
        self.levels = [0.0, 9.0, 9.0, 1.0] if lv_only else [LEVELS[code] / 1000 for code in range(4)]

    def forward(self, images: Mapping[str, Tensor]) -> dict[str, Tensor]:
        levels = torch.tensor(self.levels).view(1, 4, 1, 1, 1)
        return {view: -self.sharp * (image - levels) ** 2 for view, image in images.items()}


class Nothing(nn.Module):
    """Finds background everywhere, a little less at pixel (2, 5) of its grid."""

    def forward(self, images: Mapping[str, Tensor]) -> dict[str, Tensor]:
        (view, image), *_ = images.items()
        logits = torch.zeros(image.shape[0], 4, *image.shape[2:])
        logits[:, 0] = 9
        logits[:, 0, 2, 5] = 8
        return {view: logits}


def segmenter(
    network: nn.Module | None = None,
    *,
    spacing_mm: float = 1.5,
    size: tuple[int, int] = (49, 49),
    tta: int = 1,
    runtime: Runtime = CPU,
    n_slices: int | None = None,
) -> Segmenter:
    grid = Grid(spacing_mm=spacing_mm, size=size, n_slices=n_slices, percentiles=(0.0, 100.0))
    card = ModelCard(name="oracle", task="segment", architecture="none", config={}, grids={View.SAX: grid})
    return Segmenter(LoadedModel(model=network or Oracle(), card=card), runtime, tta=tta)


def heart(
    radii_mm: Sequence[float] = (15.0, 10.0),
    *,
    shape: tuple[int, int] = (71, 65),
    spacing_mm: tuple[float, float] = (1.5, 1.5),
    centre: tuple[float, float] = (40.0, 30.0),
    n_slices: int = 3,
) -> NDArray[np.uint8]:
    """(x, y, z, t) codes: a round left ventricle of these radii, its wall, the right one beside it."""
    x = (np.arange(shape[0]) - centre[0])[:, None] * spacing_mm[0]
    y = (np.arange(shape[1]) - centre[1])[None, :] * spacing_mm[1]
    labels = np.zeros((*shape, n_slices, len(radii_mm)), np.uint8)
    for frame, radius in enumerate(radii_mm):
        plane = np.zeros(shape, np.uint8)
        plane[np.hypot(x + radius + 6, y) < radius] = 1
        plane[np.hypot(x, y) < radius + 6] = 2
        plane[np.hypot(x, y) < radius] = 3
        labels[..., frame] = plane[..., None]
    return labels


def cine_of(labels: NDArray[np.uint8], spacing_mm: tuple[float, float, float] = (1.5, 1.5, 8.0)) -> Cine:
    """The image of these codes, each in its intensity; dark is 0 or 1, as `normalise` leaves out a flat floor."""
    dark = np.indices(labels.shape).sum(axis=0) % 2
    image = np.choose(labels, [dark, *(LEVELS[code] for code in (1, 2, 3))]).astype(np.float32)
    return Cine(
        array=image,
        affine=np.diag([*spacing_mm, 1.0]),
        view=View.SAX,
        slice_positions_mm=np.arange(labels.shape[2]) * spacing_mm[2],
    )


def annotated(
    labels: NDArray[np.uint8],
    name: str = "heart",
    *,
    frames: tuple[int, ...] | None = None,
    group: str = "NOR",
) -> AnnotatedStudy:
    study = Study(name=name, cines=(cine_of(labels),))
    return AnnotatedStudy(
        study=study,
        patient=name,
        labels={View.SAX: LabelMap(array=labels)},
        labelled_frames={View.SAX: frames or tuple(range(labels.shape[3]))},
        facts={"group": group},
    )


def same(predicted: NDArray[np.uint8], truth: NDArray[np.uint8], code: int) -> float:
    """Dice of one code."""
    a, b = predicted == code, truth == code
    return float(2 * (a & b).sum() / (a.sum() + b.sum()))
