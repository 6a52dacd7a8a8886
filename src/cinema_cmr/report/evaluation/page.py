"""An evaluation as one HTML file that needs no network: tables, plots, pictures of cases, and what the flags caught."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cinema_cmr.core.vocabulary import LABEL_SCHEMES
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
from cinema_cmr.report.record.study_record import NOTICE

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


def evaluation_page(document: Document, cases: Sequence[CasePicture] = ()) -> str:
    """The page of an evaluation document in plain values (`evaluation.record`, `core.serialise.json_values`)."""
    against, published = document.get("against"), document.get("published")
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
            agreement=_agreement_plots(document),
            boxes=_box_plots(document),
            subgroups={name: summary_tables(summary) for name, summary in document["subgroups"].items()},
            cases=cases,
            legend=OUTLINES[scheme],
            units_per_pixel=UNITS_PER_PIXEL,
            flags=flag_table(document["checks"]["flags"]),
            caught={name: interval_text(document["checks"][name], 2) for name in ("sensitivity", "specificity")},
            confidence=_confidence_plot(document),
            failed=[row for row in document["patients"] if row["failure"]],
            patients=_patient_table(document),
        )
    )


def _headline(document: Document) -> list[tuple[str, str, str]]:
    """Title, value and interval of the numbers that are asked for first."""
    wanted = [("Mean Dice", document["scores"].get("dice_mean"), 3, "")]
    for name, (title, unit) in list(_MEASUREMENTS.items())[:2]:
        row = document["measurements"].get(name)
        wanted.append((f"{title}: absolute error", row and row["mean_absolute_error"], 1, f" {unit}"))
    known = [(title, row, digits, unit) for title, row, digits, unit in wanted if row and row["value"] is not None]
    return [
        (title, f"{row['value']:.{digits}f}{unit}", interval_text(row, digits)) for title, row, digits, unit in known
    ]


def _patients(document: Document) -> list[dict[str, Any]]:
    """Patient -> means of their studies' values, so that one with several studies is one point."""
    found: dict[str, list[Document]] = {}
    for row in document["patients"]:
        found.setdefault(row["patient"], []).append(row)
    return [{"name": name, "rows": rows} for name, rows in found.items()]


def _mean(rows: Sequence[Document], part: str, name: str) -> float:
    known = [value for value in (row[part].get(name) for row in rows) if value is not None]
    return float(np.mean(known)) if known else float("nan")


def _failed(patient: Document) -> bool:
    return any(row["failure"] for row in patient["rows"])


def _agreement_plots(document: Document) -> list[dict[str, str]]:
    plots = []
    for name, (title, unit) in _MEASUREMENTS.items():
        row = document["measurements"].get(name)
        if row is None:
            continue
        pairs = [
            (_mean(p["rows"], "measured", name), _mean(p["rows"], "reference", name), p["name"], _failed(p))
            for p in _patients(document)
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


def _box_plots(document: Document) -> list[dict[str, str]]:
    """Dice by structure, and the mean Dice by each fact that tells patients apart."""
    patients = _patients(document)
    names = [name for name in document["scores"] if name.startswith("dice_") and name != "dice_mean"]
    by_structure = {name[5:]: [_mean(p["rows"], "scores", name) for p in patients] for name in names}
    plots = [{"title": "By structure", "svg": boxes_svg(by_structure, colours=_COLOURS, key="structures")}]
    facts = list(dict.fromkeys(fact for row in document["patients"] for fact in row["facts"]))
    for fact in facts:
        groups: dict[str, list[float]] = {}
        for patient in patients:
            kind = patient["rows"][0]["facts"].get(fact)
            if kind is not None:
                groups.setdefault(kind, []).append(_mean(patient["rows"], "scores", "dice_mean"))
        if len(groups) > 1:
            title = f"Mean of the structures by {fact.replace('_', ' ')}"
            plots.append({"title": title, "svg": boxes_svg(dict(sorted(groups.items())), key=fact)})
    return plots


def _confidence_plot(document: Document) -> str | None:
    rows = [
        row for row in document["patients"] if row["confidence"] is not None and row["scores"]["dice_mean"] is not None
    ]
    if len(rows) < 2:
        return None
    points = Points(
        x=[row["confidence"] for row in rows],
        y=[row["scores"]["dice_mean"] for row in rows],
        names=[row["study"] for row in rows],
        failed=[bool(row["failure"]) for row in rows],
    )
    return points_svg(points, x_title="mean probability inside the outlines", y_title="mean Dice", key="confidence")


def _patient_table(document: Document) -> list[dict[str, Any]]:
    """Every study, worst first: Dice by structure, errors, confidence, flags."""
    rows = sorted(
        document["patients"], key=lambda row: (row["scores"]["dice_mean"] is not None, row["scores"]["dice_mean"])
    )
    shown = [name for name in _MEASUREMENTS if name in document["measurements"]][:2]
    return [{**row, "errors": {_MEASUREMENTS[name][0]: _error(row, name) for name in shown}} for row in rows]


def _error(row: Document, name: str) -> float | None:
    measured, reference = row["measured"].get(name), row["reference"].get(name)
    return None if measured is None or reference is None else measured - reference
