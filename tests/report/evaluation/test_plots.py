"""Plots are SVG of the page's colours, the same each time, and name who lies far out."""

from __future__ import annotations

import re

from cinema_cmr.report.evaluation.plots import Points, agreement_svg, boxes_svg, pairs_svg, points_svg

POINTS = Points(
    x=[10.0, 20.0, 30.0, 40.0], y=[0.0, 1.0, -1.0, 30.0], names=["a", "b", "c", "outlier"], failed=[0, 0, 0, 1]
)


def agreement(points: Points = POINTS) -> str:
    return agreement_svg(points, bias=1.5, limits=(-8.0, 11.0), unit="ml", key="k")


def test_lines_and_outliers_are_named() -> None:
    svg = agreement()
    assert "bias +1.5" in svg and "upper +11.0" in svg and "lower -8.0" in svg
    assert ">outlier<" in svg and ">a<" not in svg
    assert "var(--error)" in svg and "var(--accent)" in svg and not re.search(r"#0[1-6]0", svg)


def test_the_same_points_give_the_same_text() -> None:
    assert agreement() == agreement()
    assert boxes_svg({"lv": [0.9, 0.8]}, key="k") == boxes_svg({"lv": [0.9, 0.8]}, key="k")


def test_boxes_leave_out_what_has_no_value() -> None:
    svg = boxes_svg({"lv": [0.9, 0.8, float("nan")], "rv": [float("nan")]}, colours={"lv": "var(--lv)"}, key="k")
    assert "(n 2)" in svg and "rv" not in svg and "var(--lv)" in svg


def test_two_values_a_patient_have_their_titles() -> None:
    svg = points_svg(POINTS, x_title="confidence", y_title="Dice", key="k")
    assert "confidence" in svg and "Dice" in svg


def test_pairs_show_who_lost() -> None:
    pairs = {"up": (0.5, 0.8), "down": (0.8, 0.5), "same": (0.7, 0.7)}
    drawn = {"sides": ("a", "b"), "y_title": "Dice", "key": "k"}
    svg = pairs_svg(pairs, **drawn)
    assert ">up<" in svg and ">down<" in svg and ">same<" not in svg
    assert "var(--error)" in svg and "var(--error)" not in pairs_svg({"up": (0.5, 0.8)}, **drawn)
    assert "var(--error)" in pairs_svg({"up": (0.5, 0.8)}, **drawn, higher_is_better=False)
