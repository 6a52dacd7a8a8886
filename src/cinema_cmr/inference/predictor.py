"""Segmentation of all frames of a study on the native grid: locate, crop, predict, invert, post-process."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.annotation import LabelMap
from cinema_cmr.core.errors import NoCineError
from cinema_cmr.core.results import HeartLocation, Prediction, RemovedComponent
from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import ATRIUM_LABELS, View
from cinema_cmr.core.volume import Cine
from cinema_cmr.data.heart_position import heart_positions
from cinema_cmr.image.resample import CropResample
from cinema_cmr.inference.confidence import mean_probability
from cinema_cmr.inference.fov import MAX_FOV_EXPANSIONS, expand_fov, is_truncated
from cinema_cmr.inference.localiser import locate_heart
from cinema_cmr.inference.magnification import magnify_small_heart
from cinema_cmr.inference.postprocess import keep_largest_components
from cinema_cmr.inference.segmenter import Segmenter

__all__ = ["predict_cine", "predict_study"]

_RIGHT_ATRIUM = next(label.code for label in ATRIUM_LABELS if label.name == "ra")

FrameReport = Callable[[int, int], None]
"""Called with the number of frames done and in total."""


def predict_study(study: Study, segmenter: Segmenter, *, report: FrameReport | None = None) -> dict[View, Prediction]:
    """Segment every view that both the study and the model have, in all frames on the native grid.

    Raises `NoCineError` if they share no view.
    """
    views = [view for view in segmenter.card.grids if view in study]
    if not views:
        wanted = ", ".join(view.title for view in segmenter.card.grids)
        present = ", ".join(sorted({cine.view.title for cine in study.cines})) or "none"
        raise NoCineError(
            f"study '{study.name}' has no {wanted} cine, which model '{segmenter.card.name}' needs; "
            f"its views are: {present}"
        )
    places = {} if views == [View.SAX] else heart_positions(study)
    return {view: predict_cine(study.cine(view), segmenter, place=places.get(view), report=report) for view in views}


def predict_cine(
    cine: Cine,
    segmenter: Segmenter,
    *,
    centre: tuple[float, float] | None = None,
    place: tuple[float, float] | None = None,
    report: FrameReport | None = None,
) -> Prediction:
    """Segment all frames of one view around `centre` (voxels i, j), which is located from the images if absent.

    The heart of a long-axis cine is first searched at `place`, the estimate of other views. Probabilities are resampled
    to the native grid before labelling; only the largest component of each structure is kept, and removed components
    are listed. A heart much smaller than an adult's is magnified (`inference/magnification.py`). If labels touch an
    edge of the field of view inside the image, all frames are predicted again with a larger one, up to three times.
    """
    if centre is None:
        location = magnify_small_heart(cine, segmenter, locate_heart(cine, segmenter, place=place))
    else:
        location = HeartLocation(centre=centre, method="given")
    crop, fov_expansions = segmenter.plan(cine, location.centre, magnification=location.magnification), 0
    labels, confidence, removed = _predict_frames(cine, segmenter, crop, report)
    while is_truncated(labels, crop) and fov_expansions < MAX_FOV_EXPANSIONS:
        crop, fov_expansions = expand_fov(crop), fov_expansions + 1
        labels, confidence, removed = _predict_frames(cine, segmenter, crop, report)
    pixel_mm = segmenter.grid(cine.view).spacing_mm / location.magnification
    return Prediction(
        view=cine.view,
        labels=LabelMap(array=labels, scheme=segmenter.card.label_scheme),
        confidence=confidence,
        location=location,
        removed_components=tuple(removed),
        model=segmenter.card.name,
        least_confidence=segmenter.card.least_confidence,
        fov_mm=(crop.size[0] * pixel_mm, crop.size[1] * pixel_mm),
        fov_expansions=fov_expansions,
        truncated=is_truncated(labels, crop),
    )


def _predict_frames(
    cine: Cine, segmenter: Segmenter, crop: CropResample, report: FrameReport | None
) -> tuple[NDArray[np.uint8], NDArray[np.float32], list[RemovedComponent]]:
    """Return the labels of all frames, their confidence and the removed components."""
    labels = np.zeros(cine.array.shape, np.uint8)
    confidence = np.full(cine.n_frames, np.nan, np.float32)
    removed: list[RemovedComponent] = []
    predictions = segmenter.probabilities(cine, crop, range(cine.n_frames))
    for done, (frame, prob) in enumerate(predictions, 1):
        native = segmenter.native(prob, crop)
        cleaned, volumes = keep_largest_components(
            _visible(native.argmax(axis=-1).astype(np.uint8), segmenter.card.label_scheme, cine.view),
            scheme=segmenter.card.label_scheme,
            voxel_ml=cine.voxel_volumes_ml,
            pixel_mm=cine.spacing_mm[:2],
        )
        labels[..., frame] = cleaned
        confidence[frame] = mean_probability(native, cleaned)
        removed += [RemovedComponent(structure=name, frame=frame, volume_ml=volume) for name, volume in volumes.items()]
        if report is not None:
            report(done, cine.n_frames)
    return labels, confidence, removed


def _visible(labels: NDArray[np.uint8], scheme: str, view: View) -> NDArray[np.uint8]:
    """Return the labels without a right atrium in the 2- and 3-chamber views, whose planes do not cut it."""
    if scheme != "chambers" or view is View.LAX_4C:
        return labels
    return np.where(labels == _RIGHT_ATRIUM, 0, labels).astype(np.uint8)
