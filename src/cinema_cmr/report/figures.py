"""Curves and 16-segment plots as SVG for the page: colours follow the page (light, dark), text stays text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import Wedge
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from cinema_cmr.report.axes import FAINT, FONT_POINTS, INK, plain_axes, svg_of

__all__ = ["Curve", "curves_svg", "segments_svg"]

_SEGMENT_POINTS = 12


@dataclass(frozen=True, kw_only=True)
class Curve:
    """One line of a plot."""

    name: str
    title: str
    values: Sequence[float | None]
    marks: Mapping[str, int]
    """Text -> frame index, e.g. {"ED": 0}."""


def curves_svg(curves: Sequence[Curve], *, times_ms: Sequence[float] | None, key: str) -> str:
    """Curves over the cycle with their marked frames; by frame number where times are unknown.

    A line's colour is the page's `--curve-NAME`. The plot holds a `line` of class "cursor" with the x of each
    frame in `data-x`, for the player to move.
    """
    n_frames = len(curves[0].values)
    x = np.asarray(times_ms if times_ms is not None else range(n_frames), dtype=float)
    figure, axes = plain_axes(size=(4.8, 2.7), margins=(0.08, 0.16, 0.905, 0.965))
    for index, curve in enumerate(curves):
        axes.plot(x, _values(curve), color=_stand_in(index), linewidth=1.8, solid_joinstyle="round", clip_on=False)
    axes.set_xlim(x[0], x[-1] if len(x) > 1 else x[0] + 1)
    axes.set_ylim(0, axes.get_ylim()[1] * 1.08)
    _label_ends(axes, curves, x)
    _label_marks(axes, curves, x)
    axes.set_xlabel("time, ms" if times_ms is not None else "frame (times unknown)")
    if times_ms is None:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    svg = svg_of(figure, key)
    for index, curve in enumerate(curves):
        svg = svg.replace(_stand_in(index), f"var(--curve-{curve.name})")
    return _with_cursor(svg, axes, x)


def _values(curve: Curve) -> NDArray[np.float64]:
    return np.array([np.nan if value is None else value for value in curve.values])


def _label_ends(axes: Axes, curves: Sequence[Curve], x: NDArray[np.float64]) -> None:
    """Write each curve's title beside its last value; titles that would overlap are moved apart."""
    ends = []
    for index, curve in enumerate(curves):
        y = _values(curve)
        known = np.flatnonzero(np.isfinite(y))
        if len(known):
            ends.append((index, float(x[known[-1]]), float(y[known[-1]])))
    heights = [float(axes.transData.transform((0, y))[1]) for _, _, y in ends]
    moved = _apart(heights, at_least=1.25 * FONT_POINTS)
    for (index, at, end), before, after in zip(ends, heights, moved, strict=True):
        axes.annotate(
            curves[index].title,
            (at, end),
            (6, after - before),
            textcoords="offset points",
            va="center",
            color=_stand_in(index),
            fontsize=FONT_POINTS,
        )


def _apart(heights: Sequence[float], *, at_least: float) -> list[float]:
    """Return heights at least so far apart, in the same order, around the middle of each crowded group.

    >>> _apart([10.0, 12.0, 50.0], at_least=8.0)
    [7.0, 15.0, 50.0]
    """
    order = sorted(range(len(heights)), key=lambda k: heights[k])
    groups: list[list[int]] = []
    for k in order:
        groups.append([k])
        while len(groups) > 1 and _lowest(groups[-1], heights, at_least) - _highest(groups[-2], heights, at_least) < (
            at_least
        ):
            groups[-2:] = [groups[-2] + groups[-1]]
    moved = list(heights)
    for group in groups:
        for place, k in enumerate(group):
            moved[k] = _lowest(group, heights, at_least) + place * at_least
    return moved


def _lowest(group: Sequence[int], heights: Sequence[float], step: float) -> float:
    return float(np.mean([heights[k] for k in group])) - step * (len(group) - 1) / 2


def _highest(group: Sequence[int], heights: Sequence[float], step: float) -> float:
    return _lowest(group, heights, step) + step * (len(group) - 1)


def _label_marks(axes: Axes, curves: Sequence[Curve], x: NDArray[np.float64]) -> None:
    """Draw the marked frames; texts of near points stand above the upper and below the lower one."""
    marks = [
        (index, text, float(x[frame]), float(_values(curve)[frame]))
        for index, curve in enumerate(curves)
        for text, frame in curve.marks.items()
        if np.isfinite(_values(curve)[frame])
    ]
    for index, text, at, y in marks:
        axes.plot(at, y, "o", color=_stand_in(index), markersize=5, clip_on=False)
        others = [mark for mark in marks if mark[0] != index and _are_near(axes, (at, y), mark[2:])]
        above = bool(y >= np.nanmedian(_values(curves[index])))
        if others:
            above = (y, index) > max((mark[3], mark[0]) for mark in others)
        axes.annotate(
            text,
            (at, y),
            (5, 6 if above else -6),
            textcoords="offset points",
            va="bottom" if above else "top",
            color=INK,
            fontsize=FONT_POINTS - 1,
        )


