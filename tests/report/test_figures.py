"""Curves and 16-segment plots."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from cinema_cmr.report.figures import Curve, curves_svg, segments_svg

LV = Curve(name="lv", title="LV", values=[100.0, 80.0, 60.0, None, 95.0], marks={"ED": 0, "ES": 2})
RV = Curve(name="rv", title="RV", values=[120.0, 110.0, 90.0, 100.0, 118.0], marks={"ED": 0, "ES": 2})
TIMES = [0.0, 40.0, 80.0, 130.0, 160.0]


def texts(svg: str) -> list[str]:
    # `xlink` is known to an HTML parser; an XML parser has to be told.
    root = ElementTree.fromstring(svg.replace("<svg", '<svg xmlns:xlink="x"', 1))
    return [element.text or "" for element in root.iter("text")]


def text_places(svg: str) -> dict[str, tuple[float, float]]:
    found = re.findall(r'<text [^>]*?x="([\d.-]+)" y="([\d.-]+)"[^>]*>([^<]+)<', svg)
    return {text: (float(x), float(y)) for x, y, text in found}


def test_curves_are_named_and_marked_on_a_time_axis() -> None:
    svg = curves_svg([LV, RV], times_ms=TIMES, key="volume")
    found = texts(svg)
    assert "time, ms" in found
    assert [found.count(text) for text in ("LV", "RV", "ED", "ES")] == [1, 1, 2, 2]


def label_boxes(svg: str) -> list[tuple[str, float, float]]:
    """Text, x and y of the labels of curves and marks."""
    found = re.findall(r'<text [^>]*?x="([\d.-]+)" y="([\d.-]+)"[^>]*>(LV|RV|Myocardium|ED|ES)<', svg)
    return [(text, float(x), float(y)) for x, y, text in found]


@pytest.mark.parametrize("apart", [0.0, 0.5, 3.0, 40.0])
def test_labels_do_not_lie_on_top_of_each_other(apart: float) -> None:
    """Curves that nearly coincide, as LV and RV of a healthy heart do: each pair of labels is a line apart."""
    volumes = [150.0, 120.0, 70.0, 60.0, 80.0, 130.0, 148.0]
    curves = [
        Curve(name="lv", title="LV", values=list(volumes), marks={"ED": 0, "ES": 3}),
        Curve(name="rv", title="RV", values=[value + apart for value in volumes], marks={"ED": 0, "ES": 3}),
        Curve(name="myo", title="Myocardium", values=[149.0] * 7, marks={}),
    ]
    labels = label_boxes(curves_svg(curves, times_ms=None, key="volume"))
    assert len(labels) == 7
    for index, (text, x, y) in enumerate(labels):
        for other, other_x, other_y in labels[index + 1 :]:
            assert abs(y - other_y) > 9 or abs(x - other_x) > 14, (text, other, x, y, other_x, other_y)


def test_without_times_the_axis_counts_frames() -> None:
    found = texts(curves_svg([LV], times_ms=None, key="volume"))
    assert "frame (times unknown)" in found


def test_frames_are_whole_numbers_also_of_few() -> None:
    """Three frames leave room for ticks at quarters of a frame."""
    three = Curve(name="lv", title="LV", values=[172.0, 143.0, 148.0], marks={})
    svg = curves_svg([three], times_ms=None, key="volume")
    below = [text for text in texts(svg) if text.replace(".", "").isdigit() and float(text) <= 2]
    assert {"0", "1", "2"} <= set(below) and not [text for text in below if "." in text]


def test_no_segment_has_a_negative_zero() -> None:
    found = texts(segments_svg([-0.04] * 16, limits=(-1.0, 1.0), decimals=1, key="thickening"))
    assert found.count("0.0") == 16 and "-0.0" not in found and "−0.0" not in found


def test_cursor_knows_the_place_of_each_frame() -> None:
    svg = curves_svg([LV], times_ms=TIMES, key="volume")
    (places,) = re.findall(r'class="cursor" data-x="([^"]*)"', svg)
    x = [float(value) for value in places.split(",")]
    assert len(x) == 5
    assert (x[3] - x[2]) / (x[1] - x[0]) == pytest.approx(50 / 40, rel=0.02)


@pytest.mark.parametrize(
    "svg",
    [
        curves_svg([LV, RV], times_ms=TIMES, key="volume"),
        segments_svg([8.0] * 15 + [None], limits=(4, 16), decimals=1, key="wall"),
    ],
    ids=["curves", "segments"],
)
def test_figures_take_the_pages_colours_and_nothing_from_outside(svg: str) -> None:
    ElementTree.fromstring(svg.replace("<svg", '<svg xmlns:xlink="x"', 1))
    assert "http" not in svg
    assert "<style" not in svg
    assert "font-family" not in svg
    assert "var(--ink-soft)" in svg
    for stand_in in ("#010203", "#020304", "#0a0b00", "#0a0b01"):
        assert stand_in not in svg


def test_the_same_figure_is_the_same_text() -> None:
    assert curves_svg([LV, RV], times_ms=TIMES, key="a") == curves_svg([LV, RV], times_ms=TIMES, key="a")


def test_segments_lie_where_the_aha_puts_them() -> None:
    values: list[float | None] = [float(n) for n in range(1, 17)]
    places = text_places(segments_svg(values, limits=(1, 16), decimals=0, key="wall"))
    middle = places["anterior"][0]
    assert places["anterior"][1] < places["1"][1] < places["7"][1] < places["13"][1] < places["15"][1]
    assert places["15"][1] < places["10"][1] < places["4"][1] < places["inferior"][1]
    for upright in ("1", "4", "7", "10", "13", "15"):
        assert places[upright][0] == pytest.approx(middle, abs=1)
    for septal, lateral in (("2", "6"), ("3", "5"), ("8", "12"), ("9", "11"), ("14", "16")):
        assert places[septal][0] < middle < places[lateral][0]


def test_a_missing_segment_is_hatched_and_has_a_dash() -> None:
    whole = segments_svg([9.0] * 16, limits=(4, 16), decimals=1, key="wall")
    missing = segments_svg([9.0] * 15 + [None], limits=(4, 16), decimals=1, key="wall")
    assert "<pattern" not in whole
    assert "<pattern" in missing
    assert texts(missing).count("–") == 1
    assert texts(missing).count("9.0") == 15


def test_colour_follows_the_value_and_stops_at_the_scales_ends() -> None:
    def fills(value: float) -> set[str]:
        svg = segments_svg([value] * 16, limits=(4, 16), decimals=1, key="wall")
        return set(re.findall(r"fill: (#[0-9a-f]{6}); stroke", svg))

    assert len(fills(8)) == 1
    assert fills(8) != fills(12)
    assert fills(30) == fills(16)
