"""Which cases are shown, and what is drawn of them."""

from __future__ import annotations

from typing import Any

from oracles import annotated, heart

from cinema_cmr.core.annotation import LabelMap
from cinema_cmr.report.evaluation.pictures import case_picture, chosen_cases

LABELS = heart((15.0, 11.0), n_slices=3)


def rows(*dices: float | None) -> list[dict[str, Any]]:
    return [{"study": str(i), "scores": {"dice_mean": dice}} for i, dice in enumerate(dices)]


def test_the_worst_and_the_median_are_chosen_each_once() -> None:
    chosen = chosen_cases(rows(0.9, 0.5, None, 0.7, 0.95, 0.8))
    assert chosen == {"Worst case": 1, "Second worst case": 3, "Third worst case": 5}
    assert chosen_cases(rows(0.9, 0.5, 0.7, 0.95, 0.8), n_worst=1) == {"Worst case": 1, "Median case": 4}
    assert chosen_cases(rows(None)) == {} and chosen_cases(rows(0.5)) == {"Worst case": 0}


def test_each_labelled_frame_has_both_outlines() -> None:
    made = case_picture("Worst case", rows(0.9)[0], annotated(LABELS), LabelMap(array=LABELS))
    assert made is not None and [frame.frame for frame in made.frames] == [0, 1]
    first = made.frames[0]
    assert len(first.expert) == 3 and all(any(path for path in outlines.values()) for outlines in first.expert)


def test_only_labelled_frames_are_drawn_and_no_mask_gives_no_picture() -> None:
    only = case_picture("w", rows(0.9)[0], annotated(LABELS, frames=(1,)), LabelMap(array=LABELS[..., 1:]))
    assert only is not None and [frame.frame for frame in only.frames] == [1]
    assert case_picture("w", rows(0.9)[0], annotated(LABELS), None) is None
    assert case_picture("w", rows(0.9)[0], annotated(LABELS), LabelMap(array=LABELS, scheme="pathology")) is None
