"""Numbers that others published for the tasks of the benchmark, each with its source.

They are of other test patients and mostly of other training data: a yardstick, no paired comparison.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["PUBLISHED", "Published", "compare_with_published", "published_of"]

_V2 = "arXiv 2506.00679"
_PAPER = "Communications Medicine 2026, doi 10.1038/s43856-026-01636-0"
_SETS = "the test patients of the paper"


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
    low: float | None = None
    """Of the 95 % interval, where one was given."""
    high: float | None = None
    digits: int = 2
    measure: str | None = None
    """Key of an evaluation document's score or measurement that it can stand beside; None where none is alike."""
    datasets: tuple[str, ...] = ()
    """Datasets on which ours is like it; empty for every cine of the heart."""

    @property
    def text(self) -> str:
        """The number with its interval, in its unit."""
        unit = f" {self.unit}" if self.unit else ""
        ends = f" ({self.low:.{self.digits}f} to {self.high:.{self.digits}f})" if self.low and self.high else ""
        return f"{self.value:.{self.digits}f}{unit}{ends}"


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


def _error(side: str, value: float, model: str, patients: str, source: str = _V2, **more: Any) -> Published:
    return Published(
        tasks=(f"{side}ef-segment",),
        what=f"{side.upper()}EF from segmentation, absolute error",
        value=value,
        unit="points",
        model=model,
        patients=patients,
        source=source,
        measure=f"{side}_ef_percent",
        **more,
    )


def _cov(value: float, model: str, patients: str, source: str, **more: Any) -> Published:
    """Scan-rescan: beside LVEF, of which no run of ours has two scans."""
    return Published(
        tasks=("lvef-segment",),
        what="LVEF between two scans, coefficient of variation",
        value=value,
        unit="%",
        model=model,
        patients=patients,
        source=source,
        **more,
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
    _error("lv", 3.33, "CineMA", _SETS, low=2.88, high=3.82),
    _error("lv", 3.63, "CNN", _SETS),
    _error("lv", 2.31, "nnU-Net", "ACDC", _REPORTED, datasets=_ACDC),
    _error("rv", 5.49, "CineMA", _SETS, low=4.74, high=6.55),
    _error("rv", 6.28, "CNN", _SETS),
    _error("lv", 4.83, "CineMA", "datasets not trained on", low=4.58, high=5.21),
    _error("lv", 5.59, "CNN", "datasets not trained on"),
    _cov(8.45, "CineMA", "Rescan, not trained on", _V2, low=7.43, high=9.30),
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


def published_of(tasks: Iterable[str]) -> list[dict[str, Any]]:
    """The published numbers of these tasks as plain rows, with their text."""
    wanted = set(tasks)
    return [{**asdict(row), "text": row.text} for row in PUBLISHED if wanted & set(row.tasks)]


def compare_with_published(document: Mapping[str, Any]) -> list[dict[str, str]]:
    """Rows for `report.evaluation.rows.published_table`: ours of a segmentation's evaluation beside the published.

    `document` is that of `evaluation.record` in plain values. Nothing stands beside what is no cine of the
    whole heart (scar, or cavities drawn alone).
    """
    if not {"dice_lv", "dice_myo", "dice_rv"} <= set(document["scores"]):
        return []
    found = ((row, _ours(document, row)) for row in PUBLISHED if _is_like(row, document.get("dataset")))
    return [
        {
            "what": row.what,
            "ours": ours,
            "published": row.text,
            "model": row.model,
            "patients": row.patients,
            "source": row.source,
        }
        for row, ours in found
        if ours is not None
    ]


def _is_like(row: Published, dataset: str | None) -> bool:
    return row.measure is not None and (not row.datasets or dataset in row.datasets)


def _ours(document: Mapping[str, Any], row: Published) -> str | None:
    """The document's own mean with its interval, in the digits of the published one; None where it has none."""
    score = document["scores"].get(row.measure)
    measured = document["measurements"].get(row.measure)
    mean = score if score is not None else measured and measured["mean_absolute_error"]
    if not mean or mean["value"] is None:
        return None
    value, low, high = (mean[key] for key in ("value", "low", "high"))
    unit = f" {row.unit}" if row.unit else ""
    ends = "" if low is None or high is None else f" ({low:.{row.digits}f} to {high:.{row.digits}f})"
    return f"{value:.{row.digits}f}{unit}{ends}"
