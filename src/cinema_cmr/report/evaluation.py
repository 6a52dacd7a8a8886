"""An evaluation as Markdown tables: overlap and distance by structure, agreement of volumes, and both by subgroup."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cinema_cmr.report.markdown import interval_text, number_text, table

__all__ = ["evaluation_tables"]

Summary = Mapping[str, Any]

_SCORES = (("dice", "", "Dice", 3), ("hd95", "_mm", "HD95, mm", 1), ("assd", "_mm", "ASSD, mm", 2))
"""Prefix and suffix of a score's name around the structure, column title, digits."""


def evaluation_tables(whole: Summary, subgroups: Mapping[str, Summary]) -> str:
    """`tables.md` of summaries as `engine.evaluate.summarise` gives them; those of `subgroups` have a title each.

    Means over patients with 95 % intervals, and the patients that each mean is over.
    """
    title = f"# {whole['model']} on {whole['n_patients']} patients"
    parts = [title, "For research use only. Means over patients (95 % bootstrap interval; n).", _both(whole)]
    for name, summary in subgroups.items():
        parts += [f"## {name} ({summary['n_patients']} patients)", _both(summary)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _both(summary: Summary) -> str:
    return "\n\n".join(part for part in (_by_structure(summary["scores"]), _agreement(summary)) if part)


def _by_structure(scores: Summary) -> str:
    names = [name.removeprefix("dice_") for name in scores if name.startswith("dice_")]
    rows = [
        [name, *(interval_text(scores.get(f"{start}_{name}{end}"), digits) for start, end, _, digits in _SCORES)]
        for name in names
    ]
    return table(["structure", *(title for _, _, title, _ in _SCORES)], rows)


def _agreement(summary: Summary) -> str:
    rows = [
        [
            name,
            f"{row['bias']:+.1f}",
            "{:+.1f} to {:+.1f}".format(*row["limits"]),
            interval_text(row["mean_absolute_error"], 1),
            number_text(row["icc"], 3),
        ]
        for name, row in summary["measurements"].items()
    ]
    return table(["measurement", "bias", "limits of agreement", "absolute error", "ICC(2,1)"], rows) if rows else ""
