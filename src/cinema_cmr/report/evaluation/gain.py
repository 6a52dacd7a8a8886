"""What pre-training gained, as one HTML file: the verdict first, then every patient, then the table of differences."""

from __future__ import annotations

import math

from cinema_cmr.core.vocabulary import NOTICE
from cinema_cmr.evaluation.gain import Gain
from cinema_cmr.report.evaluation.plots import pairs_svg
from cinema_cmr.report.evaluation.rows import difference_table
from cinema_cmr.report.evaluation.tables import DIFFERENCE_NOTE
from cinema_cmr.report.markdown import Table, number_text
from cinema_cmr.report.page import page_environment

__all__ = ["gain_page"]

_TONES = {"gained": "fine", "lost": "error", "not shown": "info", "inconclusive": "warning"}


def gain_page(gain: Gain) -> str:
    """The page of a comparison with random weights."""
    return (
        page_environment()
        .get_template("gain.html")
        .render(
            notice=NOTICE,
            gain=gain,
            tone=_TONES[gain.verdict.code],
            differences=difference_table(gain.comparison) if gain.comparison.rows else None,
            note=DIFFERENCE_NOTE,
            plot=_plot(gain),
            patients=_patient_table(gain),
        )
    )


def _values(gain: Gain) -> dict[str, tuple[float, float]]:
    """Patient -> primary score from random weights and from the pre-trained start."""
    name = gain.primary
    return {its.patient: (its.scratch.get(name, math.nan), its.start.get(name, math.nan)) for its in gain.patients}


def _plot(gain: Gain) -> str | None:
    pairs = {name: (a, b) for name, (a, b) in _values(gain).items() if not math.isnan(a - b)}
    if not pairs:
        return None
    return pairs_svg(
        pairs,
        sides=("random weights", "pre-trained start"),
        y_title=gain.primary.replace("_", " "),
        key="pairs",
        higher_is_better=gain.higher_is_better,
    )


def _patient_table(gain: Gain) -> Table:
    """Every patient, the greatest change for the worse first."""
    sign = 1 if gain.higher_is_better else -1
    rows = []
    for name, (scratch, start) in _values(gain).items():
        change = start - scratch
        texts = [name, number_text(scratch, 3), number_text(start, 3), number_text(change, 3, sign="+")]
        rows.append((0.0 if math.isnan(change) else sign * change, texts))
    ordered = [texts for _, texts in sorted(rows, key=lambda its: its[0])]
    return Table(["patient", "random weights", "pre-trained start", "difference"], ordered)
