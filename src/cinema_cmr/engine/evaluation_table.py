"""What an evaluation comes to: means with intervals over patients, agreement with the expert, and the tables."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cinema_cmr.core.errors import InputError
from cinema_cmr.engine.evaluate import FUNCTION, PatientRow
from cinema_cmr.engine.known import mean_of_known
from cinema_cmr.io.atomic import write_json, write_text
from cinema_cmr.score.agreement import Agreement, agreement
from cinema_cmr.score.statistics import Interval, mean_interval

__all__ = ["Summary", "evaluation_json", "evaluation_markdown", "summarise", "write_evaluation"]


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Results over patients; a patient with several cases counts once, with their mean."""

    n_patients: int
    n_cases: int
    scores: Mapping[str, Interval]
    """Mean over patients of each score of `PatientRow.scores`, with its BCa interval."""
    errors: Mapping[str, Interval]
    """Mean absolute error of each measurement of `evaluate.FUNCTION`."""
    agreements: Mapping[str, Agreement]
    """Bias and limits of the same; absent where fewer than two patients have both values."""


def summarise(rows: Sequence[PatientRow], *, seed: int = 0, confidence: float = 0.95) -> Summary:
    """Means with BCa intervals (`score.statistics`), what is NaN left out and counted.

    Raises `InputError` where there are no rows.
    """
    if not rows:
        raise InputError("nothing was evaluated; expected at least one labelled study")
    patients = _by_patient(rows)
    names = list(dict.fromkeys(name for row in rows for name in row.scores))
    scores = {
        name: [mean_of_known(row.scores.get(name, math.nan) for row in its) for its in patients] for name in names
    }
    predicted, expert = (
        {name: [mean_of_known(getattr(row, source)[name] for row in its) for its in patients] for name in FUNCTION}
        for source in ("predicted", "expert")
    )
    errors = {name: np.abs(np.subtract(predicted[name], expert[name])) for name in FUNCTION}
    return Summary(
        n_patients=len(patients),
        n_cases=len(rows),
        scores={name: mean_interval(v, seed=seed, confidence=confidence) for name, v in scores.items()},
        errors={name: mean_interval(v, seed=seed, confidence=confidence) for name, v in errors.items()},
        agreements={
            name: agreement(predicted[name], expert[name])
            for name in FUNCTION
            if np.count_nonzero(~np.isnan(errors[name])) > 1
        },
    )


def evaluation_json(rows: Sequence[PatientRow], summary: Summary) -> dict[str, Any]:
    """Rows and summary as plain values, None for what could not be measured."""
    plain: dict[str, Any] = _known({"summary": asdict(summary), "patients": [asdict(row) for row in rows]})
    return plain


def evaluation_markdown(summary: Summary, *, title: str = "Segmentation against expert labels") -> str:
    """The summary as two Markdown tables, for a page or a log."""
    lines = [
        f"## {title}",
        "",
        f"{summary.n_patients} patients, {summary.n_cases} cases; mean over patients on the native grid, in brackets"
        " the 95 % BCa bootstrap interval. For research use only; not a medical device.",
        "",
        "| score | mean | not measured |",
        "|---|---|---|",
        *(_score_line(name, interval) for name, interval in summary.scores.items()),
        "",
        "| measurement | mean absolute error | bias | limits of agreement | ICC(2,1) | not measured |",
        "|---|---|---|---|---|---|",
        *(_error_line(name, error, summary.agreements.get(name)) for name, error in summary.errors.items()),
    ]
    return "\n".join(lines) + "\n"


def write_evaluation(
    folder: Path, rows: Sequence[PatientRow], summary: Summary, *, overwrite: bool = False
) -> tuple[Path, Path]:
    """Write `evaluation.json` and `evaluation.md` to a folder; returns their paths.

    Raises `OutputExistsError` where one exists and `overwrite` is False.
    """
    as_json, as_text = folder / "evaluation.json", folder / "evaluation.md"
    write_json(as_json, evaluation_json(rows, summary), overwrite=overwrite)
    write_text(as_text, evaluation_markdown(summary), overwrite=overwrite)
    return as_json, as_text


def _by_patient(rows: Iterable[PatientRow]) -> list[list[PatientRow]]:
    found: dict[str, list[PatientRow]] = {}
    for row in rows:
        found.setdefault(row.patient, []).append(row)
    return list(found.values())


def _known(value: Any) -> Any:
    """The same with None for numbers that are not finite, for JSON knows none of those."""
    if isinstance(value, Mapping):
        return {key: _known(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_known(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _score_line(name: str, interval: Interval) -> str:
    digits = 3 if name.endswith("dice") else 1
    return f"| {name} | {_with_interval(interval, digits)} | {interval.n_excluded} |"


def _error_line(name: str, error: Interval, its: Agreement | None) -> str:
    told = "- | - | -"
    if its is not None:
        told = f"{its.bias:+.1f} | {its.lower_limit:+.1f} to {its.upper_limit:+.1f} | {_number(its.icc, 3)}"
    return f"| {name} | {_with_interval(error, 1)} | {told} | {error.n_excluded} |"


def _with_interval(interval: Interval, digits: int) -> str:
    value = _number(interval.value, digits)
    if not math.isfinite(interval.low):
        return value
    return f"{value} ({interval.low:.{digits}f} to {interval.high:.{digits}f})"


def _number(value: float, digits: int) -> str:
    return f"{value:.{digits}f}" if math.isfinite(value) else "-"
