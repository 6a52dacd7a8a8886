"""An evaluation of landmarks, numbers or classes as Markdown tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cinema_cmr.report.evaluation.rows import agreement_table, not_scored_section
from cinema_cmr.report.markdown import Table, interval_text, markdown_table, number_text

__all__ = ["answer_tables"]

Summary = Mapping[str, Any]


def answer_tables(summary: Summary) -> str:
    """`tables.md` of a summary as `evaluation.scalar` and `evaluation.landmark` give it."""
    parts = {"landmark": _landmarks, "regress": _numbers, "classify": _classes}[summary["task"]](summary)
    title = f"# {summary['model']} on {summary['n_patients']} patients"
    head = [title, "For research use only. Values with 95 % bootstrap interval; n."]
    return "\n\n".join([*head, *parts, *not_scored_section(summary.get("not_scored", ()))]) + "\n"


def _landmarks(summary: Summary) -> list[str]:
    rows = [
        [name, interval_text(row, 2), f"{100 * (summary['found'][name] or 0):.0f} %"]
        for name, row in summary["distances_mm"].items()
    ]
    rows.append(["all points", interval_text(summary["distance_mm"], 2), ""])
    tables = [markdown_table(Table(["point", "median distance of a study, mm", "found"], rows))]
    return [*tables, markdown_table(agreement_table(summary["measurements"]))] if summary["measurements"] else tables


def _numbers(summary: Summary) -> list[str]:
    return [
        markdown_table(agreement_table({summary["target"]: summary})),
        "Always saying these patients' mean has an absolute error of "
        f"{interval_text(summary['mean_absolute_error_of_the_mean'], 1)}.",
    ]


def _classes(summary: Summary) -> list[str]:
    names = summary["classes"]
    scores = [
        ["accuracy", interval_text(summary["accuracy"], 3)],
        ["balanced accuracy", interval_text(summary["balanced_accuracy"], 3)],
        *(
            [title, number_text(summary[key], 3)]
            for key, title in (("matthews", "Matthews"), ("auroc", "AUROC"), ("calibration_error", "calibration error"))
        ),
    ]
    confusion = [[name, *map(str, row)] for name, row in zip(names, summary["confusion"], strict=True)]
    return [
        markdown_table(Table(["score", "value"], scores)),
        markdown_table(Table(["known / answered", *names], confusion)),
    ]
