"""The benchmark's document as Markdown, CSV and one HTML page: results by group of tasks, published numbers beside."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from typing import Any

from cinema_cmr.core.vocabulary import NOTICE
from cinema_cmr.report.evaluation.tables import PUBLISHED_NOTE
from cinema_cmr.report.markdown import Table, interval_text, markdown_table, p_text, signed_interval_text
from cinema_cmr.report.page import page_environment

__all__ = ["NOTE", "bench_csv", "bench_markdown", "bench_page", "bench_tables"]

Document = Mapping[str, Any]
Row = Mapping[str, Any]

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


def bench_markdown(document: Document) -> str:
    """`bench.md`: a table for each group of tasks, what was left out and why, published numbers."""
    parts = ["# Benchmark", f"{NOTICE} {NOTE}", _settings(document)]
    for title, table in bench_tables(document).items():
        parts += [f"## {title}", markdown_table(table)]
    if document["published"]:
        parts += ["## Published", PUBLISHED_NOTE, markdown_table(_published(document))]
    return "\n\n".join(part for part in parts if part) + "\n"


def bench_tables(document: Document) -> dict[str, Table]:
    """By title: the results of each group of tasks, further measures, what was not run; none without rows."""
    tables = {group.capitalize(): table for group, table in _groups(document)}
    tables |= {"More measures": _more(document), "Not run": _left_out(document)}
    return {title: table for title, table in tables.items() if table.rows}


def bench_page(document: Document) -> str:
    """The page: the same tables."""
    return (
        page_environment()
        .get_template("bench.html")
        .render(
            notice=NOTICE,
            note=NOTE,
            settings=_settings(document),
            groups=list(_groups(document)),
            more=_more(document),
            left_out=_left_out(document),
            published=_published(document),
            published_note=PUBLISHED_NOTE,
        )
    )


def bench_csv(document: Document) -> str:
    """One line for each measure of each row; a row without result has one line with its reason."""
    text = io.StringIO()
    writer = csv.DictWriter(text, _CSV_HEADS, restval="", lineterminator="\n")
    writer.writeheader()
    for row in document["rows"]:
        writer.writerows(_csv_rows(row))
    return text.getvalue()


def _csv_rows(row: Row) -> Iterator[dict[str, Any]]:
    own = {name: row[name] for name in ("task", "dataset", "model", "status", "reason")}
    if row["status"] != "done":
        yield own
        return
    for key, its in row["measures"].items():
        line = {**own, "measure": key, "unit": row["measure_titles"][key]["unit"], **its}
        line |= {"n_seeds": row["n_seeds"], "seconds": row["seconds"]}
        if key == row["shown"] and row.get("difference"):
            d = row["difference"]
            line |= {"against": row["against"], "difference": d["value"]}
            line |= {"difference_low": d["low"], "difference_high": d["high"]}
            line |= {"p_value": d["p_value"], "p_holm": d["p_holm"]}
        yield line


def _groups(document: Document) -> Iterator[tuple[str, Table]]:
    done = [row for row in document["rows"] if row["status"] == "done"]
    for group in dict.fromkeys(row["group"] for row in done):
        yield group, Table(_HEADS, [_line(row) for row in done if row["group"] == group])


def _line(row: Row) -> list[str]:
    title, digits = _measure(row, row["shown"])
    its = row["measures"].get(row["shown"])
    minutes = "" if row["seconds"] is None else f"{row['seconds'] / 60:.1f}"
    learned, steps = (" to ".join(str(n) for n in row[name]) for name in ("n_train_patients", "n_steps"))
    of_seeds = f", {row['n_seeds']} seeds" if row["n_seeds"] > 1 else ""
    model = f"{row['model']}{of_seeds}" + (f" ({row['reason']})" if row["reason"] else "")
    unmeasured = its["n_excluded"] if its else 0
    result = interval_text(its, digits) + (f", {unmeasured} not measured" if unmeasured else "")
    return [row["title"], row["dataset"], model, title, result, *_difference(row, digits), learned, steps, minutes]


def _difference(row: Row, digits: int) -> tuple[str, str]:
    difference = row.get("difference")
    if not difference or difference["value"] is None:
        return "", ""
    return f"{signed_interval_text(difference, digits)} to {row['against']}", p_text(difference["p_holm"])


def _more(document: Document) -> Table:
    """Every measure but the one that is shown."""
    rows = []
    for row in document["rows"]:
        for key, its in row.get("measures", {}).items():
            title, digits = _measure(row, key)
            if key != row["shown"]:
                rows.append([row["title"], row["dataset"], row["model"], title, interval_text(its, digits)])
    return Table(["task", "data", "model", "measure", "result"], rows)


def _left_out(document: Document) -> Table:
    rows = [
        [row["title"], row["dataset"] or "-", row["model"] or "all", row["status"], row["reason"]]
        for row in document["rows"]
        if row["status"] != "done"
    ]
    return Table(["task", "data", "model", "what", "why"], rows)


def _published(document: Document) -> Table:
    names = ("what", "text", "model", "patients", "source")
    return Table(["what", "published", "by", "on", "source"], [[r[n] for n in names] for r in document["published"]])


def _measure(row: Row, key: str) -> tuple[str, int]:
    its = row["measure_titles"][key]
    return f"{its['title']}, {its['unit']}" if its["unit"] else its["title"], its["digits"]


def _settings(document: Document) -> str:
    return " ".join(document.get("settings", ()))
