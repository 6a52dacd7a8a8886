"""Which cases are shown, and what is drawn of them."""

from __future__ import annotations

from dataclasses import replace

from oracles import annotated, heart

from cinema_cmr.core.annotation import LabelMap
from cinema_cmr.report.evaluation.pictures import case_picture, chosen_cases
from cinema_cmr.tasks.result import Result

NAN = float("nan")
LABELS = heart((15.0, 11.0), n_slices=3)


def results(*dices: float) -> list[Result]:
    return [Result(study=str(i), patient=str(i), scores={"dice_mean": dice}) for i, dice in enumerate(dices)]


def result(labels: LabelMap | None) -> Result:
    return replace(results(0.9)[0], labels=labels)


def test_the_worst_and_the_median_are_chosen_each_once() -> None:
    chosen = chosen_cases(results(0.9, 0.5, NAN, 0.7, 0.95, 0.8))
    assert chosen == {"Worst case": 1, "Second worst case": 3, "Third worst case": 5}
    assert chosen_cases(results(0.9, 0.5, 0.7, 0.95, 0.8), n_worst=1) == {"Worst case": 1, "Median case": 4}
    assert chosen_cases(results(NAN)) == {} and chosen_cases(results(0.5)) == {"Worst case": 0}


def test_each_labelled_frame_has_both_outlines() -> None:
    made = case_picture("Worst case", result(LabelMap(array=LABELS)), annotated(LABELS))
    assert made is not None and [frame.frame for frame in made.frames] == [0, 1]
    first = made.frames[0]
    assert len(first.expert) == 3 and all(any(path for path in outlines.values()) for outlines in first.expert)


def test_only_labelled_frames_are_drawn_and_no_mask_gives_no_picture() -> None:
    only = case_picture("w", result(LabelMap(array=LABELS[..., 1:])), annotated(LABELS, frames=(1,)))
    assert only is not None and [frame.frame for frame in only.frames] == [1]
    assert case_picture("w", result(None), annotated(LABELS)) is None
    assert case_picture("w", result(LabelMap(array=LABELS, scheme="pathology")), annotated(LABELS)) is None
