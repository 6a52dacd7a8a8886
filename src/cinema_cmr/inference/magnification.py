"""Magnification of small hearts to the size of those in the training data of the network."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from cinema_cmr.core.components import largest_component
from cinema_cmr.core.results import HeartLocation
from cinema_cmr.core.vocabulary import LABEL_SCHEMES, View
from cinema_cmr.core.volume import Cine
from cinema_cmr.inference.confidence import mean_probability
from cinema_cmr.inference.localiser import coarse_centre
from cinema_cmr.inference.segmenter import Segmenter

__all__ = ["SMALL_HEART_MM", "magnify_small_heart"]

SMALL_HEART_MM = 70.0
"""Longer side of the box about both ventricles below which a heart is magnified: 53 to 75 mm in those of 20 Data
Science Bowl cases with an EDV of less than 50 ml, 73 to 123 mm in the others."""
_TRAINING_MM = 100.0
"""The same of the hearts in the training data: adults have 85 to 125 mm."""
_MIN_FOV_EXTENTS = 1.5
"""Smallest side of the magnified field of view, in extents of the heart, which it has to hold."""
_MAX_STEP = 2.0
"""Largest factor by which one round magnifies further."""
_MAX_ROUNDS = 3

_SEARCH_MAGNIFICATION = 1.5
"""Magnification of the whole image when it is searched again."""
_MIN_RV_SHARE = 0.1
"""Share of the labels that is right ventricle, below which the box is not that of both ventricles."""


class _FirstFrame(NamedTuple):
    """What the network labels in the first frame, as it is or magnified."""

    confidence: float
    """Mean probability of the labels."""
    rv_share: float
    """Share of the labels that is right ventricle."""
    extent_mm: float
    """Longer side of the box about the labels; 0 without any."""
    centre: tuple[float, float]
    """Middle of that box, voxels i, j."""


def magnify_small_heart(cine: Cine, segmenter: Segmenter, location: HeartLocation) -> HeartLocation:
    """Return the location with the magnification at which the network is more confident of a small heart, or as it was.

    The first frame is segmented as it is and magnified; the magnification stays if the labels then hold both
    ventricles, are still small, and their mean probability is higher. `evidence` then holds `magnification` and the
    heart's extent, `extent_mm`. Only a short-axis stack in which less than `SMALL_HEART_MM` was labelled is considered.
    """
    found_mm = location.evidence.get("extent_mm")
    if cine.view is not View.SAX or (isinstance(found_mm, float) and found_mm >= SMALL_HEART_MM):
        return location
    segmenter = segmenter.localizer()
    grid = segmenter.grid(cine.view)
    fov_mm = min(grid.size) * grid.spacing_mm
    current = _segmented(cine, segmenter, location)
    if location.method == "coarse pass":
        # No beat has shown the place: a small heart may be found only in a magnified image.
        centre = coarse_centre(cine, segmenter, magnification=_SEARCH_MAGNIFICATION)
        found = _magnified(cine, segmenter, replace(location, centre=centre), current, _SEARCH_MAGNIFICATION)
        location, current = found or (location, current)
    for _ in range(_MAX_ROUNDS):
        if not 0 < current.extent_mm * location.magnification < SMALL_HEART_MM:
            break
        wanted = min(
            _TRAINING_MM / current.extent_mm,
            _MAX_STEP * location.magnification,
            fov_mm / (_MIN_FOV_EXTENTS * current.extent_mm),
        )
        found = None
        if wanted > location.magnification:
            found = _magnified(cine, segmenter, location, current, round(wanted, 2))
        if found is None:
            break
        location, current = found
    return location


def _magnified(
    cine: Cine, segmenter: Segmenter, location: HeartLocation, current: _FirstFrame, magnification: float
) -> tuple[HeartLocation, _FirstFrame] | None:
    """Return the location magnified, centred on the labels there, and these; None if they are no better than now."""
    evidence = {**location.evidence, "magnification": magnification}
    closer = _segmented(cine, segmenter, replace(location, evidence=evidence))
    is_small_heart = closer.rv_share >= _MIN_RV_SHARE and closer.extent_mm < SMALL_HEART_MM
    if not (is_small_heart and closer.confidence > current.confidence):
        return None
    return replace(location, centre=closer.centre, evidence={**evidence, "extent_mm": closer.extent_mm}), closer


def _segmented(cine: Cine, segmenter: Segmenter, location: HeartLocation) -> _FirstFrame:
    """Segment the first frame at a location."""
    crop = segmenter.plan(cine, location.centre, magnification=location.magnification)
    _, prob = next(iter(segmenter.probabilities(cine, crop, [0])))
    native = segmenter.native(prob, crop)
    codes = native.argmax(axis=-1).astype(np.uint8)
    labels = np.where(largest_component(codes > 0), codes, 0).astype(np.uint8)
    pixels = np.argwhere(labels.any(axis=2))
    if not len(pixels):
        return _FirstFrame(confidence=0.0, rv_share=0.0, extent_mm=0.0, centre=location.centre)
    first, last = pixels.min(axis=0), pixels.max(axis=0)
    rv = [label.code for label in LABEL_SCHEMES[segmenter.card.label_scheme] if label.name == "rv"]
    return _FirstFrame(
        confidence=mean_probability(native, labels),
        rv_share=float(np.isin(labels, rv).sum() / np.count_nonzero(labels)),
        extent_mm=round(float(((last - first + 1) * cine.spacing_mm[:2]).max()), 1),
        centre=(float(first[0] + last[0]) / 2, float(first[1] + last[1]) / 2),
    )
