"""Plots of an evaluation as SVG: agreement (Bland and Altman), boxes of Dice, confidence against Dice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from cinema_cmr.report.axes import ACCENT, BAD, FAINT, FONT_POINTS, INK, plain_axes, svg_of

__all__ = ["Points", "agreement_svg", "boxes_svg", "pairs_svg", "points_svg"]

_SIZE = (4.8, 3.1)
_MARGINS = (0.13, 0.19, 0.83, 0.96)
_BOX_MARGINS = (0.13, 0.12, 0.98, 0.96)
_DOT: Mapping[str, Any] = {"markersize": 5, "alpha": 0.75, "markeredgewidth": 0, "clip_on": False}
_NAMED = 2
"""So many of the patients farthest away are named."""
_SPREAD = 0.16
"""Dots over a box lie this far to its sides at most."""


@dataclass(frozen=True, kw_only=True)
class Points:
    """One point a patient."""

    x: Sequence[float]
    y: Sequence[float]
    names: Sequence[str]
    failed: Sequence[bool]
    """Drawn in the colour of errors."""


def agreement_svg(points: Points, *, bias: float, limits: tuple[float, float], unit: str, key: str) -> str:
    """Difference (y) over mean (x) of two ways to measure, with lines at the bias and the limits of agreement.

    Bland and Altman, Lancet 1986;1:307. The patients farthest outside of the limits are named.
    """
    figure, axes = plain_axes(size=_SIZE, margins=_MARGINS)
    _draw(axes, points)
    # A line of zero difference, and room above and below whatever the points are.
    reach = max(np.abs([*limits, *points.y]).max(), 1e-6) * 1.12
    axes.set_ylim(-reach, reach)
    axes.axhline(0, color=FAINT, linewidth=1)
    for value, text, dashes in ((bias, "bias", "-"), (limits[1], "upper", "--"), (limits[0], "lower", "--")):
        axes.axhline(value, color=INK, linewidth=1.2, linestyle=dashes)
        at = (1.01, value)
        axes.annotate(
            f"{text} {value:+.1f}",
            at,
            xycoords=("axes fraction", "data"),
            va="center",
            color=INK,
            fontsize=FONT_POINTS - 1,
        )
    _name_far(axes, points, [max(y - limits[1], limits[0] - y) for y in points.y])
    axes.set_xlabel(f"mean of model and expert, {unit}")
    axes.set_ylabel(f"model minus expert, {unit}", color=INK, fontsize=FONT_POINTS)
    return svg_of(figure, key)


def boxes_svg(groups: Mapping[str, Sequence[float]], *, colours: Mapping[str, str] | None = None, key: str) -> str:
    """A box (median, quartiles, whiskers to 1.5 quartile ranges) a group over its values, each value as a dot.

    `colours` gives a group's colour as CSS; without, that of the page. Groups without values are left out.
    """
    known = {name: np.array([v for v in values if np.isfinite(v)]) for name, values in groups.items()}
    known = {name: values for name, values in known.items() if len(values)}
    wide = max(4.8, 0.85 * len(known))
    figure, axes = plain_axes(size=(wide, 3.1), margins=_BOX_MARGINS)
    for place, values in enumerate(known.values()):
        _draw_box(axes, place, values, _stand_in(place))
    lowest = min((float(values.min()) for values in known.values()), default=0.0)
    axes.set_ylim(max(0.0, np.floor(10 * (lowest - 0.03)) / 10), 1.0)
    axes.set_xlim(-0.6, max(len(known), 2) - 0.4)
    labels = [f"{name}\n(n {len(values)})" for name, values in known.items()]
    axes.set_xticks(range(len(known)), labels=labels)
    axes.set_ylabel("Dice", color=INK, fontsize=FONT_POINTS)
    svg = svg_of(figure, key)
    for place, name in enumerate(known):
        svg = svg.replace(_stand_in(place), (colours or {}).get(name, "var(--accent)"))
    return svg


def points_svg(points: Points, *, x_title: str, y_title: str, key: str) -> str:
    """Two values a patient; the patients that are lowest are named."""
    figure, axes = plain_axes(size=_SIZE, margins=(0.13, 0.19, 0.97, 0.96))
    _draw(axes, points)
    middle = float(np.median(points.y))
    far = [middle - y if bad else 0.0 for y, bad in zip(points.y, points.failed, strict=True)]
    _name_far(axes, points, far)
    axes.margins(x=0.08, y=0.1)
    axes.set_xlabel(x_title)
    axes.set_ylabel(y_title, color=INK, fontsize=FONT_POINTS)
    return svg_of(figure, key)


def pairs_svg(
    pairs: Mapping[str, tuple[float, float]],
    *,
    sides: tuple[str, str],
    y_title: str,
    key: str,
    higher_is_better: bool = True,
) -> str:
    """A line for each name from its first value to its second, in the colour of errors where the second is worse.

    The two names that lost or won most are written.
    """
    figure, axes = plain_axes(size=_SIZE, margins=(0.13, 0.12, 0.83, 0.96))
    sign = 1 if higher_is_better else -1
    for first, second in pairs.values():
        colour = BAD if sign * (second - first) < 0 else ACCENT
        axes.plot([0, 1], [first, second], "-o", color=colour, linewidth=1.3, **_DOT)
    changed = sorted(pairs, key=lambda name: -abs(pairs[name][1] - pairs[name][0]))
    for name in changed[:_NAMED]:
        axes.annotate(
            name,
            (1, pairs[name][1]),
            (7, 0),
            textcoords="offset points",
            va="center",
            color=INK,
            fontsize=FONT_POINTS - 2,
        )
    axes.set_xlim(-0.15, 1.15)
    axes.set_xticks([0, 1], labels=list(sides))
    axes.set_ylabel(y_title, color=INK, fontsize=FONT_POINTS)
    return svg_of(figure, key)


def _draw(axes: Axes, points: Points) -> None:
    x, y, bad = np.array(points.x), np.array(points.y), np.array(points.failed, dtype=bool)
    axes.plot(x[~bad], y[~bad], "o", color=ACCENT, **_DOT)
    axes.plot(x[bad], y[bad], "o", color=BAD, **_DOT)


def _name_far(axes: Axes, points: Points, far: Sequence[float]) -> None:
    middle = float(np.mean(axes.get_xlim()))
    order = sorted(range(len(far)), key=lambda index: -far[index])
    for index in (i for i in order[:_NAMED] if far[i] > 0):
        right = points.x[index] > middle
        axes.annotate(
            points.names[index],
            (points.x[index], points.y[index]),
            (-6 if right else 6, 0),
            textcoords="offset points",
            ha="right" if right else "left",
            va="center",
            color=INK,
            fontsize=FONT_POINTS - 2,
        )


def _draw_box(axes: Axes, place: int, values: NDArray[np.float64], colour: str) -> None:
    axes.boxplot(
        [values],
        positions=[place],
        widths=0.5,
        showfliers=False,
        boxprops={"color": colour, "linewidth": 1.4},
        whiskerprops={"color": colour, "linewidth": 1.2},
        capprops={"color": colour, "linewidth": 1.2},
        medianprops={"color": colour, "linewidth": 2.4},
    )
    # Neighbouring values side by side: the order of the values, not chance, so that a plot is the same each time.
    sides = np.resize([0, 1, -1, 0.5, -0.5], len(values))[np.argsort(np.argsort(values))]
    axes.plot(place + _SPREAD * sides, values, "o", color=colour, **{**_DOT, "markersize": 3.5, "alpha": 0.5})


def _stand_in(place: int) -> str:
    return f"#0a0c{place:02x}"
