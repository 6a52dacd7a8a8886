"""The benchmark's tables: results with intervals and differences, and why rows are missing."""

from __future__ import annotations

import csv
from dataclasses import replace

from cinema_cmr.report.bench.bench_page import bench_csv, bench_markdown, bench_page
from cinema_cmr.report.bench.bench_results import BenchResults, BenchRow, ModelDifference, PublishedNumber, ShownMeasure
from cinema_cmr.score.statistics import Interval

NAN = float("nan")
MEAN = Interval(value=2.0, low=1.0, high=3.0, method="BCa", n=6, n_excluded=0)
ROW = BenchRow(
    task="lvef",
    title="LVEF <regressed>",
    group="ejection fraction",
    dataset="lab",
    status="no data",
    shown="difference",
    measure_titles={
        "difference": ShownMeasure(title="absolute error", unit="points", digits=1),
        "blind": ShownMeasure(title="error of the mean", unit="points", digits=1),
    },
)
DONE = replace(
    ROW,
    status="done",
    n_seeds=3,
    n_train_patients=(24,),
    n_steps=(100,),
    seconds=90.0,
    measures={"difference": MEAN, "blind": replace(MEAN, value=4.0)},
)
DIFFERENCE = ModelDifference(value=-1.5, low=NAN, high=0.5, method="BCa", n=6, n_excluded=0, p_value=0.02, p_holm=0.04)
PUBLISHED = PublishedNumber(
    what="LVEF",
    value=3.33,
    low=NAN,
    high=NAN,
    unit="points",
    text="3.33 points",
    model="CineMA",
    patients="its patients",
    source="arXiv",
)
RESULTS = BenchResults(
    settings=("Data: lab.",),
    rows=(
        replace(DONE, model="cinema-scratch"),
        replace(DONE, model="resnet", against="cinema-scratch", difference=DIFFERENCE),
        replace(ROW, model="cinema", reason="no pre-training was given"),
        replace(ROW, dataset="", reason="0 patients"),
    ),
    published=(PUBLISHED,),
)


def test_markdown_has_results_differences_reasons_and_published_numbers() -> None:
    text = bench_markdown(RESULTS)
    assert (
        "| LVEF \\<regressed> | lab | cinema-scratch, 3 seeds | absolute error, points | 2.0 (1.0 to 3.0; 6) |  |"
        in text
    )
    assert "-1.5 (- to +0.5) to cinema-scratch | 0.040 | 24 | 100 | 1.5 |" in text
    assert "| LVEF \\<regressed> | lab | resnet | error of the mean, points | 4.0 (1.0 to 3.0; 6) |" in text
    assert "| LVEF \\<regressed> | - | all | no data | 0 patients |" in text
    assert "| LVEF | 3.33 points | CineMA | its patients | arXiv |" in text
    assert "Not a medical device" in text and "Data: lab." in text


def test_patients_that_could_not_be_measured_are_counted() -> None:
    unmeasured = replace(DONE, measures={"difference": replace(MEAN, value=NAN, n=0, n_excluded=6)})
    assert "| -, 6 not measured |" in bench_markdown(replace(RESULTS, rows=(unmeasured,)))


def test_csv_has_a_line_a_measure_and_one_for_what_is_missing() -> None:
    lines = list(csv.DictReader(bench_csv(RESULTS).splitlines()))
    assert [line["measure"] for line in lines] == ["difference", "blind"] * 2 + ["", ""]
    assert lines[2]["against"] == "cinema-scratch" and float(lines[2]["p_holm"]) == 0.04
    assert (
        lines[3]["against"] == ""
        and lines[2]["difference_low"] == ""
        and lines[4]["reason"] == "no pre-training was given"
    )


def test_the_page_escapes_and_needs_no_network() -> None:
    page = bench_page(RESULTS)
    assert "LVEF &lt;regressed&gt;" in page and "://" not in page
    assert page.count("<table") == 4 and 'id="left-out"' in page
