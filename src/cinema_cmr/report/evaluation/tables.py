"""An evaluation as Markdown tables: overlap and distance by structure, agreement of volumes, and both by subgroup."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cinema_cmr.report.evaluation.rows import (
    difference_table,
    flag_table,
    not_scored_section,
    published_table,
    summary_tables,
)
from cinema_cmr.report.markdown import interval_text, markdown_table

__all__ = ["DIFFERENCE_NOTE", "PUBLISHED_NOTE", "evaluation_tables"]

Summary = Mapping[str, Any]

DIFFERENCE_NOTE = (
    "First minus second on the same patients: mean with 95 % bootstrap interval and n; Wilcoxon's signed-rank test,"
    " corrected after Holm over the rows of the table. Errors are absolute."
)
PUBLISHED_NOTE = (
    "Published values are of other test patients, and mostly of other training data: a yardstick, no paired comparison."
)


def evaluation_tables(whole: Summary, subgroups: Mapping[str, Summary]) -> str:
    """Return `tables.md` for summaries of `evaluation.segmentation.summarise`, one titled section a subgroup.

    Means over patients with 95 % intervals, and the patients that each mean is over. Where `whole` is an
    evaluation document its comparison, published values and quality checks come before the subgroups.
    """
    title = f"# {whole['model']} on {whole['n_patients']} patients"
    parts = [title, "For research use only. Means over patients (95 % bootstrap interval; n).", _tables(whole)]
    parts += _more(whole)
    for name, summary in subgroups.items():
        parts += [f"## {name} ({summary['n_patients']} patients)", _tables(summary)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _more(whole: Summary) -> Iterator[str]:
    if whole.get("against"):
        against = whole["against"]
        yield f"## {against['first']} against {against['second']} ({against['n_patients']} patients)"
        yield DIFFERENCE_NOTE
        yield markdown_table(difference_table(against))
    yield from not_scored_section(whole.get("not_scored", ()))
    if whole.get("published"):
        yield "## Beside published values"
        yield PUBLISHED_NOTE
        yield markdown_table(published_table(whole["published"]))
    if "checks" in whole:
        checks = whole["checks"]
        yield f"## Quality flags ({checks['n_failed']} failed)"
        caught = [f"{name} {interval_text(checks[name], 2)}" for name in ("sensitivity", "specificity")]
        yield f"{checks['rule'].capitalize()}. Flags for failures: {', '.join(caught)}."
        if checks["flags"]:
            yield markdown_table(flag_table(checks["flags"]))


def _tables(summary: Summary) -> str:
    return "\n\n".join(markdown_table(table) for table in summary_tables(summary))
