"""The tables of an evaluation as heads and rows of text; Markdown and the page show the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cinema_cmr.evaluation.compare import Comparison
from cinema_cmr.evaluation.record import BesidePublished, FlagCount, NotScored
from cinema_cmr.report.markdown import Table, interval_text, limits_text, number_text, p_text, signed_interval_text
from cinema_cmr.score.statistics import Interval
from cinema_cmr.tasks.result import AgreementSummary, Confusion, Summary

__all__ = [
    "agreement_table",
    "difference_table",
    "flag_table",
    "not_scored_table",
    "published_table",
    "summary_tables",
]

Scores = Mapping[str, Interval]

_STRUCTURES = (("dice_", "", "Dice", 3), ("hd95_", "_mm", "HD95, mm", 1), ("assd_", "_mm", "ASSD, mm", 2))
_POINTS = (("distance_mm_", "", "median distance, mm", 2), ("found_", "", "found", 2))
"""Prefix and suffix of a score's name around the structure or point, column title, digits."""
_IN_COLUMNS = tuple(start for start, *_ in (*_STRUCTURES, *_POINTS))
_DETAILS = ("worst_slice_dice_", "where_present_dice_")


def summary_tables(summary: Summary) -> list[Table]:
    """Tables of a summary: scores, agreement, repeatability, confusion; none is empty."""
    scores = summary.scores
    made = (
        _item_table("structure", _STRUCTURES, scores),
        _item_table("point", _POINTS, scores),
        _score_table(scores),
        agreement_table(summary.measurements),
        _repeatability_table(summary.repeatability),
        _confusion_table(summary.confusion or Confusion(classes=(), counts=())),
    )
    return [table for table in made if table.rows]


def _item_table(head: str, columns: Sequence[tuple[str, str, str, int]], scores: Scores) -> Table:
    """One row for each structure or point that has the first column's score."""
    first = columns[0][0]
    rows = [
        [item, *(interval_text(scores.get(f"{start}{item}{end}"), digits) for start, end, _, digits in columns)]
        for item in (name.removeprefix(first) for name in scores if name.startswith(first))
    ]
    return Table([head, *(title for _, _, title, _ in columns)], rows)


def _score_table(scores: Scores) -> Table:
    """All scores that belong to no structure or point."""
    return Table(
        ["score", "value"],
        [
            [
                name.replace("_", " "),
                number_text(row.value, 3) if row.method == "none" else interval_text(row, 3),
            ]
            for name, row in scores.items()
            if not name.startswith((*_IN_COLUMNS, *_DETAILS))
        ],
    )


def _confusion_table(confusion: Confusion) -> Table:
    classes = confusion.classes
    rows = [[name, *map(str, row)] for name, row in zip(classes, confusion.counts, strict=True)]
    return Table(["true / predicted", *classes], rows)


def agreement_table(measurements: Mapping[str, AgreementSummary]) -> Table:
    """Bias, limits of agreement, absolute error and ICC of each measurement."""
    rows = [
        [
            name,
            f"{row.bias:+.1f}",
            limits_text(row.limits),
            interval_text(row.mean_absolute_error, 1),
            number_text(row.icc, 3),
        ]
        for name, row in measurements.items()
    ]
    return Table(["measurement", "bias", "limits of agreement", "absolute error", "ICC(2,1)"], rows)


def _repeatability_table(repeated: Mapping[str, Scores]) -> Table:
    """Coefficient of variation between two scans of each patient: of the masks scored, and of the reference's."""
    rows = [
        [name, *(interval_text(row.get(which), 1) for which in ("measured", "reference"))]
        for name, row in repeated.items()
    ]
    return Table(["scan-rescan variation, %", "measured", "reference masks"], rows)


def difference_table(against: Comparison) -> Table:
    """Paired differences, with the p-value before and after Holm's correction."""
    heads = ["what", against.first, against.second, "difference", "n", "p (Wilcoxon)", "p (Holm)"]
    rows = []
    for row in against.rows:
        digits = 4 if "dice" in row.name else 2
        values = [number_text(value, digits) for value in (row.first, row.second)]
        found = signed_interval_text(row.difference, digits)
        rows.append([row.name, *values, found, str(row.difference.n), p_text(row.p_value), p_text(row.p_holm)])
    return Table(heads, rows)


def published_table(published: Sequence[BesidePublished]) -> Table:
    """Published values beside ours of the same task and dataset."""
    rows = [[row.what, row.ours, row.published, row.model, row.patients, row.source] for row in published]
    return Table(["what", "here", "published", "by", "on", "source"], rows)


def not_scored_table(left: Sequence[NotScored]) -> Table:
    """Studies without a score, whose masks were missing or unusable, or that have no labels, and why."""
    return Table(["study", "status", "why"], [[row.study, row.status, row.why] for row in left])


def flag_table(flags: Sequence[FlagCount]) -> Table:
    """Quality flags that were raised, and in how many of these studies the outlines had failed."""
    rows = [[row.code.replace("-", " "), row.severity, str(row.n), str(row.n_failed)] for row in flags]
    return Table(["flag", "severity", "raised", "of these failed"], rows)
