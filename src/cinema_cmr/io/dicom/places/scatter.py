"""Slices whose stated positions scatter along the normal: near each other, and yet two places of the heart.

A repeat lies at a place that the stack has already, so that nothing is missing without it. Of two slices that
breathing, replanning or rounding moved towards each other, either leaves a gap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.io.dicom.stack import MIN_STACK_SLICES, CineSlice, same_tissue_mm, slice_centre

__all__ = ["mark_scattered"]

Array = NDArray[np.float64]

_SAME_PLACE = 0.2
"""Share of the stated distance below which slices are at one place, whatever lies beside them."""
_APART = 0.25
"""Share of the slice distance below which two slices of a scattered stack are repeats all the same."""
_FULL = 0.9
"""Smallest distance of evenly spread slices, as a share of the stated one, at which each has a place of its own."""
_GAP_STEPS = 0.5
"""Steps beyond those of a repeat from which two slices, with their neighbours, span the gap of one more place."""
_NEXT = 0.45
"""Share of the stated distance from which the farther of two near slices is the next one of the stack, no repeat."""
_NEARER = 0.9
"""Distance, as a share of that from the next slice, within which a slice is a repeat all the same."""


def mark_scattered(slices: Sequence[CineSlice], normal: Array) -> list[CineSlice]:
    """Return the slices, those with a place of their own beside a near one with the distance that separates them.

    A slice between two others repeats the nearer one. Where so many slices, spread evenly over what they cover, would
    lie as far apart as is stated, two near ones are two places if their neighbours are as far apart as beside two.
    """
    along = np.array([float(slice_centre(one) @ normal) for one in slices])
    places = _places(along, _SAME_PLACE * _stated_mm(slices))
    limit_mm = max((same_tissue_mm(one) for one in slices), default=0.0)
    near = [pair for pair in pairwise(places.tolist()) if pair[1] - pair[0] < limit_mm]
    near = _without_interleaved(near)
    if not near:
        return list(slices)
    apart = _beside_repeats(near, _stated_mm(slices))
    step = float(places[-1] - places[0]) / max(len(places) - 1, 1)
    if len(places) > MIN_STACK_SLICES and step >= _FULL * _stated_mm(slices):
        scattered = [place for low, high in near if _leaves_gap(places, low, high, step) for place in (low, high)]
        apart.update(dict.fromkeys(scattered, _APART * step))
    own = [float(places[int(np.abs(places - at).argmin())]) for at in along]
    return [
        replace(one, apart_mm=apart[place]) if place in apart else one for one, place in zip(slices, own, strict=True)
    ]


def _without_interleaved(near: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the pairs of near places without runs of them, as of a second acquisition shifted by half a distance.

    Breathing moves single slices; three or more that all lie between two others were planned so, and are repeats.
    """
    runs: list[list[tuple[float, float]]] = []
    for pair in near:
        if runs and runs[-1][-1][1] == pair[0]:
            runs[-1].append(pair)
        else:
            runs.append([pair])
    return [pair for run in runs if len(run) < 2 * MIN_STACK_SLICES - 1 for pair in run]


def _beside_repeats(near: Sequence[tuple[float, float]], stated_mm: float) -> dict[float, float]:
    """Return the distance that separates the places which lie near one that repeats another, nearer one."""
    apart: dict[float, float] = {}
    for (low, middle), (same, high) in pairwise(near):
        if middle != same:
            continue
        far, gap = (low, middle - low) if middle - low > high - middle else (high, high - middle)
        if gap >= _NEXT * stated_mm:
            apart[far] = min(_NEARER * gap, apart.get(far, gap))
    return apart


def _places(along: Array, same_mm: float) -> Array:
    """Return the distinct positions, ascending: each is the first of those that follow it closely."""
    ascending = np.sort(along)
    places: Array = ascending[np.concatenate([[True], np.diff(ascending) >= same_mm])]
    return places


def _stated_mm(slices: Sequence[CineSlice]) -> float:
    """Return the usual distance at which slices show other tissue, from spacing or thickness."""
    return float(np.median([same_tissue_mm(one, share=1.0) for one in slices]))


def _leaves_gap(places: Array, low: float, high: float, step: float) -> bool:
    """Return True if the slices beside two near ones are as far apart as if both had a place of their own."""
    below, above = places[places < low], places[places > high]
    start, end = (float(below[-1]) if below.size else low), (float(above[0]) if above.size else high)
    gaps_of_one_place = bool(below.size) + bool(above.size)
    return end - start >= (gaps_of_one_place + _GAP_STEPS) * step
