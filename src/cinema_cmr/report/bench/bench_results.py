"""The results of a benchmark and of a data-efficiency curve, as their pages, tables and JSON files hold them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cinema_cmr.score.statistics import Interval

__all__ = [
    "BenchResults",
    "BenchRow",
    "FailedRun",
    "ModelDifference",
    "PublishedNumber",
    "RunSummary",
    "ShownMeasure",
    "SweepDifference",
    "SweepPoint",
    "SweepResults",
]


@dataclass(frozen=True, kw_only=True)
class ShownMeasure:
    """How the mean over patients of one measure is shown."""

    title: str
    unit: str = ""
    digits: int = 3
    higher_is_better: bool = False

    @property
    def text(self) -> str:
        """The title with its unit.

        >>> ShownMeasure(title="distance", unit="mm").text, ShownMeasure(title="Dice").text
        ('distance, mm', 'Dice')
        """
        return f"{self.title}, {self.unit}" if self.unit else self.title


@dataclass(frozen=True, kw_only=True)
class ModelDifference(Interval):
    """A model's measure minus that of another on the same patients."""

    p_value: float
    """Of Wilcoxon's signed-rank test."""
    p_holm: float = float("nan")
    """Corrected after Holm over the whole table."""


@dataclass(frozen=True, kw_only=True)
class RunSummary:
    """The runs of one model, one a seed: measures over patients, and cost; the defaults are those of no run."""

    n_seeds: int = 0
    n_train_patients: tuple[int, ...] = ()
    """Numbers that occur."""
    n_steps: tuple[int, ...] = ()
    """Numbers that occur."""
    seconds: float = float("nan")
    """Of training, the mean of the runs."""
    measures: Mapping[str, Interval] = field(default_factory=dict)
    """Key of a measure -> mean over patients."""
    over_seeds: tuple[float, ...] = ()
    """The first measure of each seed."""


@dataclass(frozen=True, kw_only=True)
class BenchRow(RunSummary):
    """One model of a task on a dataset: its results, or the reason why there is none."""

    task: str
    title: str
    group: str
    dataset: str = ""
    model: str = ""
    status: str
    """"done", "failed", or "no data" where no run can be made."""
    reason: str = ""
    shown: str
    """Key of the measure that the table of results shows."""
    measure_titles: Mapping[str, ShownMeasure]
    against: str | None = None
    """Model that `difference` is to."""
    difference: ModelDifference | None = None


@dataclass(frozen=True, kw_only=True)
class PublishedNumber:
    """A number that others published, with the ends of its interval where one was given."""

    what: str
    value: float
    low: float
    high: float
    unit: str
    text: str
    """All of these in words."""
    model: str
    patients: str
    source: str


@dataclass(frozen=True, kw_only=True)
class BenchResults:
    """All rows of a benchmark: `bench.json`."""

    settings: tuple[str, ...] = ()
    """What holds for all runs, in sentences."""
    preset: str = "whole"
    rows: tuple[BenchRow, ...]
    published: tuple[PublishedNumber, ...] = ()


@dataclass(frozen=True, kw_only=True)
class SweepPoint(RunSummary):
    """One model trained on one share of the patients."""

    share: float
    """Percent of the training patients."""
    n_patients: int
    model: str
    shown: Interval | None
    """The measure of the curve; None where no patient has it."""


@dataclass(frozen=True, kw_only=True)
class SweepDifference(ModelDifference):
    """Two models at one share."""

    share: float
    model: str
    against: str


@dataclass(frozen=True, kw_only=True)
class FailedRun:
    """A run of a curve without results, and why."""

    share: float
    model: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class SweepResults:
    """A data-efficiency curve: `sweep.json`."""

    settings: tuple[str, ...] = ()
    preset: str = "whole"
    task: str
    title: str
    dataset: str
    measure: ShownMeasure
    """The measure of the curve."""
    further: Mapping[str, ShownMeasure] = field(default_factory=dict)
    models: tuple[str, ...]
    points: tuple[SweepPoint, ...]
    differences: tuple[SweepDifference, ...]
    failed: tuple[FailedRun, ...]
