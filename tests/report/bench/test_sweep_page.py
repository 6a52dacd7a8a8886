"""The curve's tables and its figure."""

from __future__ import annotations

import csv
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest

from cinema_cmr.report.bench.bench_results import FailedRun, ShownMeasure, SweepDifference, SweepPoint, SweepResults
from cinema_cmr.report.bench.sweep_page import curve_svg, standalone_svg, sweep_csv, sweep_markdown, sweep_page
from cinema_cmr.score.statistics import Interval

MODELS = ("cinema", "cinema-scratch")


def interval(value: float, low: float, high: float = float("nan")) -> Interval:
    return Interval(value=value, low=low, high=high, method="BCa", n=6, n_excluded=0)


def point(share: float, model: str, value: float) -> SweepPoint:
    measures = {"dice_mean": interval(value, value - 0.1)}
    if model == "cinema":
        measures["assd_lv_mm"] = interval(1.25, 1.0, 1.5)
    return SweepPoint(
        share=share,
        n_patients=int(share),
        model=model,
        n_seeds=3,
        shown=measures["dice_mean"],
        measures=measures,
    )


RESULTS = SweepResults(
    task="segment-sax",
    title="Ventricles",
    dataset="lab",
    settings=("Data: lab.",),
    measure=ShownMeasure(title="Dice mean", higher_is_better=True),
    further={"assd_lv_mm": ShownMeasure(title="surface distance lv", unit="mm", digits=2)},
    models=MODELS,
    points=tuple(point(share, model, 0.5 + share / 300) for share in (10.0, 100.0) for model in MODELS),
    differences=(
        SweepDifference(
            share=10.0,
            model="cinema",
            against="cinema-scratch",
            **vars(interval(0.2, 0.1, 0.3)),
            p_value=0.01,
            p_holm=0.02,
        ),
    ),
    failed=(FailedRun(share=5.0, model="cinema", reason="too few"),),
)


def test_tables_have_a_row_a_share_and_a_column_a_model() -> None:
    text = sweep_markdown(RESULTS)
    assert "| share | patients | cinema: Dice mean | cinema-scratch: Dice mean |" in text
    assert "| 10 % | 10 | 0.533 (0.433 to -; 6) | 0.533 (0.433 to -; 6) |" in text
    assert "| 10 % | cinema minus cinema-scratch | +0.200 (+0.100 to +0.300) | 6 | 0.020 |" in text
    assert "| measure | patients | cinema | cinema-scratch |" in text
    assert "| surface distance lv, mm | 100 | 1.25 (1.00 to 1.50; 6) | - |" in text
    assert "| 5 % | cinema | too few |" in text and "Not a medical device" in text
    lines = list(csv.DictReader(sweep_csv(RESULTS).splitlines()))
    assert len(lines) == 6 and lines[0]["measure"] == "dice_mean" and lines[0]["n_patients"] == "10"


@pytest.mark.medium
def test_the_figure_has_a_line_a_model_and_stands_alone() -> None:
    svg = curve_svg(RESULTS)
    assert "var(--accent)" in svg and "var(--warning)" in svg and "#0b0d" not in svg
    assert svg == curve_svg(RESULTS)
    alone = standalone_svg(svg)
    root = ET.fromstring(alone)
    assert root.tag == "{http://www.w3.org/2000/svg}svg" and "var(" not in alone
    words = {text.text for text in root.iter("{http://www.w3.org/2000/svg}text")}
    assert {"cinema", "cinema-scratch", "10", "100", "Dice mean"} <= words


def test_a_curve_without_any_point_is_drawn_all_the_same() -> None:
    page = sweep_page(replace(RESULTS, points=(), differences=()))
    assert "<svg" in page and "too few" in page and "://" not in page
