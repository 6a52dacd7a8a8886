"""Masks are laid over each other on one grid of the same images alone, and their Dice is that of the files."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from corrected_results import heart_study, stored_labels

from cinema_cmr.core.vocabulary import View
from cinema_cmr.report.comparison.compared import ComparedSide
from cinema_cmr.report.comparison.compared_masks import compared_views, grid_difference, same_images
from cinema_cmr.report.comparison.results_comparison import ResultsComparison
from cinema_cmr.score.overlap import dice_by_class


def without_hash(side: ComparedSide) -> ComparedSide:
    record = replace(side.record, study=replace(side.record.study, input_sha256=None))
    return replace(side, record=record)


def other_images(side: ComparedSide) -> ComparedSide:
    """Another stack of the same input: the hash is the same, the grey values are not."""
    cines = tuple(replace(cine, array=cine.array[::-1]) for cine in side.study.cines)
    return replace(side, study=replace(side.study, cines=cines))


def test_dice_is_that_of_the_masks_in_each_marked_frame(corrected: ResultsComparison, folders: dict[str, Path]) -> None:
    (stack, plane) = corrected.record.views
    model, reader = (stored_labels(folders[name]) for name in ("model", "reader"))
    assert (stack.view, plane.view, stack.reason) == (View.SAX, View.LAX_4C, "")
    assert stack.dice == pytest.approx(dice_by_class(model, reader))
    summary = corrected.first.record.summary
    assert {frame.frame for frame in stack.frames} >= {summary.ed_frame, summary.es_frame}
    for frame in stack.frames:
        expected = dice_by_class(model[..., frame.frame], reader[..., frame.frame])
        assert frame.dice == pytest.approx(expected)
    assert plane.dice["lv"] == 1.0


def test_frames_that_only_one_side_marks_are_named_by_it(corrected: ResultsComparison) -> None:
    second = corrected.second
    moved = replace(second, record=replace(second.record, summary=replace(second.record.summary, ed_frame=2)))
    stack = compared_views(corrected.first, moved, same=True)[0]
    own = corrected.first.record.summary.ed_frame
    assert [(one.title, one.frame) for one in stack.frames[:2]] == [
        ("End-diastole of model", own),
        ("End-diastole of reader", 2),
    ]


def test_images_are_the_same_by_hash_or_by_their_values(
    corrected: ResultsComparison, visits: ResultsComparison
) -> None:
    first, second = corrected.first, corrected.second
    assert same_images(first, second) is True
    assert same_images(without_hash(first), without_hash(second)) is True, "both have the image"
    assert same_images(first, other_images(second)) is False
    assert visits.record.same_images is False
    bare = replace(
        without_hash(second),
        study=replace(second.study, cines=tuple(replace(cine, has_image=False) for cine in second.study.cines)),
    )
    assert same_images(first, bare) is None


def test_other_grids_and_other_images_are_not_laid_over_each_other(
    corrected: ResultsComparison, visits: ResultsComparison
) -> None:
    assert all("the grids differ" in view.reason and not view.dice for view in visits.record.views)
    alike = compared_views(corrected.first, other_images(corrected.second), same=False)
    assert {view.reason for view in alike} == {"the grids agree, but the images are not the same"}
    bare = replace(
        corrected.second,
        study=replace(
            corrected.second.study,
            cines=tuple(replace(cine, has_image=False) for cine in corrected.second.study.cines),
        ),
    )
    unknown = compared_views(corrected.first, bare, same=None)
    assert all("unknown" in view.reason and not view.frames for view in unknown)
    assert all(not view.reason for view in compared_views(corrected.first, bare, same=True)), "by the hash"


def test_grids_differ_by_size_or_place() -> None:
    cine = heart_study()[View.SAX]
    assert grid_difference(cine, cine) == ""
    assert "(columns, rows, slices, frames)" in grid_difference(cine, cine.select(frames=range(3)))
    affine = cine.affine.copy()
    affine[:3, 3] += 3 * cine.affine[:3, 0] / np.linalg.norm(cine.affine[:3, 0])
    assert "lie up to 3.0 mm apart" in grid_difference(cine, replace(cine, affine=affine))


def test_atria_of_one_result_alone_are_not_compared(without_and_with_atria: ResultsComparison) -> None:
    for first, second in itertools.permutations((without_and_with_atria.first, without_and_with_atria.second)):
        views = {one.view: one for one in compared_views(first, second, same=True)}
        assert views[View.LAX_4C].dice == {"rv": 1.0, "myo": 1.0, "lv": 1.0}
        assert [set(frame.dice) for frame in views[View.LAX_4C].frames] == [{"rv", "myo", "lv"}] * 2


def test_atria_of_both_results_are_compared_and_a_missed_one_counts(without_and_with_atria: ResultsComparison) -> None:
    side = without_and_with_atria.second
    whole = side.labels[View.LAX_4C]
    missed = replace(whole, array=np.where(whole.array == 5, 0, whole.array).astype(np.uint8))
    other = replace(side, labels={**side.labels, View.LAX_4C: missed})
    views = {one.view: one for one in compared_views(side, other, same=True)}
    assert views[View.LAX_4C].dice == {"rv": 1.0, "myo": 1.0, "lv": 1.0, "la": 1.0, "ra": 0.0}
    assert set(views[View.SAX].dice) == {"rv", "myo", "lv"}
