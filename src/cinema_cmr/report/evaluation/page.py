"""An evaluation as one HTML file that needs no network: tables, plots, pictures of cases, and what the flags caught."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from cinema_cmr.core.vocabulary import LABEL_SCHEMES, NOTICE
from cinema_cmr.report.evaluation.pictures import CasePicture
from cinema_cmr.report.evaluation.plots import Points, agreement_svg, boxes_svg, points_svg
from cinema_cmr.report.evaluation.rows import (
    difference_table,
    flag_table,
    not_scored_table,
    published_table,
    summary_tables,
)
from cinema_cmr.report.evaluation.tables import DIFFERENCE_NOTE, PUBLISHED_NOTE
from cinema_cmr.report.frames import UNITS_PER_PIXEL
from cinema_cmr.report.markdown import interval_text
from cinema_cmr.report.page import OUTLINES, page_environment
from cinema_cmr.score.statistics import finite_mean
from cinema_cmr.tasks.result import Result, by_patient, patient_values

__all__ = ["evaluation_page"]

Document = Mapping[str, Any]

_MEASUREMENTS = {
    "lv_ef_percent": ("LV ejection fraction", "points"),
    "rv_ef_percent": ("RV ejection fraction", "points"),
    "lv_edv_ml": ("LV end-diastolic volume", "ml"),
    "lv_esv_ml": ("LV end-systolic volume", "ml"),
    "lv_mass_g": ("LV mass", "g"),
    "rv_edv_ml": ("RV end-diastolic volume", "ml"),
    "rv_esv_ml": ("RV end-systolic volume", "ml"),
    "infarct_percent": ("Infarct, share of the myocardium", "points"),
    "no_reflow_percent": ("No-reflow, share of the myocardium", "points"),
}
"""Title and unit of a difference, in the order of the plots."""
_COLOURS = {label.name: f"var(--{label.name})" for label in LABEL_SCHEMES["cine"]}


def evaluation_page(document: Document, results: Sequence[Result], cases: Sequence[CasePicture] = ()) -> str:
    """Return the page of an evaluation: `Evaluation.to_dict()` with `against` and `published`, and its results."""
    against, published, checks = document.get("against"), document.get("published"), document["checks"]
    scheme = "scar" if "dice_infarct" in document["scores"] else "cine"
    return (
        page_environment()
        .get_template("evaluation.html")
        .render(
            notice=NOTICE,
            document=document,
            headline=_headline(document),
            tables=summary_tables(document),
            against=difference_table(against) if against else None,
            published=published_table(published) if published else None,
            left=not_scored_table(document.get("not_scored", ())),
            notes={"against": DIFFERENCE_NOTE, "published": PUBLISHED_NOTE},
            agreement=_agreement_plots(document, results),
            boxes=_box_plots(document, results),
            subgroups={name: summary_tables(summary) for name, summary in document["subgroups"].items()},
            cases=cases,
            legend=OUTLINES[scheme],
            units_per_pixel=UNITS_PER_PIXEL,
            flags=flag_table(checks["flags"] if checks else ()),
            caught={name: interval_text(checks[name], 2) for name in ("sensitivity", "specificity")} if checks else {},
            confidence=_confidence_plot(results),
            failed=[row for row in document["patients"] if row["failure"]],
            patients=_patient_table(document),
            shown=_shown_scores(document),
        )
    )


def _headline(document: Document) -> list[tuple[str, str, str]]:
    """Title, value and interval of the numbers that are asked for first."""
    wanted = [("Mean Dice", document["scores"].get("dice_mean"), 3, "")]
    for name, (title, unit) in list(_MEASUREMENTS.items())[:2]:
        row = document["measurements"].get(name)
        wanted.append((f"{title}: absolute error", row and row["mean_absolute_error"], 1, f" {unit}"))
    if not document["checks"]:
        wanted = [(name.replace("_", " "), row, 3, "") for name, row in list(document["scores"].items())[:3]]
    known = [(title, row, digits, unit) for title, row, digits, unit in wanted if row and row["value"] is not None]
    return [
        (title, f"{row['value']:.{digits}f}{unit}", interval_text(row, digits)) for title, row, digits, unit in known
    ]


def _mean(results: Sequence[Result], values: Callable[[Result], Mapping[str, float | None]], name: str) -> float:
    known = [value for result in results if (value := values(result).get(name)) is not None]
    return finite_mean(known)


def _failed(results: Sequence[Result]) -> bool:
    return any(result.failure for result in results)


def _agreement_plots(document: Document, results: Sequence[Result]) -> list[dict[str, str]]:
    plots = []
    measurements = document["measurements"]
    for name in sorted(measurements, key=lambda name: list(_MEASUREMENTS).index(name) if name in _MEASUREMENTS else 99):
        row = measurements[name]
        title, unit = _MEASUREMENTS.get(name, (name.replace("_", " "), ""))
        pairs = [
            (_mean(its, lambda r: r.measured, name), _mean(its, lambda r: r.reference, name), patient, _failed(its))
            for patient, its in by_patient(results).items()
        ]
        known = [pair for pair in pairs if np.isfinite(pair[0] - pair[1])]
        points = Points(
            x=[(a + b) / 2 for a, b, _, _ in known],
            y=[a - b for a, b, _, _ in known],
            names=[pair[2] for pair in known],
            failed=[pair[3] for pair in known],
        )
        limits = (row["limits"][0], row["limits"][1])
        svg = agreement_svg(points, bias=row["bias"], limits=limits, unit=unit, key=name)
        plots.append({"title": f"{title} (n {len(known)})", "svg": svg})
    return plots


def _box_plots(document: Document, results: Sequence[Result]) -> list[dict[str, str]]:
    """Dice by structure, and the mean Dice by each fact that defines subgroups; none without masks."""
    names = [name for name in document["scores"] if name.startswith("dice_") and name != "dice_mean"]
    if not names:
        return []
    by_structure = {name[5:]: list(patient_values(results, name).values()) for name in names}
    plots = [{"title": "By structure", "svg": boxes_svg(by_structure, colours=_COLOURS, key="structures")}]
    means = patient_values(results, "dice_mean")
    facts = {row["patient"]: row["facts"] for row in document["patients"]}
    for fact in dict.fromkeys(fact for its in facts.values() for fact in its):
        groups: dict[str, list[float]] = {}
        for patient, value in means.items():
            if fact in facts[patient]:
                groups.setdefault(facts[patient][fact], []).append(value)
        if len(groups) > 1:
            title = f"Mean of the structures by {fact.replace('_', ' ')}"
            plots.append({"title": title, "svg": boxes_svg(dict(sorted(groups.items())), key=fact)})
    return plots


def _confidence_plot(results: Sequence[Result]) -> str | None:
    rows = [result for result in results if np.isfinite(result.confidence + result.value("dice_mean"))]
    if len(rows) < 2:
        return None
    points = Points(
        x=[row.confidence for row in rows],
        y=[row.scores["dice_mean"] for row in rows],
        names=[row.study for row in rows],
        failed=[bool(row.failure) for row in rows],
    )
    return points_svg(points, x_title="mean probability inside the outlines", y_title="mean Dice", key="confidence")


def _shown_scores(document: Document) -> dict[str, str]:
    """Scores in the table of patients -> column title: Dice by structure, else all but those of single frames."""
    dice = {name: name[5:] for name in document["scores"] if name.startswith("dice_")}
    names = dict.fromkeys(name for row in document["patients"] for name in row["scores"])
    return dice or {name: name.replace("_", " ") for name in names}


def _patient_table(document: Document) -> list[dict[str, Any]]:
    """Every study, worst first: Dice by structure, errors, confidence, flags."""
    rows = sorted(document["patients"], key=_dice_of_row)
    shown = [name for name in _MEASUREMENTS if name in document["measurements"]][:2]
    return [{**row, "errors": {_MEASUREMENTS[name][0]: _error(row, name) for name in shown}} for row in rows]


def _dice_of_row(row: Document) -> tuple[bool, float]:
    dice = row["scores"].get("dice_mean")
    return dice is not None, dice or 0.0


def _error(row: Document, name: str) -> float | None:
    measured, reference = row["measured"].get(name), row["reference"].get(name)
    return None if measured is None or reference is None else measured - reference
