"""Numbers that others published for the tasks of the benchmark, each with its source.

They are of other test patients and mostly of other training data: a yardstick, no paired comparison.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from cinema_cmr.evaluation.record import BesidePublished, Evaluation
from cinema_cmr.report.bench.bench_results import PublishedNumber
from cinema_cmr.score.statistics import Interval
from cinema_cmr.tasks.result import Summary

__all__ = ["PUBLISHED", "Published", "compare_with_published", "published_of"]

_V2 = "arXiv 2506.00679"
_PAPER = "Communications Medicine 2026, doi 10.1038/s43856-026-01636-0"
_SETS = "the test patients of the paper"
_UNKNOWN = float("nan")


@dataclass(frozen=True, kw_only=True)
class Published:
    """One published number."""

    tasks: tuple[str, ...]
    """Rows of `bench.tasks.TASKS` that it stands beside."""
    what: str
    value: float
    unit: str
    model: str
    patients: str
    """Patients on whom it was measured."""
    source: str
    low: float = _UNKNOWN
    """Of the 95 % interval, where one was given."""
    high: float = _UNKNOWN
    digits: int = 2
    measure: str | None = None
    """Key of an evaluation document's score or measurement that it can stand beside; None where none is alike."""
    datasets: tuple[str, ...] = ()
    """Datasets on which ours is like it; empty for every cine of the heart."""

    def text_of(self, value: float, low: float, high: float) -> str:
        """Return a value with its interval, if there is one, in the unit and digits of this number."""
        unit = f" {self.unit}" if self.unit else ""
        ends = "" if math.isnan(low + high) else f" ({low:.{self.digits}f} to {high:.{self.digits}f})"
        return f"{value:.{self.digits}f}{unit}{ends}"

    @property
    def text(self) -> str:
        """The number with its interval, in its unit."""
        return self.text_of(self.value, self.low, self.high)


def _dice(value: float, model: str, patients: str, source: str, *, datasets: tuple[str, ...] = ()) -> Published:
    return Published(
        tasks=("segment-sax",),
        what="Dice, mean of the structures",
        value=value,
        unit="",
        model=model,
        patients=patients,
        source=source,
        digits=4,
        measure="dice_mean",
        datasets=datasets,
    )


def _error(
    side: str,
    value: float,
    model: str,
    patients: str,
    source: str = _V2,
    *,
    ends: tuple[float, float] = (_UNKNOWN, _UNKNOWN),
    datasets: tuple[str, ...] = (),
) -> Published:
    return Published(
        tasks=(f"{side}ef-segment",),
        what=f"{side.upper()}EF from segmentation, absolute error",
        value=value,
        unit="points",
        model=model,
        patients=patients,
        source=source,
        low=ends[0],
        high=ends[1],
        measure=f"{side}_ef_percent",
        datasets=datasets,
    )


def _cov(
    value: float,
    model: str,
    patients: str,
    source: str,
    *,
    ends: tuple[float, float] = (_UNKNOWN, _UNKNOWN),
    digits: int = 2,
) -> Published:
    """Scan-rescan: beside LVEF, of which no run of ours has two scans."""
    return Published(
        tasks=("lvef-segment",),
        what="LVEF between two scans, coefficient of variation",
        value=value,
        unit="%",
        model=model,
        patients=patients,
        source=source,
        low=ends[0],
        high=ends[1],
        digits=digits,
    )


def _disease(what: str, value: float, model: str, patients: str, source: str = _V2) -> Published:
    return Published(
        tasks=("disease", "disease-measured"),
        what=what,
        value=value,
        unit="%",
        model=model,
        patients=patients,
        source=source,
        digits=1,
    )


_ACDC = ("acdc",)
_CHALLENGE = "Bernard et al., IEEE TMI 2018;37:2514"
_DAVIES = "Davies et al. 2022, PMC8908603"
_FOLDS = "the 100 training patients of ACDC, five folds"
_REVISITED = "Isensee et al., nnU-Net Revisited, MICCAI 2024, arXiv 2404.09556"
_REPORTED = "its authors' own report; no page at hand"

