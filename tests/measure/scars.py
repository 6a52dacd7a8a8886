"""Late-enhancement stacks with a known infarct: a ring whose wedge is infarcted to a known depth."""

from __future__ import annotations

import numpy as np
from hearts import cine_of
from numpy.typing import NDArray

from cinema_cmr.core.annotation import LabelMap
from cinema_cmr.core.results import HeartLocation, Prediction, RemovedComponent
from cinema_cmr.core.study import Issue, Study
from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine

INNER_MM, OUTER_MM = 22.0, 34.0
CAVITY, WALL, INFARCT, NO_REFLOW = 1, 2, 3, 4
PIXEL_MM = 0.5


def ring(
    *,
    depth: float = 0.5,
    wedge_deg: float = 90.0,
    at_deg: float = 0.0,
    core: bool = False,
    scale: float = 1.0,
    pixel_mm: tuple[float, float] = (PIXEL_MM, PIXEL_MM),
) -> NDArray[np.uint8]:
    """(x, y) a wedge around `at_deg`, infarcted from the inside to a part of the wall; `core` is all no-reflow."""
    shape = tuple(int(90 / mm) for mm in pixel_mm)
    x = (np.arange(shape[0]) - shape[0] // 2)[:, None] * pixel_mm[0]
    y = (np.arange(shape[1]) - shape[1] // 2)[None, :] * pixel_mm[1]
    radius, angle = np.hypot(x, y) / scale, np.degrees(np.arctan2(y, x)) - at_deg
    within = np.abs((angle + 180) % 360 - 180) <= wedge_deg / 2
    plane = np.zeros(shape, np.uint8)
    plane[radius < OUTER_MM] = WALL
    plane[(radius < INNER_MM + depth * (OUTER_MM - INNER_MM)) & within] = NO_REFLOW if core else INFARCT
    plane[radius < INNER_MM] = CAVITY
    return plane


def stack(
    *planes: NDArray[np.uint8], oriented: bool = False, slice_mm: float = 8.0, **cine: object
) -> tuple[Study, Prediction]:
    """A study of one frame with these slices, base first, and the map as a prediction."""
    labels = np.stack(planes, axis=2)[..., None]
    spacing = (PIXEL_MM, PIXEL_MM, slice_mm)
    image: Cine = cine_of(labels.shape, spacing, oriented=oriented, **cine)  # type: ignore[arg-type]
    return Study(name="scar", cines=(image,), modality="lge"), prediction_of(labels)


def prediction_of(
    labels: NDArray[np.uint8], *, confidence: float = 0.95, removed: tuple[RemovedComponent, ...] = ()
) -> Prediction:
    return Prediction(
        view=View.SAX,
        labels=LabelMap(array=labels, scheme="scar"),
        confidence=np.full(labels.shape[3], confidence, np.float32),
        location=HeartLocation(centre=(0.0, 0.0), method="given"),
        removed_components=removed,
    )


def nominal(study: Study) -> Study:
    return study.with_issues(Issue(code="nominal-spacing", severity="warning", message="lost"))
