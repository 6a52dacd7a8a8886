"""Ends of the short-axis stack and the LV blood that the volumes leave out, as the pictures show them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.analysis import Analysis
from cinema_cmr.core.annotation import LabelMap
from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine
from cinema_cmr.measure.quality.landmarks import plausible_by_view
from cinema_cmr.measure.valve_plane import find_valve_planes
from cinema_cmr.measure.volumes import MIN_MYOCARDIAL_RIM, BasalRule, Volumes, measure_volumes
from cinema_cmr.report.frames import Film

__all__ = ["NOT_COUNTED", "StackCounting", "mark_uncounted", "stack_counting"]

NOT_COUNTED = "not_counted"
"""Outline name of LV blood that the basal rule leaves out."""

_RECORDED: Mapping[str, BasalRule] = {"all-slices": "all-slices", "descent": "descent"}
"""Rule in a record -> rule of counting, without valve planes; every other is "scmr"."""


@dataclass(frozen=True, kw_only=True)
class StackCounting:
    """Which slices are the ends of the stack, and in which slices and frames LV blood is not counted."""

    ends: Mapping[int, str] = field(default_factory=dict)
    """Slice index -> "base" or "apex"; empty where neither labels nor orientation determine the base."""
    uncounted: NDArray[np.bool_] | None = None
    """(z, t), True if the LV blood of a slice is not counted; None without a cine mask of the stack."""


def stack_counting(analysis: Analysis) -> StackCounting:
    """Return the counting of the short-axis mask under the basal rule recorded in the run."""
    prediction = analysis.predictions.get(View.SAX)
    if View.SAX not in analysis.study or prediction is None or prediction.labels.scheme != "cine":
        return StackCounting()
    cine = analysis.study.cine(View.SAX)
    volumes = _recorded_volumes(analysis, cine, prediction.labels)
    last = cine.n_slices - 1
    if volumes.base is None or last == 0:
        return StackCounting(uncounted=volumes.lv_excluded)
    names = ("base", "apex") if volumes.base == "first" else ("apex", "base")
    return StackCounting(ends={0: names[0], last: names[1]}, uncounted=volumes.lv_excluded)


def _recorded_volumes(analysis: Analysis, cine: Cine, labels: LabelMap) -> Volumes:
    rule, rim = (analysis.run.options.get(name) for name in ("basal_rule", "min_myocardial_rim"))
    landmarks = plausible_by_view(analysis.landmarks)[0]
    planes = find_valve_planes(cine, landmarks) if rule == "valve-plane" else None
    if planes:
        return measure_volumes(cine, labels, basal_rule="valve-plane", valve_planes=planes, landmarks=landmarks)
    return measure_volumes(
        cine,
        labels,
        basal_rule=_RECORDED.get(str(rule), "scmr"),
        min_myocardial_rim=float(rim) if isinstance(rim, int | float) else MIN_MYOCARDIAL_RIM,
        landmarks=landmarks,
    )


def mark_uncounted(film: Film, uncounted: NDArray[np.bool_] | None) -> Film:
    """Return the film with the outline of uncounted LV blood under a name of its own, `NOT_COUNTED`."""
    if uncounted is None or not uncounted.any():
        return film
    tiles = []
    for tile in film.tiles:
        marked = [bool(uncounted[tile.slice_index, frame]) for frame in film.frames]
        if not (any(marked) and "lv" in tile.paths):
            tiles.append(tile)
            continue
        blood = tile.paths["lv"]
        apart = {
            "lv": tuple("" if out else path for path, out in zip(blood, marked, strict=True)),
            NOT_COUNTED: tuple(path if out else "" for path, out in zip(blood, marked, strict=True)),
        }
        tiles.append(replace(tile, paths={**tile.paths, **apart}))
    return replace(film, tiles=tuple(tiles))
