"""Plots as SVG in the page's own colours and font: axes without frame, the same text for the same figure."""

from __future__ import annotations

import io
import re

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

__all__ = ["ACCENT", "BAD", "FAINT", "FONT_POINTS", "INK", "plain_axes", "svg_of"]

INK, FAINT, ACCENT, BAD = "#010203", "#020304", "#030405", "#040506"
"""Stand-ins that become the page's own colours, which matplotlib does not know."""
_PAGE_COLOURS = {INK: "var(--ink-soft)", FAINT: "var(--line)", ACCENT: "var(--accent)", BAD: "var(--error)"}
FONT_POINTS = 10.5


def plain_axes(*, size: tuple[float, float], margins: tuple[float, float, float, float]) -> tuple[Figure, Axes]:
    """A figure without frame or background; margins are left, bottom, right, top as fractions."""
    figure = Figure(figsize=size, dpi=72, frameon=False)
    left, bottom, right, top = margins
    axes = figure.add_axes((left, bottom, right - left, top - bottom))
    axes.patch.set_visible(False)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(FAINT)
    axes.tick_params(length=0, labelcolor=INK, labelsize=FONT_POINTS - 1, pad=5)
    axes.grid(axis="y", color=FAINT, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.xaxis.label.set(color=INK, fontsize=FONT_POINTS)
    axes.locator_params(axis="y", nbins=5)
    return figure, axes


def svg_of(figure: Figure, key: str) -> str:
    """The `svg` element alone, with the page's colours and font, the same text for the same figure."""
    buffer = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": key}):
        figure.savefig(buffer, format="svg", metadata=nothing)
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*" height="[^"]*"|(<svg[^>]*?) height="[^"]*"', r"\1\2", svg, count=1)
    svg = re.sub(r' xmlns(:xlink)?="[^"]*"', "", svg)
    svg = re.sub(r"<style.*?</style>| font-family: [^;\"]*;", "", svg, flags=re.DOTALL)
    svg = re.sub(r'id="((?:figure|axes|patch|line2d|text|matplotlib|xtick|ytick)[\w.]*)"', "", svg)
    for stand_in, colour in _PAGE_COLOURS.items():
        svg = svg.replace(stand_in, colour)
    return svg
