"""Changed cases by change: means with intervals over patients, and their table in Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cinema_cmr.bench.changed_case import ChangedCase
from cinema_cmr.bench.perturb import PERTURBATIONS
from cinema_cmr.core.errors import InputError
from cinema_cmr.core.vocabulary import CINE_LABELS
from cinema_cmr.report.markdown import Table, markdown_table, number_text
from cinema_cmr.score.statistics import Interval, mean_interval

__all__ = ["STRUCTURES", "ChangeRow", "RobustnessSummary", "case_dice", "ef_error", "markdown", "summary"]

STRUCTURES = tuple(label.name for label in CINE_LABELS)

_COLUMNS = (
    ("dice_lv", "LV", 3),
    ("dice_myo", "MYO", 3),
    ("dice_rv", "RV", 3),
    ("dice_mean", "mean Dice", 3),
    ("lv_ef_error", "LVEF error", 1),
    ("rv_ef_error", "RVEF error", 1),
    ("flagged", "flagged", 2),
)


@dataclass(frozen=True, kw_only=True)
class ChangeRow:
    """Means over the cases of one change."""

    title: str
    n: int
    dice_lv: Interval
    dice_myo: Interval
    dice_rv: Interval
    dice_mean: Interval
    lv_ef_error: Interval
    """Absolute, in points."""
    rv_ef_error: Interval
    flagged: Interval
    """Share of cases with a warning or an error."""


@dataclass(frozen=True, kw_only=True)
class RobustnessSummary:
    """All changes of one model: `robustness.json`."""

    weights_sha256: str
    inference_settings: str
    changes: Mapping[str, ChangeRow]


def case_dice(case: ChangedCase, *structures: str) -> float:
    """Mean over frames of the Dice of these structures, or of all; structures absent from both masks are left out."""
    values = [frame[name] for frame in case.dice for name in structures or STRUCTURES if np.isfinite(frame[name])]
    return float(np.mean(values)) if values else float("nan")


def ef_error(case: ChangedCase, ventricle: str) -> float:
    """Measured EF minus the expert's in points; NaN where one of them is missing."""
    name = f"{ventricle}_ef_percent"
    return case.measured[name] - case.reference[name]


def summary(cases: Sequence[ChangedCase], *, seed: int = 0) -> RobustnessSummary:
    """Of every change in the validation part, and of every phantom style: means with intervals over patients."""
    shown = [case for case in cases if case.part != "train"]
    if not shown:
        raise InputError("no measured case; expected lines of `benchmarks/robustness.py`")
    models = sorted({(case.model, case.inference_settings) for case in shown})
    if len(models) > 1:
        raise InputError(
            f"cases of {len(models)} models, or of one with other inference settings; expected those of one:"
            " move the others' lines away"
        )
    order = [*PERTURBATIONS, *sorted({case.change for case in shown} - set(PERTURBATIONS))]
    groups = {change: [case for case in shown if case.change == change] for change in order}
    return RobustnessSummary(
        weights_sha256=models[0][0],
        inference_settings=models[0][1],
        changes={change: _row(change, its, seed) for change, its in groups.items() if its},
    )


def _row(change: str, cases: Sequence[ChangedCase], seed: int) -> ChangeRow:
    def dice(*structures: str) -> Interval:
        return mean_interval([case_dice(case, *structures) for case in cases], seed=seed)

    def ef(ventricle: str) -> Interval:
        return mean_interval([abs(ef_error(case, ventricle)) for case in cases], seed=seed)

    return ChangeRow(
        title=PERTURBATIONS[change].title if change in PERTURBATIONS else f"phantom, {change}",
        n=len(cases),
        dice_lv=dice("lv"),
        dice_myo=dice("myo"),
        dice_rv=dice("rv"),
        dice_mean=dice(),
        lv_ef_error=ef("lv"),
        rv_ef_error=ef("rv"),
        flagged=mean_interval([float(bool(case.flags)) for case in cases], seed=seed),
    )


def markdown(content: RobustnessSummary) -> str:
    """The table of a summary; the interval of the mean Dice stands beside it."""
    rows = [
        [row.title, str(row.n), *(_cell(getattr(row, name), digits, name) for name, _, digits in _COLUMNS)]
        for row in content.changes.values()
    ]
    return markdown_table(Table(["change", "n", *(title for _, title, _ in _COLUMNS)], rows))


def _cell(mean: Interval, digits: int, name: str) -> str:
    text = number_text(mean.value, digits)
    if name != "dice_mean" or np.isnan(mean.low + mean.high):
        return text
    return f"{text} ({number_text(mean.low, digits)} to {number_text(mean.high, digits)})"
