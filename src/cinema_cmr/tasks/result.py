"""The result of one evaluated study, the same type for every task, and its summary over patients."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from cinema_cmr.core.annotation import LabelMap
from cinema_cmr.core.errors import InputError
from cinema_cmr.core.results import Flag
from cinema_cmr.core.study import Facts
from cinema_cmr.score.agreement import agreement, scan_rescan_interval
from cinema_cmr.score.statistics import Interval, finite_mean, mean_interval

__all__ = ["AgreementSummary", "Confusion", "Result", "Summary", "by_patient", "patient_values", "summarise"]

ERROR_SUFFIX = " absolute error"


@dataclass(frozen=True, kw_only=True)
class Result:
    """Scores, measurements and target of one study of a patient."""

    study: str
    patient: str
    facts: Facts = field(default_factory=dict)
    scores: Mapping[str, float] = field(default_factory=dict)
    """Score -> mean over the labelled frames; NaN where undefined."""
    measured: Mapping[str, float | None] = field(default_factory=dict)
    """Measurement -> value from the prediction; None where it cannot be measured."""
    reference: Mapping[str, float | None] = field(default_factory=dict)
    """Measurement -> value from the annotation."""
    target: str | None = None
    """True class, of a classification."""
    confidence: float = float("nan")
    """Mean probability inside the predicted outlines; NaN without probabilities."""
    flags: tuple[Flag, ...] = ()
    """Quality flags of the prediction, without those of the images."""
    failure: str | None = None
    """Why the prediction counts as failed; None where it does not."""
    frames: tuple[Mapping[str, float], ...] = ()
    """Scores of each labelled frame."""
    labels: LabelMap | None = field(default=None, repr=False)
    """Predicted mask of the labelled short-axis frames, for pictures; not written to files."""

    def error(self, measurement: str) -> float:
        """Return measured minus reference; NaN where either is missing."""
        return _number(self.measured.get(measurement)) - _number(self.reference.get(measurement))

    def value(self, name: str) -> float:
        """Return a score, or the absolute error of a measurement ("lv_ef_percent absolute error")."""
        if name.endswith(ERROR_SUFFIX):
            return abs(self.error(name.removesuffix(ERROR_SUFFIX)))
        return float(self.scores.get(name, np.nan))


@dataclass(frozen=True, kw_only=True)
class AgreementSummary:
    """Agreement of a measurement with its reference over patients."""

    bias: float
    limits: tuple[float, float]
    """Limits of agreement."""
    mean_absolute_error: Interval
    icc: float
    """ICC(2,1)."""


@dataclass(frozen=True, kw_only=True)
class Confusion:
    """Counts of studies by true class (row) and predicted class (column)."""

    classes: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Means over patients with their intervals, and agreement of the measurements."""

    n_patients: int
    n_studies: int
    scores: Mapping[str, Interval]
    measurements: Mapping[str, AgreementSummary]
    repeatability: Mapping[str, Mapping[str, Interval]] = field(default_factory=dict)
    """Measurement -> scan-rescan coefficient of variation in percent, "measured" and "reference"."""
    confusion: Confusion | None = None


def by_patient(results: Iterable[Result]) -> dict[str, list[Result]]:
    """Group results by patient, in the order in which patients first occur."""
    groups: dict[str, list[Result]] = {}
    for result in results:
        groups.setdefault(result.patient, []).append(result)
    return groups


def patient_values(results: Iterable[Result], name: str) -> dict[str, float]:
    """Return patient -> mean over its studies of `Result.value(name)`; NaN where none has it."""
    return {patient: finite_mean(r.value(name) for r in its) for patient, its in by_patient(results).items()}


def summarise(results: Sequence[Result], *, seed: int = 0) -> Summary:
    """Summarise results over patients; a patient with several studies counts once, with their mean.

    `seed` is that of the bootstrap intervals. Raises `InputError` without results.
    """
    if not results:
        raise InputError("no study was scored; expected at least one with a reference annotation")
    names = {name for result in results for name in result.scores}
    return Summary(
        n_patients=len(by_patient(results)),
        n_studies=len(results),
        scores={
            name: mean_interval(list(patient_values(results, name).values()), seed=seed)
            for name in sorted(names, key=lambda name: (name.endswith("_mean"), name))
        },
        measurements=_agreements(results, seed),
        repeatability=_repeatability(results, seed),
    )


def _agreements(results: Sequence[Result], seed: int) -> dict[str, AgreementSummary]:
    compared = {}
    groups = by_patient(results).values()
    for name in dict.fromkeys(name for result in results for name in result.measured):
        measured = np.array([finite_mean(_number(r.measured.get(name)) for r in its) for its in groups])
        reference = np.array([finite_mean(_number(r.reference.get(name)) for r in its) for its in groups])
        if np.isfinite(measured - reference).sum() < 2:
            continue
        overall = agreement(measured, reference)
        compared[name] = AgreementSummary(
            bias=overall.bias,
            limits=(overall.lower_limit, overall.upper_limit),
            mean_absolute_error=mean_interval(np.abs(measured - reference), seed=seed),
            icc=overall.icc,
        )
    return compared


def _repeatability(results: Sequence[Result], seed: int) -> dict[str, dict[str, Interval]]:
    """Scan-rescan variation of patients with two studies of different `scan`; empty with fewer than two of them."""
    groups = by_patient(results).values()
    pairs = [its for its in groups if len(its) == 2 and len({r.facts.get("scan") for r in its} - {None}) == 2]
    found: dict[str, dict[str, Interval]] = {}
    for name in pairs[0][0].measured if len(pairs) > 1 else ():
        rows = {}
        for which in ("measured", "reference"):
            values = np.array([[_number(getattr(r, which).get(name)) for r in its] for its in pairs])
            positive = np.where((values.mean(axis=1) > 0)[:, None], values, np.nan)
            if np.isfinite(positive).all(axis=1).sum() > 1:
                rows[which] = scan_rescan_interval(*positive.T, seed=seed)
        if rows:
            found[name] = rows
    return found


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)