PUBLISHED: tuple[Published, ...] = (
    _dice(0.8872, "CineMA", _SETS, _PAPER),
    _dice(0.8924, "nnU-Net", _SETS, _PAPER),
    _dice(0.9154, "nnU-Net", _FOLDS, _REVISITED, datasets=_ACDC),
    _dice(0.9265, "MedNeXt", _FOLDS, _REVISITED, datasets=_ACDC),
    _error("lv", 3.33, "CineMA", _SETS, ends=(2.88, 3.82)),
    _error("lv", 3.63, "CNN", _SETS),
    _error("lv", 2.31, "nnU-Net", "ACDC", _REPORTED, datasets=_ACDC),
    _error("rv", 5.49, "CineMA", _SETS, ends=(4.74, 6.55)),
    _error("rv", 6.28, "CNN", _SETS),
    _error("lv", 4.83, "CineMA", "datasets not trained on", ends=(4.58, 5.21)),
    _error("lv", 5.59, "CNN", "datasets not trained on"),
    _cov(8.45, "CineMA", "Rescan, not trained on", _V2, ends=(7.43, 9.30)),
    _cov(12.02, "CNN", "Rescan, not trained on", _V2),
    _cov(6.0, "human reader", "Rescan", _DAVIES, digits=1),
    _cov(4.2, "machine", "Rescan", _DAVIES, digits=1),
    _disease("sensitivity", 90.2, "CineMA", _SETS),
    _disease("specificity", 60.1, "CineMA", _SETS),
    _disease("sensitivity", 86.8, "CNN", _SETS),
    _disease("specificity", 31.6, "CNN", _SETS),
    _disease("accuracy", 96.0, "best of the challenge", "ACDC, 50 test patients", _CHALLENGE),
    Published(
        tasks=("landmark-heatmap", "landmark-coordinates"),
        what="distance of a landmark, 2 to 3.5 by point and view; the upper end here",
        value=3.5,
        unit="mm",
        model="CNN",
        patients="long axes of several centres",
        source="Xue et al. 2021, PMC8489464",
        digits=1,
    ),
)
"""The table of what there is to beat."""


def published_of(tasks: Iterable[str]) -> list[PublishedNumber]:
    """The published numbers of these tasks."""
    wanted = set(tasks)
    return [
        PublishedNumber(
            what=row.what,
            value=row.value,
            low=row.low,
            high=row.high,
            unit=row.unit,
            text=row.text,
            model=row.model,
            patients=row.patients,
            source=row.source,
        )
        for row in PUBLISHED
        if wanted & set(row.tasks)
    ]


def compare_with_published(evaluation: Evaluation) -> tuple[BesidePublished, ...]:
    """Our numbers of a segmentation's evaluation beside the published ones.

    Nothing stands beside what is no cine of the whole heart (scar, or cavities drawn alone).
    """
    if not {"dice_lv", "dice_myo", "dice_rv"} <= set(evaluation.summary.scores):
        return ()
    found = ((row, _ours(evaluation.summary, row)) for row in PUBLISHED if _is_like(row, evaluation.dataset))
    return tuple(
        BesidePublished(
            what=row.what,
            ours=row.text_of(ours.value, ours.low, ours.high),
            published=row.text,
            model=row.model,
            patients=row.patients,
            source=row.source,
        )
        for row, ours in found
        if ours is not None and not math.isnan(ours.value)
    )


def _is_like(row: Published, dataset: str) -> bool:
    return row.measure is not None and (not row.datasets or dataset in row.datasets)


def _ours(summary: Summary, row: Published) -> Interval | None:
    """Our mean of the same score, or mean absolute error of the same measurement; None where there is none."""
    name = row.measure or ""
    if name in summary.scores:
        return summary.scores[name]
    measured = summary.measurements.get(name)
    return None if measured is None else measured.mean_absolute_error
