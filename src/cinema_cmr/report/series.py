"""Many runs side by side: tables in Markdown, a curve over the number of patients, one page without a network."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cinema_cmr.report.axes import ACCENT, BAD, FONT_POINTS, INK, plain_axes, svg_of
from cinema_cmr.report.build import NOTICE
from cinema_cmr.report.markdown import Table, interval_text, markdown_table, number_text
from cinema_cmr.report.page import page_environment

__all__ = [
    "bench_csv",
    "bench_markdown",
    "bench_page",
    "curve_svg",
    "gain_table",
    "sweep_markdown",
    "sweep_page",
    "sweep_table",
]

Document = Mapping[str, Any]
Metrics = Mapping[str, Mapping[str, Any]]
"""Metric -> title, unit, digits, larger_is_better, in plain values."""

_SHADES = (ACCENT, "#8a8f98", BAD, "#7a5195")
GAIN_NOTE = (
    "Differences are paired by patient, each the mean over the seeds: this start minus scratch, with the 95 % BCa"
    " interval and Wilcoxon's signed-rank test, not corrected for how many are looked at."
)


def sweep_table(document: Document, metrics: Metrics) -> Table:
    """A row for each number of patients and start: means over patients with intervals."""
    names = document["metrics"]
    rows = [
        [
            str(row["n_patients"]),
            row["start"],
            str(row["n_seeds"]),
            *(interval_text(row["metrics"][name], metrics[name]["digits"]) for name in names),
        ]
        for row in document["rows"]
    ]
    return Table(["patients", "start", "seeds", *(_title(metrics[name]) for name in names)], rows)


def gain_table(document: Document, metrics: Metrics) -> Table:
    """What a start adds to scratch, for each number of patients."""
    names = document["metrics"]
    rows = [
        [str(row["n_patients"]), row["start"], *(_gain(row["metrics"][name], metrics[name]) for name in names)]
        for row in document["gains"]
    ]
    return Table(["patients", "start", *(_title(metrics[name]) for name in names)], rows)


def sweep_markdown(document: Document, metrics: Metrics) -> str:
    """The tables of a sweep."""
    lines = [
        f"# {document['title']}",
        "",
        NOTICE,
        "",
        document["about"],
        "",
        markdown_table(sweep_table(document, metrics)),
    ]
    if document["gains"]:
        lines += ["", "## Gained over scratch", "", GAIN_NOTE, "", markdown_table(gain_table(document, metrics))]
    return "\n".join(lines) + "\n"


def sweep_page(document: Document, metrics: Metrics) -> str:
    """The page of a sweep: a curve for each metric, and the tables."""
    plots = [
        {"title": _title(metrics[name]), "svg": curve_svg(document, name, metrics[name])}
        for name in document["metrics"]
        if len({row["n_patients"] for row in document["rows"]}) > 1
    ]
    tables = [("All runs", "", sweep_table(document, metrics))]
    if document["gains"]:
        tables.append(("Gained over scratch", GAIN_NOTE, gain_table(document, metrics)))
    return _page(document["title"], document["about"], plots, tables)


def bench_markdown(document: Document, metrics: Metrics) -> str:
    """A section for each task of a benchmark; tasks that were not run are named with the reason."""
    lines = [f"# {document['title']}", "", NOTICE, "", document["about"]]
    for task in document["tasks"]:
        lines += ["", f"## {task['title']}, {task['data']}", ""]
        lines += [markdown_table(_task_table(task, metrics))] if task["rows"] else [f"Not run: {task['reason']}"]
        if task.get("published"):
            lines += ["", "Published: " + "; ".join(task["published"])]
    return "\n".join(lines) + "\n"


def bench_csv(document: Document) -> str:
    """A line for each data set, task, model and metric; models without an answer have one line with the reason."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["data", "task", "model", "metric", "value", "low", "high", "n", "reason"])
    for task in document["tasks"]:
        if not task["rows"]:
            writer.writerow([task["data"], task["name"], "", "", "", "", "", "", task["reason"]])
        for row in task["rows"]:
            first = [task["data"], task["name"], row["model"]]
            for name, its in row["metrics"].items():
                writer.writerow([*first, name, its["value"], its["low"], its["high"], its["n"], ""])
            if not row["metrics"]:
                writer.writerow([*first, "", "", "", "", "", row["reason"]])
    return text.getvalue()


