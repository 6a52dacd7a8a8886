"""The data-efficiency curve as Markdown, CSV, a figure and one HTML page."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

import numpy as np

from cinema_cmr.core.safe_text import csv_row
from cinema_cmr.core.serialise import json_values
from cinema_cmr.core.vocabulary import NOTICE
from cinema_cmr.report.axes import FONT_POINTS, INK, plain_axes, svg_of
from cinema_cmr.report.bench.bench_results import SweepPoint, SweepResults
from cinema_cmr.report.markdown import Table, interval_text, markdown_table, p_text, signed_interval_text
from cinema_cmr.report.page import page_environment

__all__ = ["NOTE", "curve_svg", "standalone_svg", "sweep_csv", "sweep_markdown", "sweep_page", "sweep_tables"]

NOTE = (
    "Each point: mean over held-out patients with its 95 % bootstrap interval; seeds, each with its own draw of"
    " patients, are averaged patient by patient first. Shares of one seed are nested, drawn round-robin over the"
    " groups. Differences are on the same held-out patients; p: Wilcoxon's signed-rank test, corrected after Holm over"
    " the table. All runs had as many steps, so that few patients are seen more often."
)
"""Method, printed below the curve."""
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


def curve_svg(results: SweepResults) -> str:
    """The measure against the number of patients (logarithmic), a line a model, intervals as bars."""
    figure, axes = plain_axes(size=(7.2, 4.0), margins=(0.11, 0.15, 0.98, 0.86))
    axes.set_xscale("log")
    for place, model in enumerate(results.models):
        its = [(point.n_patients, point.shown) for point in results.points if point.model == model]
        known = [(n, shown) for n, shown in its if shown is not None and np.isfinite(shown.value)]
        x = [n * 10 ** (_ASIDE * (place - (len(results.models) - 1) / 2)) for n, _ in known]
        y = np.array([shown.value for _, shown in known])
        ends = np.array([[shown.low for _, shown in known], [shown.high for _, shown in known]])
        axes.errorbar(
            x,
            y,
            yerr=np.abs(ends - y) if known else None,
            color=_stand_in(place),
            marker=_MARKS[place % 5],
            markersize=5,
            capsize=3,
            label=model,
        )
    counts = sorted({point.n_patients for point in results.points})
    axes.set_xticks(counts, labels=[str(n) for n in counts])
    axes.minorticks_off()
    axes.set_xlabel("patients to learn from")
    axes.set_ylabel(results.measure.text, color=INK, fontsize=FONT_POINTS)
    if counts:
        axes.set_xlim(min(counts) * 0.8, max(counts) * 1.25)
        legend = axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=5, frameon=False, fontsize=FONT_POINTS)
        for text in legend.get_texts():
            text.set_color(INK)
    svg = svg_of(figure, "sweep")
    for place in range(len(results.models)):
        svg = svg.replace(_stand_in(place), _COLOURS[place % 5])
    return svg


def standalone_svg(svg: str) -> str:
    """A figure of the page as a file of its own: with its namespaces, its colours and a white ground."""
    for name, colour in _LIGHT.items():
        svg = svg.replace(f"var({name})", colour)
    head, rest = svg.split(">", 1)
    names = ' xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" font-family="sans-serif"'
    return f'{head}{names}><rect width="100%" height="100%" fill="#fff"/>{rest}\n'


def sweep_markdown(results: SweepResults) -> str:
    """`sweep.md`: the curve's points, the differences, and what failed."""
    parts = [f"# {results.title}: data efficiency", f"{NOTICE} {NOTE}", " ".join(results.settings)]
    parts += ["![curve](curve.svg)"]
    for title, table in sweep_tables(results).items():
        parts += [f"## {title}", markdown_table(table)]
    return "\n\n".join(part for part in parts if part) + "\n"


def sweep_page(results: SweepResults) -> str:
    """The page: the figure and the same tables."""
    return (
        page_environment()
        .get_template("sweep.html")
        .render(
            notice=NOTICE,
            note=NOTE,
            title=results.title,
            settings=" ".join(results.settings),
            measure=results.measure.text,
            curve=curve_svg(results),
            tables=sweep_tables(results),
        )
    )


def sweep_csv(results: SweepResults) -> str:
    """One line for each share, model and measure."""
    heads = ["share", "n_patients", "model", "measure", "value", "low", "high", "method", "n", "n_excluded", "n_seeds"]
    text = io.StringIO()
    writer = csv.DictWriter(text, heads, lineterminator="\n")
    writer.writeheader()
    for point in results.points:
        own = {name: getattr(point, name) for name in ("share", "n_patients", "model", "n_seeds")}
        writer.writerows(csv_row({**own, "measure": key, **json_values(its)}) for key, its in point.measures.items())
    return text.getvalue()


def sweep_tables(results: SweepResults) -> dict[str, Table]:
    """By title, those that have rows: the points, the differences, the other measures, the runs that failed."""
    made = {
        "Results": _points(results),
        "Differences": _differences(results),
        "Further measures": _further(results),
        "Failed": _failed(results),
    }
    return {title: table for title, table in made.items() if table.rows}


def _points(results: SweepResults) -> Table:
    """A row a share, a column a model."""
    digits = results.measure.digits
    rows = []
    for share, n, its in _shares(results):
        shown = [interval_text(its[model].shown, digits) if model in its else "-" for model in results.models]
        rows.append([f"{share:g} %", str(n), *shown])
    return Table(["share", "patients", *(f"{model}: {results.measure.text}" for model in results.models)], rows)


def _further(results: SweepResults) -> Table:
    """A row a measure and share, a column a model; of measures that at least one model has."""
    rows = []
    for key, measure in results.further.items():
        for _, n, its in _shares(results):
            found = [its[model].measures.get(key) if model in its else None for model in results.models]
            if any(found):
                rows.append([measure.text, str(n), *(interval_text(one, measure.digits) for one in found)])
    return Table(["measure", "patients", *results.models], rows)


def _shares(results: SweepResults) -> Iterator[tuple[float, int, dict[str, SweepPoint]]]:
    """Each share with its number of patients and, by model, its points."""
    for share in dict.fromkeys(point.share for point in results.points):
        its = {point.model: point for point in results.points if point.share == share}
        yield share, next(iter(its.values())).n_patients, its


def _differences(results: SweepResults) -> Table:
    rows = []
    for row in results.differences:
        what = f"{row.model} minus {row.against}"
        found = signed_interval_text(row, results.measure.digits)
        rows.append([f"{row.share:g} %", what, found, str(row.n), p_text(row.p_holm)])
    return Table(["share", "what", "difference", "n", "p (Holm)"], rows)


def _failed(results: SweepResults) -> Table:
    return Table(["share", "model", "why"], [[f"{row.share:g} %", row.model, row.reason] for row in results.failed])


def _stand_in(place: int) -> str:
    return f"#0b0d{place:02x}"
