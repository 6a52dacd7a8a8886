"""Curves of two results over each other, by frame or time, or by the part of the beat where frames differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.vocabulary import View
from cinema_cmr.measure.rates import beat_length_ms
from cinema_cmr.report.axes import FONT_POINTS, INK, plain_axes, svg_of
from cinema_cmr.report.comparison.compared import ComparedSide

__all__ = ["CurvePlot", "beat_fractions", "curve_plots"]

_PLOTS = (
    ("LV volume", "ml", "lv_volume_ml", ("lv_edv_ml", "lv_esv_ml")),
    ("RV volume", "ml", "rv_volume_ml", ("rv_edv_ml", "rv_esv_ml")),
    ("LA volume", "ml", "la_volume_ml", ("la_volume_max_ml", "la_volume_min_ml")),
    ("Myocardial volume", "ml", "myo_volume_ml", ()),
    ("Mitral valve to apex, 4-chamber", "mm", "long_axis_length_4c_mm", ()),
)
"""Title, unit, name of the curve, and the measurements whose frames are marked."""
_COLOURS = ("#0a0b00", "#0a0b01")
"""Stand-ins that become the page's colours of the sides."""
_DASHES = ("-", (0, (4, 2.2)))

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class CurvePlot:
    """A plot with its caption."""

    title: str
    svg: str


def curve_plots(first: ComparedSide, second: ComparedSide) -> tuple[CurvePlot, ...]:
    """Return a plot of each curve that both results have."""
    sides = (first, second)
    return tuple(
        CurvePlot(title=f"{title}, {unit}", svg=_plot(sides, name, marks))
        for title, unit, name, marks in _PLOTS
        if all(len(side.record.curves.values.get(name, ())) > 1 for side in sides)
    )


def beat_fractions(side: ComparedSide, n_frames: int) -> Array:
    """Return where in the beat each frame lies, 0 to 1: by its time if times are known, else by its number.

    The beat is as long as in the rates of the stack; where it is unknown, the frames are taken to fill it.
    """
    times = side.record.curves.known_times_ms
    if times is None or len(times) != n_frames or n_frames < 2:
        return np.arange(n_frames) / n_frames
    elapsed = np.asarray(times) - times[0]
    rr_ms = next((c.rr_interval_ms for c in side.record.cines if c.view is View.SAX and c.rr_interval_ms), None)
    beat_ms = beat_length_ms(elapsed, rr_ms)
    return elapsed / beat_ms if beat_ms else np.arange(n_frames) / n_frames


def _plot(sides: Sequence[ComparedSide], name: str, marks: Sequence[str]) -> str:
    values = [np.array([np.nan if one is None else one for one in side.record.curves.values[name]]) for side in sides]
    places, axis_title = _places(sides, [len(one) for one in values])
    figure, axes = plain_axes(size=(4.8, 2.7), margins=(0.08, 0.16, 0.98, 0.965))
    for side, y, x, colour, dash in zip(sides, values, places, _COLOURS, _DASHES, strict=True):
        axes.plot(x, y, color=colour, linestyle=dash, linewidth=1.8, clip_on=False)
        frames = {one.name: one.frames for one in side.record.measurements}
        for frame in (found[0] for mark in marks if (found := frames.get(mark)) and found[0] < len(y)):
            axes.plot(x[frame], y[frame], "o", color=colour, markersize=5, clip_on=False)
    ends = [float(x[-1]) for x in places]
    axes.set_xlim(0, max(ends) or 1)
    axes.set_ylim(0, axes.get_ylim()[1] * 1.05)
    axes.set_xlabel(axis_title, color=INK, fontsize=FONT_POINTS)
    svg = svg_of(figure, f"compare-{name}")
    for colour, side_name in zip(_COLOURS, "ab", strict=True):
        svg = svg.replace(colour, f"var(--side-{side_name})")
    return svg


def _places(sides: Sequence[ComparedSide], sizes: Sequence[int]) -> tuple[list[Array], str]:
    """Return the x of each side's frames and the title of the axis."""
    times = [side.record.curves.known_times_ms for side in sides]
    whole = [one for one in times if one is not None]
    if len(set(sizes)) == 1 and _same_times(whole, sizes[0]):
        return [np.asarray(one) - one[0] for one in whole], "time, ms"
    if len(set(sizes)) == 1 and not whole:
        return [np.arange(float(n)) for n in sizes], "frame (times unknown)"
    fractions = [beat_fractions(side, n) for side, n in zip(sides, sizes, strict=True)]
    return [100 * one for one in fractions], "part of the beat, %"


def _same_times(times: Sequence[Sequence[float]], n_frames: int) -> bool:
    """Return whether both sides have times, the same ones within half a millisecond."""
    if [len(one) for one in times] != [n_frames, n_frames]:
        return False
    return bool(np.allclose(times[0], times[1], rtol=0, atol=0.5))