def bench_page(document: Document, metrics: Metrics) -> str:
    """The page of a benchmark."""
    tables = []
    for task in document["tasks"]:
        note = f"Not run: {task['reason']}" if not task["rows"] else ""
        published = "Published: " + "; ".join(task["published"]) if task.get("published") else ""
        lead = " ".join(filter(None, (note, published)))
        tables.append((f"{task['title']}, {task['data']}", lead, _task_table(task, metrics) if task["rows"] else None))
    return _page(document["title"], document["about"], [], tables)


def _task_table(task: Document, metrics: Metrics) -> Table:
    names = [name for name in metrics if any(name in row["metrics"] for row in task["rows"])]
    rows = []
    for row in task["rows"]:
        known = row["metrics"]
        cells = [interval_text(known.get(name), metrics[name]["digits"]) for name in names]
        rows.append([row["model"], *cells, row.get("reason") or f"{row['seconds']:.0f} s"])
    return Table(["model", *(_title(metrics[name]) for name in names), "time, or why not"], rows)


def curve_svg(document: Document, name: str, metric: Mapping[str, Any]) -> str:
    """A metric over the number of patients, a line a start, bars for the intervals."""
    figure, axes = plain_axes(size=(4.8, 3.1), margins=(0.14, 0.17, 0.8, 0.95))
    starts = list(dict.fromkeys(row["start"] for row in document["rows"]))
    numbers = sorted({row["n_patients"] for row in document["rows"]})
    for place, start in enumerate(starts):
        its = [row for row in document["rows"] if row["start"] == start and row["metrics"][name]["value"] is not None]
        if not its:
            continue
        x = np.array([row["n_patients"] for row in its]) * (1 + 0.02 * place)
        values = np.array([_ends(row["metrics"][name]) for row in its])
        spread = np.abs(values[:, 1:] - values[:, :1]).T
        colour = _SHADES[place % len(_SHADES)]
        axes.errorbar(x, values[:, 0], yerr=spread, color=colour, marker="o", markersize=4, linewidth=1.6, capsize=2)
        axes.annotate(
            start,
            (x[-1], values[-1, 0]),
            (6, 0),
            textcoords="offset points",
            va="center",
            color=colour,
            fontsize=FONT_POINTS - 1,
        )
    axes.set_xscale("log")
    axes.set_xticks(numbers, labels=[str(n) for n in numbers])
    axes.minorticks_off()
    axes.set_xlabel("patients to learn from")
    axes.set_ylabel(_title(metric), color=INK, fontsize=FONT_POINTS)
    return svg_of(figure, name)


def _ends(row: Mapping[str, Any]) -> tuple[float, float, float]:
    value = row["value"]
    low, high = (value if row[end] is None else row[end] for end in ("low", "high"))
    return value, low, high


def _title(metric: Mapping[str, Any]) -> str:
    return f"{metric['title']}, {metric['unit']}" if metric["unit"] else str(metric["title"])


def _gain(row: Mapping[str, Any], metric: Mapping[str, Any]) -> str:
    if row["value"] is None:
        return "-"
    digits = metric["digits"]
    ends = " to ".join("-" if row[end] is None else f"{row[end]:+.{digits}f}" for end in ("low", "high"))
    return f"{row['value']:+.{digits}f} ({ends}), p {number_text(row['p_value'], 3)}"


def _page(title: str, about: str, plots: Sequence[Mapping[str, str]], tables: Sequence[Any]) -> str:
    template = page_environment().get_template("series.html")
    return template.render(notice=NOTICE, title=title, about=about, plots=plots, tables=tables)
