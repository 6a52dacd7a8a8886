"""Quality checks of the atria in long-axis masks: what they were learned from, their phase, and the image's edge."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cinema_cmr.core.results import Flag, Measurement
from cinema_cmr.core.vocabulary import View
from cinema_cmr.measure.long_axis.atria import ATRIA, Atria, AtrialCurve

__all__ = ["atrial_flags"]

MAX_JUMP = 0.25
"""A healthy left atrium that empties to a third within a quarter of the beat changes by less than a fifth of its
largest size from one of 15 frames to the next. Set with one volunteer's curve in view, whose outlines jump by 0.34."""

FRAMES_OF_A_CYCLE = 15
"""With fewer frames a cycle an atrium may change so much from one to the next."""

MIN_EMPTYING_PERCENT = 15.0
"""Emptying fraction below which an atrium hardly moves, as in fibrillation, so that its largest frame is chance."""


def atrial_flags(atria: Atria | None, values: Mapping[str, Measurement], *, predicted: bool) -> tuple[Flag, ...]:
    """Return the flags of the atria; empty without atria.

    `values` holds the atrial and the biplane measurements; `predicted`: whether a network drew the masks.
    """
    if atria is None:
        return ()
    experimental = _experimental(values) if predicted else None
    flags = (experimental, _out_of_phase(atria, values), _cut_off(atria), _uneven(atria))
    return tuple(flag for flag in flags if flag is not None)


def _uneven(atria: Atria) -> Flag | None:
    """Report an atrium whose size jumps from one frame to the next as no atrium empties."""
    jumps = {
        title: _largest_jump(curve)
        for title, curve in (
            ("volume of the left atrium", atria.la_volume_ml),
            ("area of the left atrium (4-chamber view)", atria.la_area_cm2),
            ("area of the right atrium (4-chamber view)", atria.ra_area_cm2),
        )
        if not curve.reason
    }
    jumps = {title: jump for title, jump in jumps.items() if jump > MAX_JUMP}
    if not jumps:
        return None
    shares = (f"the {title} by {100 * jump:.0f} %" for title, jump in jumps.items())
    return Flag(
        code="atrium-uneven",
        severity="warning",
        message=f"sizes jump from one frame to the next, of their largest: {', '.join(shares)}; check the outlines",
        evidence={"largest_jump": round(max(jumps.values()), 2)},
    )


def _largest_jump(curve: AtrialCurve) -> float:
    """Return the largest change between frames beside each other, as a share of the largest size; 0 of few frames."""
    values = curve.values
    if len(values) < FRAMES_OF_A_CYCLE or not np.isfinite(values).any():
        return 0.0
    changes = np.abs(np.diff(values))
    return float(np.nanmax(changes) / np.nanmax(values)) if np.isfinite(changes).any() else 0.0


def _experimental(values: Mapping[str, Measurement]) -> Flag | None:
    measured = [name for name, one in values.items() if name.startswith(("la_", "ra_")) and one.value is not None]
    if not measured:
        return None
    return Flag(
        code="atria-experimental",
        severity="info",
        message=(
            "the atria were learned from synthetic hearts and from rough outlines that a program found; no person's"
            " atrium was drawn to check them"
        ),
        evidence={"measurements": len(measured)},
    )


def _out_of_phase(atria: Atria, values: Mapping[str, Measurement]) -> Flag | None:
    """Report a left atrium that is largest while the left ventricle is, by the masks of the same planes."""
    names = ("la_volume_max_ml", "lv_edv_biplane_ml", "lv_esv_biplane_ml", "la_ef_percent")
    fullest, ed, es, emptying = (values.get(name) for name in names)
    if not (fullest and ed and es and emptying) or emptying.value is None or emptying.value <= MIN_EMPTYING_PERCENT:
        return None
    if not (fullest.frames and ed.frames and es.frames):
        return None
    n_frames, frame = len(atria.la_volume_ml.values), fullest.frames[0]
    from_ed, from_es = (_frames_apart(frame, other.frames[0], n_frames) for other in (ed, es))
    if from_ed >= from_es:
        return None
    return Flag(
        code="atrium-out-of-phase",
        severity="warning",
        message=(
            f"the left atrium is largest in frame {frame}, nearer to end-diastole of the LV (frame {ed.frames[0]}) than"
            f" to its end-systole (frame {es.frames[0]}): check the outlines of the atrium"
        ),
        evidence={"la_max_frame": frame, "lv_ed_frame": ed.frames[0], "lv_es_frame": es.frames[0]},
    )


def _frames_apart(frame: int, other: int, n_frames: int) -> int:
    """Return the number of frames between two of a closed cycle."""
    apart = abs(frame - other)
    return min(apart, n_frames - apart)


def _cut_off(atria: Atria) -> Flag | None:
    """Report an atrium at the edge of an image in the frame in which it is largest."""
    cut: dict[tuple[str, View], int] = {}
    for name, curve in (("la", atria.la_volume_ml), ("la", atria.la_area_cm2), ("ra", atria.ra_area_cm2)):
        largest = curve.extreme("largest")
        if largest is not None:
            at_edge = {view: int(pixels[largest.frame]) for view, pixels in curve.edge_pixels.items()}
            cut |= {(name, view): count for view, count in at_edge.items() if count}
    if not cut:
        return None
    places = (f"the {ATRIA[name].title} ({view.title} view)" for name, view in cut)
    return Flag(
        code="atrium-cut-off",
        severity="warning",
        message=f"the edge of the image cuts {' and '.join(places)}: its true size is larger",
        evidence={f"{name}_{view}_pixels": count for (name, view), count in cut.items()},
    )
