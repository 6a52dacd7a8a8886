"""The data-efficiency curve as Markdown, CSV, a figure and one HTML page."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from cinema_cmr.core.vocabulary import NOTICE
from cinema_cmr.report.axes import FONT_POINTS, INK, plain_axes, svg_of
from cinema_cmr.report.markdown import Table, interval_text, markdown_table, p_text, signed_interval_text
from cinema_cmr.report.page import page_environment

__all__ = ["NOTE", "curve_svg", "standalone_svg", "sweep_csv", "sweep_markdown", "sweep_page", "sweep_tables"]

Document = Mapping[str, Any]

NOTE = (
    "Each point: mean over held-out patients with its 95 % bootstrap interval; seeds, each with its own draw of"
    " patients, are averaged patient by patient first. Shares of one seed are nested, drawn from the groups in turn."
    " Differences are on the same held-out patients; p: Wilcoxon's signed-rank test, corrected after Holm over the"
    " table. All runs had as many steps, so that few patients are seen more often."
)
"""How a curve was made, for whoever reads it."""
_COLOURS = ("var(--accent)", "var(--warning)", "var(--error)", "var(--info)", "var(--ink-soft)")
_LIGHT = {
    "--accent": "#0a6a8a",
    "--warning": "#9a5b00",
    "--error": "#b42318",
    "--info": "#2f5f8f",
    "--ink-soft": "#53626e",
    "--line": "#dfe5e9",
}
"""The page's own colours by day, for the figure that stands alone."""
_MARKS = ("o", "s", "^", "D", "v")
_ASIDE = 0.012
"""Of the axis's logarithm, by which models at one share are set apart."""


def curve_svg(document: Document) -> str:
    """The measure against the number of patients (logarithmic), a line a model, intervals as bars."""
    figure, axes = plain_axes(size=(7.2, 4.0), margins=(0.11, 0.15, 0.98, 0.86))
    axes.set_xscale("log")
    for place, model in enumerate(document["models"]):
        its = [p for p in document["points"] if p["model"] == model and p["shown"] and p["shown"]["value"] is not None]
        x = [p["n_patients"] * 10 ** (_ASIDE * (place - (len(document["models"]) - 1) / 2)) for p in its]
        y = np.array([p["shown"]["value"] for p in its])
        ends = np.array([[p["shown"][end] if p["shown"][end] is not None else np.nan for p in its] for end in _ENDS])
        reach = np.abs(ends - y) if its else None
        axes.errorbar(
            x, y, yerr=reach, color=_stand_in(place), marker=_MARKS[place % 5], markersize=5, capsize=3, label=model
        )
    counts = sorted({p["n_patients"] for p in document["points"]})
    axes.set_xticks(counts, labels=[str(n) for n in counts])
    axes.minorticks_off()
    axes.set_xlabel("patients to learn from")
    axes.set_ylabel(_measure(document), color=INK, fontsize=FONT_POINTS)
    if counts:
        axes.set_xlim(min(counts) * 0.8, max(counts) * 1.25)
        legend = axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=5, frameon=False, fontsize=FONT_POINTS)
        for text in legend.get_texts():
            text.set_color(INK)
    svg = svg_of(figure, "sweep")
    for place in range(len(document["models"])):
        svg = svg.replace(_stand_in(place), _COLOURS[place % 5])
    return svg


def standalone_svg(svg: str) -> str:
    """A figure of the page as a file of its own: with its namespaces, its colours and a white ground."""
    for name, colour in _LIGHT.items():
        svg = svg.replace(f"var({name})", colour)
    head, rest = svg.split(">", 1)
    names = ' xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" font-family="sans-serif"'
    return f'{head}{names}><rect width="100%" height="100%" fill="#fff"/>{rest}\n'


