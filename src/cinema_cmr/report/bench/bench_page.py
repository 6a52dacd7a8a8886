"""The benchmark's document as Markdown, CSV and one HTML page: results by group of tasks, published numbers beside."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator

from cinema_cmr.core.safe_text import csv_row
from cinema_cmr.core.serialise import json_values
from cinema_cmr.core.vocabulary import NOTICE
from cinema_cmr.report.bench.bench_results import BenchResults, BenchRow
from cinema_cmr.report.evaluation.tables import PUBLISHED_NOTE
from cinema_cmr.report.markdown import Table, interval_text, markdown_table, p_text, signed_interval_text
from cinema_cmr.report.page import page_environment

__all__ = ["NOTE", "bench_csv", "bench_markdown", "bench_page", "bench_tables"]

NOTE = (
    "Means over held-out patients with 95 % bootstrap interval and n; seeds are averaged patient by patient first."
    " Differences are to the model named, on the same patients; p: Wilcoxon's signed-rank test, corrected after Holm"
    " over the whole table. Every model that was trained for a task had the same data, augmentation and number of"
    " steps; held-out patients chose nothing."
)
_HEADS = [
    "task",
    "data",
    "model",
    "measure",
    "result",
    "difference",
    "p (Holm)",
    "training patients",
    "steps",
    "minutes",
]
_CSV_HEADS = (
    *("task", "dataset", "model", "status", "reason", "measure", "unit", "value", "low", "high", "method", "n"),
    *("n_excluded", "n_seeds", "against", "difference", "difference_low", "difference_high", "p_value", "p_holm"),
    "seconds",
)


def bench_markdown(results: BenchResults) -> str:
    """`bench.md`: a table for each group of tasks, what was left out and why, published numbers."""
    parts = ["# Benchmark", f"{NOTICE} {NOTE}", _settings(results)]
    for title, table in bench_tables(results).items():
        parts += [f"## {title}", markdown_table(table)]
    if results.published:
        parts += ["## Published", PUBLISHED_NOTE, markdown_table(_published(results))]
    return "\n\n".join(part for part in parts if part) + "\n"


def bench_tables(results: BenchResults) -> dict[str, Table]:
    """By title: the results of each group of tasks, further measures, what was not run; none without rows."""
    tables = {group.capitalize(): table for group, table in _groups(results)}
    tables |= {"More measures": _more(results), "Not run": _left_out(results)}
    return {title: table for title, table in tables.items() if table.rows}


def bench_page(results: BenchResults) -> str:
    """The page: the same tables."""
    return (
        page_environment()
        .get_template("bench.html")
        .render(
            notice=NOTICE,
            note=NOTE,
            settings=_settings(results),
            groups=list(_groups(results)),
            more=_more(results),
            left_out=_left_out(results),
            published=_published(results),
            published_note=PUBLISHED_NOTE,
        )
    )


def bench_csv(results: BenchResults) -> str:
    """One line for each measure of each row; a row without result has one line with its reason."""
    text = io.StringIO()
    writer = csv.DictWriter(text, _CSV_HEADS, restval="", lineterminator="\n")
    writer.writeheader()
    for row in results.rows:
        writer.writerows(csv_row(json_values(line)) for line in _csv_rows(row))
    return text.getvalue()


def _csv_rows(row: BenchRow) -> Iterator[dict[str, object]]:
    own = {name: getattr(row, name) for name in ("task", "dataset", "model", "status", "reason")}
    if row.status != "done":
        yield own
        return
    for key, its in row.measures.items():
        line = {**own, "measure": key, "unit": row.measure_titles[key].unit, **vars(its)}
        line |= {"n_seeds": row.n_seeds, "seconds": row.seconds}
        if key == row.shown and row.difference is not None:
            found = row.difference
            line |= {"against": row.against, "difference": found.value}
            line |= {"difference_low": found.low, "difference_high": found.high}
            line |= {"p_value": found.p_value, "p_holm": found.p_holm}
        yield line


def _groups(results: BenchResults) -> Iterator[tuple[str, Table]]:
    done = [row for row in results.rows if row.status == "done"]
    for group in dict.fromkeys(row.group for row in done):
        yield group, Table(_HEADS, [_line(row) for row in done if row.group == group])


def _line(row: BenchRow) -> list[str]:
    measure, its = row.measure_titles[row.shown], row.measures.get(row.shown)
    minutes = "" if math.isnan(row.seconds) else f"{row.seconds / 60:.1f}"
    learned, steps = (" to ".join(map(str, numbers)) for numbers in (row.n_train_patients, row.n_steps))
    of_seeds = f", {row.n_seeds} seeds" if row.n_seeds > 1 else ""
    model = f"{row.model}{of_seeds}" + (f" ({row.reason})" if row.reason else "")
    unmeasured = its.n_excluded if its else 0
    result = interval_text(its, measure.digits) + (f", {unmeasured} not measured" if unmeasured else "")
    difference = _difference(row, measure.digits)
    return [row.title, row.dataset, model, measure.text, result, *difference, learned, steps, minutes]


def _difference(row: BenchRow, digits: int) -> tuple[str, str]:
    if row.difference is None or math.isnan(row.difference.value):
        return "", ""
    return f"{signed_interval_text(row.difference, digits)} to {row.against}", p_text(row.difference.p_holm)


def _more(results: BenchResults) -> Table:
    """Every measure but the one that is shown."""
    rows = []
    for row in results.rows:
        for key, its in row.measures.items():
            measure = row.measure_titles[key]
            if key != row.shown:
                rows.append([row.title, row.dataset, row.model, measure.text, interval_text(its, measure.digits)])
    return Table(["task", "data", "model", "measure", "result"], rows)


def _left_out(results: BenchResults) -> Table:
    rows = [
        [row.title, row.dataset or "-", row.model or "all", row.status, row.reason]
        for row in results.rows
        if row.status != "done"
    ]
    return Table(["task", "data", "model", "what", "why"], rows)


def _published(results: BenchResults) -> Table:
    names = ("what", "text", "model", "patients", "source")
    rows = [[getattr(number, name) for name in names] for number in results.published]
    return Table(["what", "published", "by", "on", "source"], rows)


def _settings(results: BenchResults) -> str:
    return " ".join(results.settings)
