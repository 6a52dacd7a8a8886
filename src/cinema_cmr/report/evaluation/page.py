"""An evaluation as one HTML file that needs no network: tables, plots, pictures of cases, and what the flags caught."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from cinema_cmr.core.vocabulary import LABEL_SCHEMES, NOTICE
from cinema_cmr.evaluation.record import Evaluation, subgroup_facts
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
from cinema_cmr.report.markdown import interval_text, number_text
from cinema_cmr.report.page import OUTLINES, page_environment
from cinema_cmr.score.statistics import finite_mean
from cinema_cmr.tasks.result import Result, by_patient, patient_values

__all__ = ["evaluation_page"]

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
_COLOURS = {label.name: f"var(--{label.name})" for label in LABEL_SCHEMES["chambers"]}


def evaluation_page(evaluation: Evaluation, cases: Sequence[CasePicture] = ()) -> str:
    """Return the page of an evaluation, with the pictures of some cases."""
    summary, checks, against = evaluation.summary, evaluation.checks, evaluation.against
    scheme = "scar" if "dice_infarct" in summary.scores else "cine"
    return (
        page_environment()
        .get_template("evaluation.html")
        .render(
            notice=NOTICE,
            evaluation=evaluation,
            headline=_headline(evaluation),
            tables=summary_tables(summary),
            against=None if against is None else difference_table(against),
            published=published_table(evaluation.published),
            left=not_scored_table(evaluation.not_scored),
            notes={"against": DIFFERENCE_NOTE, "published": PUBLISHED_NOTE},
            agreement=_agreement_plots(evaluation),
            boxes=_box_plots(evaluation),
            subgroups={name: (its.n_patients, summary_tables(its)) for name, its in evaluation.subgroups.items()},
            cases=cases,
            legend=OUTLINES[scheme],
            flags=flag_table(checks.flags if checks else ()),
            caught=[interval_text(row, 2) for row in (checks.sensitivity, checks.specificity)] if checks else [],
            confidence=_confidence_plot(evaluation.results),
            failed=[result for result in evaluation.results if result.failure],
            patients=_patient_table(evaluation),
        )
    )


def _headline(evaluation: Evaluation) -> list[tuple[str, str, str]]:
    """Title, value and interval of the numbers that are asked for first."""
    summary = evaluation.summary
    wanted = [("Mean Dice", summary.scores.get("dice_mean"), 3, "")]
    for name, (title, unit) in list(_MEASUREMENTS.items())[:2]:
        row = summary.measurements.get(name)
        wanted.append((f"{title}: absolute error", None if row is None else row.mean_absolute_error, 1, f" {unit}"))
    if evaluation.checks is None:
        wanted = [(name.replace("_", " "), row, 3, "") for name, row in list(summary.scores.items())[:3]]
    return [
        (title, f"{row.value:.{digits}f}{unit}", interval_text(row, digits))
        for title, row, digits, unit in wanted
        if row is not None and np.isfinite(row.value)
    ]


def _mean(values: Iterable[float | None]) -> float:
    return finite_mean(value for value in values if value is not None)


def _agreement_plots(evaluation: Evaluation) -> list[dict[str, str]]:
    plots = []
    order = [*_MEASUREMENTS, *evaluation.summary.measurements]
    for name, row in sorted(evaluation.summary.measurements.items(), key=lambda its: order.index(its[0])):
        title, unit = _MEASUREMENTS.get(name, (name.replace("_", " "), ""))
        pairs = [
            (
                _mean(result.measured.get(name) for result in its),
                _mean(result.reference.get(name) for result in its),
                patient,
                any(result.failure for result in its),
            )
            for patient, its in by_patient(evaluation.results).items()
        ]
        known = [pair for pair in pairs if np.isfinite(pair[0] - pair[1])]
        points = Points(
            x=[(a + b) / 2 for a, b, _, _ in known],
            y=[a - b for a, b, _, _ in known],
            names=[pair[2] for pair in known],
            failed=[pair[3] for pair in known],
        )
        svg = agreement_svg(points, bias=row.bias, limits=row.limits, unit=unit, key=name)
        plots.append({"title": f"{title} (n {len(known)})", "svg": svg})
    return plots


def _box_plots(evaluation: Evaluation) -> list[dict[str, str]]:
    """Dice by structure, and the mean Dice by each fact that defines subgroups; none without masks."""
    results = evaluation.results
    names = [name for name in evaluation.summary.scores if name.startswith("dice_") and name != "dice_mean"]
    if not names:
        return []
    by_structure = {name[5:]: list(patient_values(results, name).values()) for name in names}
    plots = [{"title": "By structure", "svg": boxes_svg(by_structure, colours=_COLOURS, key="structures")}]
    means = patient_values(results, "dice_mean")
    facts = {result.patient: subgroup_facts(result.facts) for result in results}
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


def _patient_table(evaluation: Evaluation) -> list[tuple[Result, dict[str, str]]]:
    """Every study, worst first, with its cells by column: Dice by structure or all scores, errors, confidence."""
    results, summary = evaluation.results, evaluation.summary
    dice = {name: name[5:] for name in summary.scores if name.startswith("dice_")}
    every = dict.fromkeys(name for result in results for name in result.scores)
    scores = dice or {name: name.replace("_", " ") for name in every}
    errors = {name: title for name, (title, _) in list(_MEASUREMENTS.items())[:2] if name in summary.measurements}
    return [
        (
            result,
            {
                **{title: number_text(result.value(name), 3) for name, title in scores.items()},
                **{title: number_text(result.error(name), 1, sign="+") for name, title in errors.items()},
                "Confidence": number_text(result.confidence, 3),
            },
        )
        for result in sorted(results, key=lambda result: np.nan_to_num(result.value("dice_mean"), nan=-1.0))
    ]
