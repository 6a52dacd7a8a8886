"""What pre-training gained, as one HTML file: the verdict first, then every patient, then the table of differences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cinema_cmr.core.vocabulary import NOTICE
from cinema_cmr.report.evaluation.plots import pairs_svg
from cinema_cmr.report.evaluation.rows import difference_table
from cinema_cmr.report.evaluation.tables import DIFFERENCE_NOTE
from cinema_cmr.report.markdown import Table, number_text
from cinema_cmr.report.page import page_environment

__all__ = ["gain_page"]

Document = Mapping[str, Any]

_TONES = {"gained": "fine", "lost": "error", "not shown": "info", "cannot be told": "warning"}


def gain_page(document: Document) -> str:
    """The page of a document of `evaluation.gain` in plain values."""
    rows = document["comparison"]["rows"]
    return (
        page_environment()
        .get_template("gain.html")
        .render(
            notice=NOTICE,
            document=document,
            tone=_TONES[document["verdict"]["code"]],
            differences=difference_table(document["comparison"]) if rows else None,
            note=DIFFERENCE_NOTE,
            plot=_plot(document),
            patients=_patient_table(document),
        )
    )


def _plot(document: Document) -> str | None:
    primary = document["primary"]
    sides = {row["patient"]: (row["scratch"].get(primary), row["start"].get(primary)) for row in document["patients"]}
    pairs = {name: (a, b) for name, (a, b) in sides.items() if a is not None and b is not None}
    if not pairs:
        return None
    return pairs_svg(
        pairs,
        sides=("random weights", "pre-trained start"),
        y_title=primary.replace("_", " "),
        key="pairs",
        higher_is_better=document["higher_is_better"],
    )


def _patient_table(document: Document) -> Table:
    """Every patient, the greatest change for the worse first."""
    primary, sign = document["primary"], 1 if document["higher_is_better"] else -1
    rows = []
    for row in document["patients"]:
        start, scratch = (row[side].get(primary) for side in ("start", "scratch"))
        change = None if start is None or scratch is None else start - scratch
        texts = [row["patient"], number_text(scratch, 3), number_text(start, 3)]
        rows.append((0.0 if change is None else sign * change, [*texts, "-" if change is None else f"{change:+.3f}"]))
    ordered = [texts for _, texts in sorted(rows, key=lambda its: its[0])]
    return Table(["patient", "random weights", "pre-trained start", "difference"], ordered)
