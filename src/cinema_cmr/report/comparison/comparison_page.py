"""A comparison of two results as one HTML file that needs no network, without anything of a patient."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cinema_cmr.core.vocabulary import LABEL_SCHEMES
from cinema_cmr.report.comparison.compared import ComparedSide, ComparedValue, ComparedView, ComparisonRecord
from cinema_cmr.report.comparison.overlay import overlays
from cinema_cmr.report.comparison.repeatability import REPEATABILITY
from cinema_cmr.report.comparison.results_comparison import ResultsComparison
from cinema_cmr.report.comparison.two_curves import curve_plots
from cinema_cmr.report.markdown import Table, number_text
from cinema_cmr.report.page import page_environment
from cinema_cmr.report.segments import is_segment
from cinema_cmr.report.wording import words

__all__ = ["comparison_page", "principal_values", "score_text", "verdict"]

_PRINCIPAL = (
    *("lv_ef_percent", "lv_edv_ml", "lv_esv_ml", "lv_sv_ml", "lv_mass_g"),
    *("rv_ef_percent", "rv_edv_ml", "rv_esv_ml", "rv_sv_ml", "cardiac_output_l_min", "heart_rate_bpm"),
    *("infarct_percent", "infarct_g", "no_reflow_percent", "lge_myocardium_g"),
)


def comparison_page(comparison: ResultsComparison) -> str:
    """Return the page: numbers, overlap, outlines, curves, and what differs; all text from the input is escaped."""
    first, second, record = comparison.first, comparison.second, comparison.record
    principal = principal_values(record)
    return (
        page_environment()
        .get_template("compare.html")
        .render(
            record=record,
            sides=(("a", record.first), ("b", record.second)),
            verdict=verdict(record),
            principal=principal,
            others=[one for one in record.values if one not in principal and not is_segment(one.name)],
            n_segments=sum(is_segment(one.name) for one in record.values),
            overlap=[(view.view.title, _dice_table(view)) for view in record.views if not view.reason],
            without_atria=_without_atria(comparison),
            apart=[(view.view.title, view.reason) for view in record.views if view.reason],
            overlays=overlays(first, second, record.views),
            across=_across(record.views, first),
            no_images=[
                view.view.title for view in record.views if not view.reason and not _has_image(comparison, view)
            ],
            curves=curve_plots(first, second),
            settings=Table(
                ["", record.first.title, record.second.title],
                [[words(one.name), one.first, one.second] for one in record.settings],
            ),
            limits=Table(["Measurement", "Limit of the difference", "Source"], list(_limit_rows(record.values))),
        )
    )


def principal_values(record: ComparisonRecord) -> list[ComparedValue]:
    """Return the values that a reader looks at first, in a fixed order."""
    by_name = {one.name: one for one in record.values}
    return [by_name[name] for name in _PRINCIPAL if name in by_name]


def verdict(record: ComparisonRecord) -> tuple[str, str]:
    """Return tone and sentence on how many differences exceed the noise between two scans."""
    judged = [one for one in record.values if one.limit is not None]
    if not judged:
        return "info", "No number of both results has a published scan-rescan limit."
    if not record.beyond:
        return "fine", f"None of {len(judged)} differences exceeds what two scans of an unchanged heart may differ by."
    names = ", ".join(one.title for one in record.beyond)
    return (
        "warning",
        f"{len(record.beyond)} of {len(judged)} differences exceed what two scans of an unchanged heart may differ by:"
        f" {names}.",
    )


def _without_atria(comparison: ResultsComparison) -> str:
    """Return the title of the one result whose masks lack the atria; empty where both have them, or neither."""
    without = [side.title for side in (comparison.first, comparison.second) if not side.has_atria]
    is_compared = any(one.view.is_long_axis and not one.reason for one in comparison.record.views)
    return without[0] if len(without) == 1 and is_compared else ""


def _dice_table(view: ComparedView) -> Table:
    columns = [*((f"{one.title}, frame {one.frame}", one.dice) for one in view.frames), ("all frames", view.dice)]
    titles = {label.name: label.title for scheme in LABEL_SCHEMES.values() for label in scheme}
    rows = [[titles.get(name, words(name)), *(score_text(dice.get(name)) for _, dice in columns)] for name in view.dice]
    return Table(["Dice", *(head for head, _ in columns)], rows)


def score_text(value: float | None) -> str:
    """Return a Dice, or that neither mask has the structure."""
    return "in neither" if value is None else number_text(value, 3)


def _limit_rows(values: Sequence[ComparedValue]) -> Iterator[list[str]]:
    shown = {one.name: one.title for one in values if one.limit is not None}
    for row in REPEATABILITY:
        if row.name in shown:
            yield [shown[row.name], row.meaning, row.citation]


def _across(views: tuple[ComparedView, ...], side: ComparedSide) -> int:
    """Return the number of pictures side by side: rows of about equal length, none over six."""
    n_slices = max((side.grids[view.view].n_slices for view in views), default=1)
    return -(-n_slices // -(-n_slices // 6))


def _has_image(comparison: ResultsComparison, view: ComparedView) -> bool:
    return any(
        view.view in side.study and side.study.cine(view.view).has_image
        for side in (comparison.first, comparison.second)
    )