def sweep_markdown(document: Document) -> str:
    """`sweep.md`: the curve's points, the differences, and what failed."""
    parts = [f"# {document['title']}: data efficiency", f"{NOTICE} {NOTE}", " ".join(document.get("settings", ()))]
    parts += ["![curve](curve.svg)"]
    for title, table in sweep_tables(document).items():
        parts += [f"## {title}", markdown_table(table)]
    return "\n\n".join(part for part in parts if part) + "\n"


def sweep_page(document: Document) -> str:
    """The page: the figure and the same tables."""
    return (
        page_environment()
        .get_template("sweep.html")
        .render(
            notice=NOTICE,
            note=NOTE,
            title=document["title"],
            settings=" ".join(document.get("settings", ())),
            measure=_measure(document),
            curve=curve_svg(document),
            tables=sweep_tables(document),
        )
    )


def sweep_csv(document: Document) -> str:
    """One line for each share, model and measure."""
    heads = ["share", "n_patients", "model", "measure", "value", "low", "high", "method", "n", "n_excluded", "n_seeds"]
    text = io.StringIO()
    writer = csv.DictWriter(text, heads, lineterminator="\n")
    writer.writeheader()
    for point in document["points"]:
        own = {name: point[name] for name in ("share", "n_patients", "model", "n_seeds")}
        writer.writerows({**own, "measure": key, **its} for key, its in point["measures"].items())
    return text.getvalue()


_ENDS = ("low", "high")


def sweep_tables(document: Document) -> dict[str, Table]:
    """By title, those that have rows: the points, the differences, the other measures, the runs that failed."""
    made = {
        "Results": _points(document),
        "Differences": _differences(document),
        "Further measures": _further(document),
        "Failed": _failed(document),
    }
    return {title: table for title, table in made.items() if table.rows}


def _points(document: Document) -> Table:
    """A row a share, a column a model."""
    models: Sequence[str] = document["models"]
    digits = document["measure"]["digits"]
    rows = []
    for share, n, its in _shares(document):
        shown = [interval_text(its[model]["shown"], digits) if model in its else "-" for model in models]
        rows.append([f"{share:g} %", str(n), *shown])
    return Table(["share", "patients", *(f"{model}: {_measure(document)}" for model in models)], rows)


def _further(document: Document) -> Table:
    """A row a measure and share, a column a model; of measures that at least one model has."""
    models: Sequence[str] = document["models"]
    rows = []
    for key, measure in document.get("further", {}).items():
        for _, n, its in _shares(document):
            found = [its[model]["measures"].get(key) if model in its else None for model in models]
            if any(found):
                texts = [interval_text(one, measure["digits"]) if one else "-" for one in found]
                rows.append([_title(measure), str(n), *texts])
    return Table(["measure", "patients", *models], rows)


def _shares(document: Document) -> Iterator[tuple[float, int, dict[str, Any]]]:
    """Each share with its number of patients and, by model, its points."""
    for share in dict.fromkeys(point["share"] for point in document["points"]):
        its = {point["model"]: point for point in document["points"] if point["share"] == share}
        yield share, next(iter(its.values()))["n_patients"], its


def _differences(document: Document) -> Table:
    digits = document["measure"]["digits"]
    rows = []
    for row in document["differences"]:
        what = f"{row['model']} minus {row['against']}"
        found = signed_interval_text(row, digits)
        rows.append([f"{row['share']:g} %", what, found, str(row["n"]), p_text(row["p_holm"])])
    return Table(["share", "what", "difference", "n", "p (Holm)"], rows)


def _failed(document: Document) -> Table:
    rows = [[f"{row['share']:g} %", row["model"], row["reason"]] for row in document["failed"]]
    return Table(["share", "model", "why"], rows)


def _measure(document: Document) -> str:
    return _title(document["measure"])


def _title(measure: Mapping[str, Any]) -> str:
    return f"{measure['title']}, {measure['unit']}" if measure["unit"] else str(measure["title"])


def _stand_in(place: int) -> str:
    return f"#0b0d{place:02x}"
