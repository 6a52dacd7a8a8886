"""Length of the cardiac cycle and heart rate, from tags or from images over more than one beat; never guessed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cinema_cmr.core.study import Issue
from cinema_cmr.io.dicom.header import FrameHeader
from cinema_cmr.io.dicom.stack import Stack

__all__ = ["CardiacCycle", "agreed_interval_ms", "cardiac_cycle"]

MAX_RATE_DIFFERENCE = 0.2
"""Largest difference of heart rate and interval, as a share; a rate noted at the planning drifts by a tenth."""
_SAME_SPAN = 0.08
"""Largest difference of the span of the frames from the beat of the heart rate that they fill, as a share."""
_FEW_PHASES = 0.6
"""Share of the cycle below which the frames of a whole stack leave more out than prospective triggering does."""
_WHOLE_CYCLE = 0.8
"""Share of the cycle from which the frames of a whole stack cover it, as of retrospective gating."""


@dataclass(frozen=True, kw_only=True)
class CardiacCycle:
    """Length of the cardiac cycle in a stack, and its source."""

    rr_ms: float | None = None
    source: str | None = None
    """"NominalInterval", "HeartRate" or "the motion in the images"."""
    low_ms: float | None = None
    high_ms: float | None = None
    heart_rate_bpm: float | None = None
    """From tags only; None if the cycle comes from the images."""
    contradicting_bpm: float | None = None
    """A stated heart rate that the interval contradicts, and which is not used."""
    unused_ms: float | None = None
    """A stated interval that heart rate and span of the frames contradict, and which is not used."""
    covered: float | None = None
    """Span of the frames as a share of the cycle."""

    def or_beat(self, beat_ms: float | None) -> CardiacCycle:
        """Return this cycle or a beat whose length the images show, where the tags state none or that of several."""
        if beat_ms is None:
            return self
        return CardiacCycle(rr_ms=beat_ms, source="the motion in the images")

    def issues(self, label: str) -> tuple[Issue, ...]:
        """Return a note on the source of the cycle length, and a warning where tags or frames contradict it."""
        note = self.issue(label)
        if self.rr_ms is None:
            return (note,)
        if self.unused_ms is not None:
            return note, _unused_interval_issue(label, self.unused_ms, self.rr_ms)
        limit = _WHOLE_CYCLE if self.contradicting_bpm is None else _FEW_PHASES
        if self.covered is not None and self.covered < limit:
            return note, _few_phases_issue(label, self.covered, self.rr_ms)
        if self.contradicting_bpm is None:
            return (note,)
        message = (
            f"{label}: the stated heart rate of {self.contradicting_bpm:.0f} / min and the R-R interval of"
            f" {self.rr_ms:.0f} ms ({60000 / self.rr_ms:.0f} / min) contradict each other; the interval, in which"
            " the frames were placed, is used, also for cardiac output: give --heart-rate if it is wrong"
        )
        evidence = {"heart_rate_bpm": self.contradicting_bpm, "rr_interval_ms": round(self.rr_ms, 1)}
        return note, Issue(code="heart-rate-differs", severity="warning", message=message, evidence=evidence)

    def issue(self, label: str) -> Issue:
        """Return a note on the source of the cycle length."""
        if self.rr_ms is None:
            message = f"{label}: the length of the cardiac cycle is unknown; rates and cardiac output are absent"
            return Issue(code="rr-interval", severity="info", message=message, evidence={"source": None})
        spread = ""
        if self.low_ms is not None and self.high_ms is not None and self.high_ms - self.low_ms >= 1:
            spread = f" (slices {self.low_ms:.0f} to {self.high_ms:.0f})"
        return Issue(
            code="rr-interval",
            severity="info",
            message=f"{label}: cardiac cycle {self.rr_ms:.0f} ms{spread}, from {self.source}",
            evidence={"source": self.source, "rr_interval_ms": round(self.rr_ms, 1)},
        )


def _unused_interval_issue(label: str, unused_ms: float, rr_ms: float) -> Issue:
    message = (
        f"{label}: the stated R-R interval of {unused_ms:.0f} ms contradicts the heart rate and the span of the frames,"
        f" which agree on {rr_ms:.0f} ms; these are used, also for cardiac output: give --heart-rate if that is wrong"
    )
    evidence = {"heart_rate_bpm": round(60000 / rr_ms, 1), "rr_interval_ms": round(unused_ms, 1)}
    return Issue(code="heart-rate-differs", severity="warning", message=message, evidence=evidence)


def _few_phases_issue(label: str, covered: float, rr_ms: float) -> Issue:
    few = covered < _FEW_PHASES
    message = f"{label}: the frames cover {100 * covered:.0f} % of the stated cycle of {rr_ms:.0f} ms; " + (
        "either phases are missing, or the stated cycle is more than a beat and cardiac output too small:"
        if few
        else "if the cine was gated retrospectively, the stated cycle is too long and cardiac output too small: then"
    )
    return Issue(
        code="window-incomplete",
        severity="warning" if few else "info",
        message=f"{message} give --heart-rate",
        evidence={"covered": round(covered, 2)},
    )


def cardiac_cycle(headers: Sequence[FrameHeader], stack: Stack) -> CardiacCycle:
    """Return the cycle of a stack that its tags state: the nominal interval, else the heart rate.

    A heart rate that differs from the interval by more than `MAX_RATE_DIFFERENCE` is not used: the times of the frames
    belong to the interval.
    The number of frames times their step is no cycle: a window may be longer or shorter than a beat.
    """
    images = [headers[k] for cine_slice in stack.slices for k in cine_slice.frames if k is not None]
    intervals = [image.rr_interval_ms for image in images if image.rr_interval_ms is not None]
    rates = [image.heart_rate_bpm for image in images if image.heart_rate_bpm is not None]
    rate = float(np.median(rates)) if rates else None
    span_ms = _span_ms(stack)
    if intervals:
        rr_ms = float(np.median(intervals))
        agreed = agreed_interval_ms(rr_ms, rate, span_ms)
        if agreed != rr_ms:
            return CardiacCycle(rr_ms=agreed, source="HeartRate", heart_rate_bpm=rate, unused_ms=rr_ms)
        contradicts = rate is not None and abs(rate * rr_ms / 60000 - 1) > MAX_RATE_DIFFERENCE
        return CardiacCycle(
            rr_ms=rr_ms,
            source="NominalInterval",
            low_ms=min(intervals),
            high_ms=max(intervals),
            heart_rate_bpm=60000 / rr_ms if rate is None or contradicts else rate,
            contradicting_bpm=rate if contradicts else None,
            covered=None if span_ms is None else span_ms / rr_ms,
        )
    if rate is not None:
        cycles = [60000 / value for value in rates]
        return CardiacCycle(
            rr_ms=60000 / rate,
            source="HeartRate",
            low_ms=min(cycles),
            high_ms=max(cycles),
            heart_rate_bpm=rate,
            covered=None if span_ms is None else span_ms * rate / 60000,
        )
    return CardiacCycle()


def agreed_interval_ms(rr_ms: float | None, rate_bpm: float | None, span_ms: float | None) -> float | None:
    """Return the stated interval, or that of the heart rate where the span of the frames agrees with that instead.

    >>> agreed_interval_ms(1512.0, 79.0, 756.0), agreed_interval_ms(756.0, 60.0, 756.0)
    (759.493670886076, 756.0)
    """
    if rr_ms is None or rate_bpm is None or span_ms is None:
        return rr_ms
    beat = 60000 / rate_bpm
    apart = abs(rr_ms / beat - 1) > MAX_RATE_DIFFERENCE and abs(rr_ms / span_ms - 1) > MAX_RATE_DIFFERENCE
    return beat if apart and abs(span_ms / beat - 1) < _SAME_SPAN else rr_ms


def _span_ms(stack: Stack) -> float | None:
    """Return the time that the frames of most slices span, each with its step."""
    spans = [len(one.times_ms) * float(np.median(np.diff(one.times_ms))) for one in stack.slices if one.times_ms]
    return float(np.median(spans)) if spans else None
