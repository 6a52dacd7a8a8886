"""Measurements of the 16 AHA segments, one plot each."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cinema_cmr.core.results import Measurement
from cinema_cmr.report.figures import segments_svg
from cinema_cmr.report.wording import sentence, words

__all__ = ["SegmentPlot", "is_segment", "segment_plots"]

_SEGMENT = re.compile(r"(?P<what>.+)_aha(?P<number>0[1-9]|1[0-6])")
_N_SEGMENTS = 16
_SCALES = {
    ("thickness", "mm"): (4.0, 16.0),
    ("thickening", "mm"): (0.0, 8.0),
    ("thickening", "%"): (0.0, 100.0),
    ("infarct", "%"): (0.0, 100.0),
    ("transmurality", "%"): (0.0, 100.0),
}
"""Word of the name and unit -> limits of the colour scale, the same for every patient."""
_UNIT_WORDS = re.compile(r"_(mm|percent|ml|g|degrees?)(?=_|$)")


@dataclass(frozen=True, kw_only=True)
class SegmentPlot:
    """A plot with its caption."""

    title: str
    unit: str
    svg: str
    text: str
    """The values in words, for screen readers."""


def is_segment(name: str) -> bool:
    """Whether a measurement belongs to one segment.

    >>> is_segment("wall_thickness_ed_mm_aha07"), is_segment("wall_thickness_ed_mm"), is_segment("x_aha17")
    (True, False, False)
    """
    return _SEGMENT.fullmatch(name) is not None


def segment_plots(measurements: Sequence[Measurement]) -> tuple[SegmentPlot, ...]:
    """Return one plot for each measurement with a value in any segment (`NAME_aha01` to `NAME_aha16`)."""
    groups: dict[str, dict[int, Measurement]] = {}
    for measurement in measurements:
        match = _SEGMENT.fullmatch(measurement.name)
        if match:
            groups.setdefault(match["what"], {})[int(match["number"])] = measurement
    return tuple(_plot(what, segments) for what, segments in groups.items() if _has_value(segments))


def _has_value(segments: Mapping[int, Measurement]) -> bool:
    return any(segment.value is not None for segment in segments.values())


def _plot(what: str, segments: Mapping[int, Measurement]) -> SegmentPlot:
    values = [segments[n].value if n in segments else None for n in range(1, _N_SEGMENTS + 1)]
    unit = next(iter(segments.values())).unit
    known = [value for value in values if value is not None]
    fixed = (limits for (word, of), limits in _SCALES.items() if word in what.split("_") and of == unit)
    limits = next(fixed, (min(known), max(known) + 1e-6))
    listed = (f"{n}: {'unknown' if v is None else round(v, 1)}" for n, v in enumerate(values, 1))
    return SegmentPlot(
        title=_title(what),
        unit=unit,
        svg=segments_svg(values, limits=limits, decimals=0 if unit == "%" else 1, key=what),
        text=", ".join(listed),
    )


def _title(what: str) -> str:
    return sentence(words(_UNIT_WORDS.sub("", what)))
