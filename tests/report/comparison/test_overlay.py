"""Outlines of both results on one image: where the masks agree the paths are the same, elsewhere they are not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cinema_cmr.report.comparison.overlay import overlays
from cinema_cmr.report.comparison.results_comparison import ResultsComparison

pytestmark = pytest.mark.medium


def test_both_outlines_lie_on_each_slice_with_a_label(corrected: ResultsComparison) -> None:
    sheets = overlays(corrected.first, corrected.second, corrected.record.views)
    stack, plane = sheets[0], sheets[-1]
    frame = corrected.record.views[0].frames[0].frame
    labels = corrected.first.labels[corrected.record.views[0].view].array
    shown = [z for z in range(labels.shape[2]) if labels[:, :, z, frame].any()]
    assert stack.title == "End-diastole" and [tile.caption for tile in stack.tiles] == [str(z) for z in shown]
    paths = stack.tiles[len(shown) // 2].tile.paths
    assert paths["a rv"] == paths["b rv"] and paths["a lv"] != paths["b lv"], "the reader changed the cavity alone"
    assert plane.title == "4-chamber" and all("frame" in tile.caption for tile in plane.tiles)
    assert all(tile.tile.source.startswith("data:image/webp") for sheet in sheets for tile in sheet.tiles)


def test_views_that_cannot_be_laid_over_each_other_have_no_picture(
    corrected: ResultsComparison, visits: ResultsComparison
) -> None:
    assert overlays(visits.first, visits.second, visits.record.views) == ()
    gone = tuple(replace(view, reason="other grids") for view in corrected.record.views)
    assert overlays(corrected.first, corrected.second, gone) == ()


def test_outlines_are_those_of_the_structures_that_are_compared(without_and_with_atria: ResultsComparison) -> None:
    first, second, views = (
        without_and_with_atria.first,
        without_and_with_atria.second,
        without_and_with_atria.record.views,
    )
    paths = overlays(first, second, views)[-1].tiles[0].tile.paths
    assert paths["b lv"] == paths["a lv"] and not {"a la", "b la"} & set(paths)
    assert overlays(second, second, views)[-1].tiles[0].tile.paths["b la"][0]