def _are_near(axes: Axes, one: tuple[float, float], other: tuple[float, float]) -> bool:
    """Return whether the texts of two points, in data coordinates, would touch."""
    across, up = np.abs(axes.transData.transform(one) - axes.transData.transform(other))
    return bool(across < 2.5 * FONT_POINTS and up < 3.5 * FONT_POINTS)


def _stand_in(index: int) -> str:
    return f"#0a0b{index:02x}"


def _with_cursor(svg: str, axes: Axes, x: NDArray[np.float64]) -> str:
    height = axes.figure.bbox.height
    screen = axes.transData.transform([(value, 0) for value in x])
    bottom = height - screen[0, 1]
    top = height - axes.bbox.y1
    places = ",".join(f"{value:.1f}" for value in screen[:, 0])
    cursor = f'<line class="cursor" data-x="{places}" x1="-9" x2="-9" y1="{top:.1f}" y2="{bottom:.1f}"/>'
    return svg.replace("</svg>", f"{cursor}</svg>")


_SEGMENT_RINGS = ((6, 60.0), (6, 60.0), (4, 45.0))
"""Segments of the basal, middle and apical ring, and where the first one (anterior) begins, in degrees from
the right against the clock (AHA, Circulation 2002;105:539)."""
_WALLS = ((0, 1, "anterior"), (-1, 0, "septal"), (0, -1, "inferior"), (1, 0, "lateral"))


def segments_svg(values: Sequence[float | None], *, limits: tuple[float, float], decimals: int, key: str) -> str:
    """The left ventricle's 16 AHA segments seen from the apex, base outside; a missing one is hatched.

    `limits` are the values at the ends of the colour scale, so that plots of two phases or patients compare.
    """
    figure = Figure(figsize=(3.4, 3.4), dpi=72, frameon=False)
    axes = figure.add_axes((0, 0, 1, 1), aspect="equal", xlim=(-1.2, 1.2), ylim=(-1.2, 1.2))
    axes.set_axis_off()
    number = 0
    for ring, (count, start) in enumerate(_SEGMENT_RINGS):
        outer, width = 1 - 0.29 * ring, 0.29
        step = 360 / count
        for place in range(count):
            place_of = _Place(start=start + step * place, step=step, outer=outer, width=width)
            _draw_segment(axes, values[number], place_of, limits=limits, decimals=decimals)
            number += 1
    for x, y, text in _WALLS:
        axes.text(
            1.1 * x,
            1.1 * y,
            text,
            ha="center",
            va="center",
            rotation=90 * x,
            color=INK,
            fontsize=_SEGMENT_POINTS,
        )
    return svg_of(figure, key)


class _Place(NamedTuple):
    """Where a segment lies: degrees against the clock from the right, radii as shares of the whole."""

    start: float
    step: float
    outer: float
    width: float


def _draw_segment(
    axes: Axes, value: float | None, place: _Place, *, limits: tuple[float, float], decimals: int
) -> None:
    share = 0.0 if value is None else float(np.clip((value - limits[0]) / (limits[1] - limits[0]), 0, 1))
    shade = colormaps["YlGnBu"](0.12 + 0.76 * share)
    wedge = Wedge((0, 0), place.outer, place.start, place.start + place.step, width=place.width)
    wedge.set(facecolor="none" if value is None else to_hex(shade), edgecolor=FAINT, linewidth=1)
    if value is None:
        wedge.set(hatch="////")
    axes.add_patch(wedge)
    middle, radius = np.radians(place.start + place.step / 2), place.outer - place.width / 2
    axes.text(
        radius * np.cos(middle),
        radius * np.sin(middle),
        "–" if value is None else f"{value:z.{decimals}f}",
        ha="center",
        va="center",
        fontsize=_SEGMENT_POINTS,
        color=INK if value is None else _readable_on(shade),
    )


def _readable_on(colour: tuple[float, float, float, float]) -> str:
    """White or near black, whichever stands out more (relative luminance as in WCAG 2.1)."""
    parts = np.array(colour[:3])
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    luminance = float(linear @ (0.2126, 0.7152, 0.0722))
    return "#ffffff" if 1.05 / (luminance + 0.05) > (luminance + 0.05) / 0.06 else "#10202c"
