"""Magnification of small hearts, so that a network sees them at the size of those that it learned from."""

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
"""Longer side of the box about both ventricles below which a heart is magnified. In 20 Data Science Bowl cases it is 53
to 75 mm where EDV is less than 50 ml, and 73 to 123 mm elsewhere."""
_LEARNED_MM = 100.0
"""The same of the hearts that the network learned: adults have 85 to 125 mm."""
_FIELD_SHARE = 1.5
"""Least sides of the magnified field of view, in extents of the heart: it has to hold the heart."""
_MAX_STEP = 2.0
"""Most by which one round magnifies further."""
_MAX_ROUNDS = 3
_SEARCH_MAGNIFICATION = 1.5
"""At which the whole image is searched again."""
_LEAST_RV_SHARE = 0.1
"""Part of the labels that is right ventricle, below which the box is not that of both ventricles."""


def magnify_small_heart(cine: Cine, segmenter: Segmenter, location: HeartLocation) -> HeartLocation:
    """Return the location with the magnification at which the network is surer of a small heart, or as it was.

    The first frame is segmented as it is and magnified; the magnification stays if the labels then hold both
    ventricles, are still small, and their mean probability is higher. `evidence` then holds `magnification` and the
    heart's extent, `extent_mm`. Only a short-axis stack in which less than `SMALL_HEART_MM` was labelled is considered.
    """
    found_mm = location.evidence.get("extent_mm")
    if cine.view is not View.SAX or (isinstance(found_mm, float) and found_mm >= SMALL_HEART_MM):
        return location
    segmenter = segmenter.localizer()
    grid = segmenter.grid(cine.view)
    field_mm = min(grid.size) * grid.spacing_mm
    look = _look(cine, segmenter, location)
    if location.method == "coarse pass":
        location, look = _searched_magnified(cine, segmenter, location, look)
    for _ in range(_MAX_ROUNDS):
        if not 0 < look.extent_mm * location.magnification < SMALL_HEART_MM:
            break
        wanted = min(
            _LEARNED_MM / look.extent_mm,
            _MAX_STEP * location.magnification,
            field_mm / (_FIELD_SHARE * look.extent_mm),
        )
        if wanted <= location.magnification:
            break
        magnified = replace(location, evidence={**location.evidence, "magnification": round(wanted, 2)})
        closer = _look(cine, segmenter, magnified)
        if not _is_better(closer, look):
            break
        evidence = {**magnified.evidence, "extent_mm": closer.extent_mm}
        location, look = replace(magnified, centre=closer.centre, evidence=evidence), closer
    return location


def _searched_magnified(
    cine: Cine, segmenter: Segmenter, location: HeartLocation, look: _Look
) -> tuple[HeartLocation, _Look]:
    """Search the whole image magnified too, where the beat has not shown the place; return the surer of both."""
    centre = coarse_centre(cine, segmenter, magnification=_SEARCH_MAGNIFICATION)
    evidence = {**location.evidence, "magnification": _SEARCH_MAGNIFICATION}
    magnified = replace(location, centre=centre, evidence=evidence)
    closer = _look(cine, segmenter, magnified)
    if not _is_better(closer, look):
        return location, look
    return replace(magnified, centre=closer.centre, evidence={**evidence, "extent_mm": closer.extent_mm}), closer


def _is_better(closer: _Look, look: _Look) -> bool:
    small = closer.rv_share >= _LEAST_RV_SHARE and closer.extent_mm < SMALL_HEART_MM
    return small and closer.confidence > look.confidence


class _Look(NamedTuple):
    """What the network labels in the first frame."""

    confidence: float
    """Mean probability of the labels."""
    rv_share: float
    """Part of the labels that is right ventricle."""
    extent_mm: float
    """Longer side of the box about the labels; 0 without any."""
    centre: tuple[float, float]
    """Middle of that box, voxels i, j."""


def _look(cine: Cine, segmenter: Segmenter, location: HeartLocation) -> _Look:
    crop = segmenter.plan(cine, location.centre, magnification=location.magnification)
    _, prob = next(iter(segmenter.probabilities(cine, crop, [0])))
    native = segmenter.native(prob, crop)
    codes = native.argmax(axis=-1).astype(np.uint8)
    labels = np.where(largest_component(codes > 0), codes, 0).astype(np.uint8)
    pixels = np.argwhere(labels.any(axis=2))
    if not len(pixels):
        return _Look(0.0, 0.0, 0.0, location.centre)
    first, last = pixels.min(axis=0), pixels.max(axis=0)
    rv = [label.code for label in LABEL_SCHEMES[segmenter.card.label_scheme] if label.name == "rv"]
    return _Look(
        confidence=mean_probability(native, labels),
        rv_share=float(np.isin(labels, rv).sum() / np.count_nonzero(labels)),
        extent_mm=round(float(((last - first + 1) * cine.spacing_mm[:2]).max()), 1),
        centre=(float(first[0] + last[0]) / 2, float(first[1] + last[1]) / 2),
    )
