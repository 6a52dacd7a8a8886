"""Histograms by sex, and values over age with their centiles, as SVG in the page's colours."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from cinema_cmr.core.analysis import NormalRange
from cinema_cmr.population.cohort.centiles import Values
from cinema_cmr.report.axes import FONT_POINTS, INK, plain_axes, svg_of
from cinema_cmr.report.wording import unit_text

__all__ = ["SEX_COLOURS", "age_svg", "histogram_svg"]

SEX_COLOURS = {"F": "#c2571a", "M": "#0a6a8a", "all": "#53626e"}
"""Both 4.5 to 1 against white, and of different lightness for who sees no hue."""
_TITLES = {"F": "women", "M": "men", "all": "all"}
_MOST_POINTS = 1500
_BINS = 24
_SIZE = (4.8, 2.7)
_MARGINS = (0.1, 0.17, 0.97, 0.9)

Array = NDArray[np.float64]


def histogram_svg(values: Values, ranges: Sequence[NormalRange], *, title: str) -> str:
    """Return the distribution in each sex, with the published limits of each as bars below."""
    figure, axes = plain_axes(size=_SIZE, margins=_MARGINS)
    finite = values.values[np.isfinite(values.values)]
    edges = np.histogram_bin_edges(finite, bins=_BINS)
    for sex, chosen in _groups(values):
        axes.hist(values.values[chosen], bins=edges.tolist(), histtype="step", color=SEX_COLOURS[sex], linewidth=1.8)
    top = axes.get_ylim()[1]
    for place, row in enumerate(_widest(ranges)):
        height = -top * (0.05 + 0.05 * place)
        axes.plot([row.lower, row.upper], [height, height], color=SEX_COLOURS[row.sex], linewidth=4, alpha=0.6)
    axes.set_ylim(-top * 0.16 if ranges else 0, top * 1.05)
    axes.set_yticks([tick for tick in axes.get_yticks() if 0 <= tick <= top])
    _finish(axes, values, title)
    return svg_of(figure, f"histogram {values.name}")


def age_svg(values: Values, own: Sequence[NormalRange], published: Sequence[NormalRange], *, title: str) -> str:
    """Return values over age: points, the population's own centiles as lines, the published limits dotted."""
    figure, axes = plain_axes(size=_SIZE, margins=_MARGINS)
    shown = np.flatnonzero(np.isfinite(values.values) & np.isfinite(values.age))
    if len(shown) > _MOST_POINTS:
        shown = shown[np.linspace(0, len(shown) - 1, _MOST_POINTS).astype(int)]
    for sex, chosen in _groups(values):
        some = shown[chosen[shown]]
        axes.plot(
            values.age[some], values.values[some], ".", color=SEX_COLOURS[sex], markersize=4.5, alpha=0.55, zorder=1
        )
    for rows, style, width in ((own, "-", 1.8), (published, ":", 1.4)):
        for row in rows:
            for limit in (row.lower, row.upper):
                ends = [row.age_low, row.age_high + 1]
                axes.plot(ends, [limit, limit], style, color=SEX_COLOURS[row.sex], linewidth=width)
    ages = values.age[shown]
    axes.set_xlim(float(ages.min()) - 1, float(ages.max()) + 1)
    _finish(axes, values, title)
    axes.set_xlabel("age, years")
    return svg_of(figure, f"age {values.name}")


def _groups(values: Values) -> list[tuple[str, NDArray[np.bool_]]]:
    found = [(sex, values.of_sex(sex)) for sex in ("F", "M")]
    found = [(sex, chosen) for sex, chosen in found if chosen.any()]
    return found or [("all", np.isfinite(values.values))]


def _widest(ranges: Sequence[NormalRange]) -> list[NormalRange]:
    """Return one range a sex, over all ages."""
    return list({row.sex: row for row in ranges}.values())


def _finish(axes: Axes, values: Values, title: str) -> None:
    axes.set_xlabel(f"{title}, {unit_text(values.unit)}")
    names = {sex: _TITLES[sex] for sex, _ in _groups(values)}
    for place, (sex, name) in enumerate(names.items()):
        axes.annotate(
            name,
            (1 - 0.16 * (len(names) - 1 - place), 1.04),
            xycoords="axes fraction",
            color=SEX_COLOURS[sex],
            fontsize=FONT_POINTS,
            ha="right",
        )
    axes.xaxis.label.set_color(INK)
