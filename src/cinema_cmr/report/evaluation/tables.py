"""An evaluation as Markdown tables, as text for a terminal, and as CSV; for every task."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Sequence

from cinema_cmr.core.safe_text import csv_cell
from cinema_cmr.core.vocabulary import CINE_LABELS
from cinema_cmr.evaluation.record import Evaluation
from cinema_cmr.report.evaluation.rows import (
    difference_table,
    flag_table,
    not_scored_table,
    published_table,
    summary_tables,
)
from cinema_cmr.report.markdown import interval_text, limits_text, markdown_table, number_text
from cinema_cmr.report.wording import sentence
from cinema_cmr.score.statistics import Interval
from cinema_cmr.tasks.result import Result, Summary

__all__ = [
    "DIFFERENCE_NOTE",
    "PUBLISHED_NOTE",
    "evaluation_tables",
    "evaluation_text",
    "result_line",
    "results_csv",
]

_SHOWN = (
    ("lv_ef_percent", "LVEF"),
    ("rv_ef_percent", "RVEF"),
    ("infarct_percent", "infarct"),
    ("no_reflow_percent", "no-reflow"),
)
"""Measurements whose error stands in a line of progress."""
_NOT_SCORED = {"missing": "without a mask", "unusable": "unusable", "unlabelled": "without labels to compare with"}
"""Status of a study without a score -> words for it."""

DIFFERENCE_NOTE = (
    "First minus second on the same patients: mean with 95 % bootstrap interval and n; Wilcoxon's signed-rank test,"
    " corrected after Holm over the rows of the table. Errors are absolute."
)
PUBLISHED_NOTE = (
    "Published values are of other test patients, and mostly of other training data: a yardstick, no paired comparison."
)


def evaluation_tables(evaluation: Evaluation) -> str:
    """Return `tables.md` of an evaluation."""
    summary = evaluation.summary
    title = f"# {_title(evaluation)} on {summary.n_patients} patients"
    parts = [title, "For research use only. Means over patients (95 % bootstrap interval; n)."]
    parts += [f"**{sentence(evaluation.warning)}.**"] * bool(evaluation.warning)
    parts.append(_tables(summary))
    parts += [f"Not drawn in the reference, and not scored: {', '.join(_undrawn(summary))}."] * bool(_undrawn(summary))
    parts += _more(evaluation)
    for name, its in evaluation.subgroups.items():
        parts += [f"## {name} ({its.n_patients} patients)", _tables(its)]
    return "\n\n".join(part for part in parts if part) + "\n"


def evaluation_text(evaluation: Evaluation) -> str:
    """Return the summary for a terminal."""
    summary = evaluation.summary
    lines = [f"{_title(evaluation)} on {summary.n_patients} patients, mean (95 % interval over patients)"]
    lines += [f"  {name:<28} {_with_interval(row, 3)}" for name, row in summary.scores.items()]
    for name, agreement in summary.measurements.items():
        lines.append(
            f"  {name:<28} absolute error {_with_interval(agreement.mean_absolute_error, 1)}, "
            f"bias {agreement.bias:+.1f}, limits {limits_text(agreement.limits)}, ICC {number_text(agreement.icc, 3)}"
        )
    for name, of_scans in summary.repeatability.items():
        which = (f"{which} {_with_interval(row, 1)}" for which, row in of_scans.items())
        lines.append(f"  {name:<28} scan-rescan variation, %: {', '.join(which)}")
    if _undrawn(summary):
        lines.append(f"  not drawn, not scored: {', '.join(_undrawn(summary))}")
    if evaluation.warning:
        lines.append(f"  warning: {evaluation.warning}")
    if evaluation.not_scored:
        lines.append(f"  not scored: {_count_not_scored(evaluation)}")
    return "\n".join(lines)


def result_line(result: Result) -> str:
    """Return one study's scores for a line of progress: Dice by structure and errors of EF or lesions, else all."""
    dice = {
        name[5:]: value for name, value in result.scores.items() if name.startswith("dice_") and name != "dice_mean"
    }
    if not dice:
        return f"{result.patient}: " + ", ".join(f"{name} {value:.3f}" for name, value in result.scores.items())
    errors = [f"{title} {_error(result.error(name))}" for name, title in _SHOWN if name in result.measured]
    overlap = ", ".join(f"{name} {value:.3f}" for name, value in dice.items())
    return f"{result.patient}: Dice {overlap}" + (f"; {', '.join(errors)} points" if errors else "")


def results_csv(results: Sequence[Result]) -> str:
    """Return one line for each study: its scores, and measured and reference values."""
    scores = dict.fromkeys(name for result in results for name in result.scores)
    measurements = dict.fromkeys(name for result in results for name in result.reference)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    pairs = [(name, kind) for name in measurements for kind in ("measured", "reference")]
    heads = ("patient", "study", "target", *scores, *(f"{name}_{kind}" for name, kind in pairs))
    writer.writerow(map(csv_cell, heads))
    for result in results:
        values = [f"{result.scores.get(name, math.nan):.4f}" for name in scores]
        writer.writerow(
            [*map(csv_cell, (result.patient, result.study, result.target)), *values]
            + [getattr(result, kind).get(name) for name, kind in pairs]
        )
    return text.getvalue()


def _more(evaluation: Evaluation) -> Iterator[str]:
    against, left, checks = evaluation.against, evaluation.not_scored, evaluation.checks
    if against is not None:
        yield f"## {against.first} against {against.second} ({against.n_patients} patients)"
        yield DIFFERENCE_NOTE
        yield markdown_table(difference_table(against))
    if left:
        studies = "study" if len(left) == 1 else "studies"
        yield f"## Not scored ({len(left)} {studies}; the numbers above are without them)"
        yield markdown_table(not_scored_table(left))
    if evaluation.published:
        yield "## Beside published values"
        yield PUBLISHED_NOTE
        yield markdown_table(published_table(evaluation.published))
    if checks is not None:
        yield f"## Quality flags ({checks.n_failed} failed)"
        found = (
            f"sensitivity {interval_text(checks.sensitivity, 2)}, specificity {interval_text(checks.specificity, 2)}"
        )
        yield f"{checks.rule.capitalize()}. Flags for failures: {found}."
        if checks.flags:
            yield markdown_table(flag_table(checks.flags))


def _tables(summary: Summary) -> str:
    return "\n\n".join(markdown_table(table) for table in summary_tables(summary))


def _with_interval(row: Interval, digits: int) -> str:
    ends = "" if math.isnan(row.low) else f" ({number_text(row.low, digits)} to {number_text(row.high, digits)})"
    return number_text(row.value, digits) + ends


def _count_not_scored(evaluation: Evaluation) -> str:
    status = [row.status for row in evaluation.not_scored]
    counts = ((status.count(name), title) for name, title in _NOT_SCORED.items())
    n = len(status) + evaluation.summary.n_studies
    return f"{len(status)} of {n} studies ({', '.join(f'{count} {title}' for count, title in counts if count)})"


def _error(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:+.1f}"


def _title(evaluation: Evaluation) -> str:
    """Return the model's name with the beginning of its hash; masks of other programs have none."""
    return f"{evaluation.model} ({evaluation.hash[:12]})" if evaluation.hash else evaluation.model


def _undrawn(summary: Summary) -> list[str]:
    """Return the structures of a cine that no scored study has a reference for, of an evaluation of its masks."""
    scored = [label.name for label in CINE_LABELS if f"dice_{label.name}" in summary.scores]
    return [label.name for label in CINE_LABELS if scored and label.name not in scored]
