"""Base, apex and uncounted blood in the pictures of the report."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cinema_cmr.core.analysis import Analysis
from cinema_cmr.core.annotation import LabelMap
from cinema_cmr.core.vocabulary import View
from cinema_cmr.report.counting import NOT_COUNTED, StackCounting, mark_uncounted, stack_counting
from cinema_cmr.report.frames import Film, Tile


def film_of(n_slices: int, frames: tuple[int, ...]) -> Film:
    paths = {"lv": tuple(f"M{t}" for t in frames), "myo": tuple(f"m{t}" for t in frames)}
    tiles = [Tile(slice_index=z, position_mm=8.0 * z, source="", paths=paths) for z in range(n_slices)]
    return Film(width=4, height=4, columns=1, frames=frames, tiles=tuple(tiles))


def test_uncounted_blood_gets_an_outline_of_its_own() -> None:
    uncounted = np.zeros((3, 8), dtype=bool)
    uncounted[0, 4] = True
    marked = mark_uncounted(film_of(3, (0, 4)), uncounted)
    assert marked.tiles[0].paths == {"lv": ("M0", ""), "myo": ("m0", "m4"), NOT_COUNTED: ("", "M4")}
    assert marked.tiles[1:] == film_of(3, (0, 4)).tiles[1:]


def test_counted_blood_stays_as_it_is() -> None:
    film = film_of(3, (0,))
    assert mark_uncounted(film, None) is film
    assert mark_uncounted(film, np.zeros((3, 8), dtype=bool)) is film


def without_wall(analysis: Analysis) -> Analysis:
    """The first slice has blood without myocardium."""
    prediction = analysis.predictions[View.SAX]
    array = prediction.labels.array.copy()
    first = array[:, :, 0]
    first[first == 2] = 0
    changed = replace(prediction, labels=LabelMap(array=array))
    return replace(analysis, predictions={**analysis.predictions, View.SAX: changed})


def test_ends_and_uncounted_slices_of_a_mask(analysis: Analysis) -> None:
    found = stack_counting(without_wall(analysis))
    assert found.ends == {0: "base", 5: "apex"}
    assert found.uncounted is not None
    assert found.uncounted[0].all() and not found.uncounted[1:].any()


def test_every_slice_counts_where_the_run_said_so(analysis: Analysis) -> None:
    run = replace(analysis.run, options={**analysis.run.options, "basal_rule": "all-slices"})
    found = stack_counting(replace(without_wall(analysis), run=run))
    assert found.uncounted is not None and not found.uncounted.any()


def test_a_study_without_a_mask_has_neither(analysis: Analysis) -> None:
    assert stack_counting(replace(analysis, predictions={})) == StackCounting()
