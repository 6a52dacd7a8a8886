"""The tables of an evaluation tell the numbers they were given."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from cinema_cmr.data.seen_frames import SeenPatients
from cinema_cmr.evaluation.record import Evaluation, NotScored
from cinema_cmr.report.evaluation.tables import evaluation_tables, evaluation_text, result_line, results_csv
from cinema_cmr.score.statistics import Interval
from cinema_cmr.tasks.result import AgreementSummary, Confusion, Result, Summary


def interval(value: float, method: str = "BCa") -> Interval:
    return Interval(value=value, low=value - 0.01, high=value + 0.01, method=method, n=3, n_excluded=0)


def evaluation(scores: Mapping[str, Interval], *, confusion: Confusion | None = None) -> Evaluation:
    summary = Summary(n_patients=3, n_studies=3, scores=scores, measurements={}, confusion=confusion)
    return Evaluation(model="m", task="segment", summary=summary, subgroups={}, checks=None, results=())


def masks(dice: float) -> Evaluation:
    volume = AgreementSummary(bias=-1.25, limits=(-9.0, 6.5), mean_absolute_error=interval(4.0), icc=math.nan)
    scores = {
        "dice_lv": interval(dice),
        "hd95_lv_mm": interval(6.0),
        "dice_mean": interval(dice),
        "dice_rv": interval(math.nan),
    }
    whole = evaluation(scores)
    return replace(whole, summary=replace(whole.summary, measurements={"lv_ef_percent": volume}))


def test_values_stand_with_their_intervals_and_unknown_ones_as_a_dash() -> None:
    text = evaluation_tables(masks(0.9))
    assert "| lv | 0.900 (0.890 to 0.910; 3) | 6.0 (6.0 to 6.0; 3) | - |" in text
    assert "| rv | - | - | - |" in text
    assert "| lv_ef_percent | -1.2 | -9.0 to +6.5 | 4.0 (4.0 to 4.0; 3) | - |" in text
    assert "research use only" in text


def test_the_terminal_shows_what_was_not_scored() -> None:
    left = (NotScored(study="s", patient="p", status="missing", why="no mask"),)
    text = evaluation_text(replace(masks(0.9), not_scored=left))
    assert "dice_lv                      0.900 (0.890 to 0.910)" in text and "ICC -" in text
    assert "not scored: 1 of 4 studies (1 without a mask)" in text
    assert "  not drawn, not scored: myo" in text
    assert "Not drawn in the reference, and not scored: myo." in evaluation_tables(masks(0.9))


def test_patients_that_the_model_has_seen_are_warned_of_where_its_numbers_stand() -> None:
    seen = replace(masks(0.9), seen=SeenPatients(learned=("a", "b")))
    said = "of the 3 patients here m has learned from 2: expect it to do worse on new ones"
    assert f"  warning: {said}\n" in evaluation_text(seen) + "\n"
    assert f"**O{said[1:]}.**" in evaluation_tables(seen).partition("| structure")[0]
    for unseen in (replace(masks(0.9), seen=SeenPatients()), masks(0.9)):
        assert "expect it" not in evaluation_text(unseen) + evaluation_tables(unseen)


def test_each_subgroup_has_its_own_tables() -> None:
    both = replace(masks(0.9), subgroups={"group DCM": masks(0.8).summary})
    whole, part = evaluation_tables(both).split("## group DCM (3 patients)")
    assert "0.800" in part
    assert "0.800" not in whole


def test_classes_have_their_confusion() -> None:
    scores = {"accuracy": interval(0.5), "auroc": interval(0.5, method="none")}
    confusion = Confusion(classes=("x", "y"), counts=((3, 1), (2, 3)))
    text = evaluation_tables(evaluation(scores, confusion=confusion))
    assert "| accuracy | 0.500 (0.490 to 0.510; 3) |" in text and "| auroc | 0.500 |" in text
    assert "| x | 3 | 1 |\n| y | 2 | 3 |" in text


def test_points_have_their_distance_and_how_often_they_were_found() -> None:
    scores = {
        "distance_mm": interval(5.0),
        "distance_mm_lax_4c:apex": interval(5.0),
        "found_lax_4c:apex": interval(0.75),
    }
    text = evaluation_tables(evaluation(scores))
    assert "| lax_4c:apex | 5.00 (4.99 to 5.01; 3) | 0.75 (0.74 to 0.76; 3) |" in text
    assert "| distance mm | 5.000" in text


def test_lines_and_csv_hold_each_study() -> None:
    scores = {"dice_lv": 0.9, "dice_mean": 0.9}
    measured, reference = {"lv_ef_percent": 52.0}, {"lv_ef_percent": 50.0}
    results = [
        Result(study="s", patient="p", scores=scores, measured=measured, reference=reference),
        Result(study="t", patient="q", scores={"distance_mm": 2.0}),
    ]
    assert [result_line(result) for result in results] == ["p: Dice lv 0.900; LVEF +2.0 points", "q: distance_mm 2.000"]
    head, first, second = results_csv(results).splitlines()
    names = "patient,study,target,dice_lv,dice_mean,distance_mm,lv_ef_percent_measured,lv_ef_percent_reference"
    assert head == names and first == "p,s,,0.9000,0.9000,nan,52.0,50.0" and second == "q,t,,nan,nan,2.0000,,"


def test_no_cell_and_no_column_is_a_formula() -> None:
    one = Result(
        patient="=p()", study="@s", target="-t", scores={"=score": 1.0}, measured={"+x": 1}, reference={"+x": 2}
    )
    head, row = results_csv([one]).splitlines()
    assert head == "patient,study,target,'=score,'+x_measured,'+x_reference" and row == "'=p(),'@s,'-t,1.0000,1,2"
