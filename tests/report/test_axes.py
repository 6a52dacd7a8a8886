"""A figure's SVG fits into a page: no size, no colour and no font of its own."""

from __future__ import annotations

from cinema_cmr.report.axes import ACCENT, plain_axes, svg_of


def test_colours_and_fonts_are_the_page_s() -> None:
    figure, axes = plain_axes(size=(3, 2), margins=(0.1, 0.1, 0.9, 0.9))
    axes.plot([0, 1], [0, 1], color=ACCENT)
    svg = svg_of(figure, "key")
    assert svg.startswith("<svg") and "var(--accent)" in svg and ACCENT not in svg
    head = svg[: svg.index(">")]
    assert "viewBox" in head and " width=" not in head and " height=" not in head
    assert "font-family" not in svg and "<style" not in svg
