"""Many runs of one data set, each trained and scored once, kept in its own folder, and compared patient by patient."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from cinema_cmr.core.errors import InputError, UsageError
from cinema_cmr.data.cases import AnnotatedStudy, few_patients
from cinema_cmr.engine.known import mean_of_known
from cinema_cmr.engine.patient_values import METRICS, PatientValues, patient_values
from cinema_cmr.engine.runtime import choose_runtime
from cinema_cmr.engine.trainer import Progress
from cinema_cmr.io.atomic import write_text
from cinema_cmr.models.weights import load_model
from cinema_cmr.recipes.experiment import Experiment
from cinema_cmr.recipes.finetune import TrainingData, finetune
from cinema_cmr.score.statistics import mean_interval, paired_wilcoxon

__all__ = [
    "Outcome",
    "SeriesRun",
    "groups_of",
    "interval_over_patients",
    "n_of_share",
    "paired_difference",
    "run_once",
    "sweep_document",
    "sweep_runs",
]

SCRATCH = "scratch"


@dataclass(frozen=True, kw_only=True)
class SeriesRun:
    """One fine-tuning of a series."""

    experiment: Experiment
    start: str | None = None
    """Weights to start from: a model's name or folder; None from scratch."""
    n_patients: int
    """So many of those to learn from."""
    seed: int = 0

    @property
    def name(self) -> str:
        """A folder's name that tells the run from others of its series."""
        origin = SCRATCH if self.start is None else Path(self.start).name
        return f"{self.experiment.name}_{origin}_{self.n_patients}-patients_seed-{self.seed}"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a run gave."""

    run: SeriesRun
    values: PatientValues
    seconds: float


def sweep_runs(
    experiment: Experiment, *, n_learn: int, shares: Sequence[float], seeds: int, starts: Sequence[str | None]
) -> list[SeriesRun]:
    """All runs of a data-efficiency curve: each share (0 to 1) of the patients, each seed, each start.

    Shares that come to as many patients are one run. Raises `UsageError` for a share outside of 0 to 1 or no seed.
    """
    if not shares or min(shares) <= 0 or max(shares) > 1 or seeds < 1:
        raise UsageError(
            f"shares {list(shares)} of the patients, {seeds} seeds; expected 0 to 1, and at least one seed"
        )
    numbers = dict.fromkeys(n_of_share(share, n_learn) for share in sorted(shares))
    return [
        SeriesRun(experiment=experiment, start=start, n_patients=n, seed=seed)
        for n in numbers
        for seed in range(seeds)
        for start in starts
    ]


def n_of_share(share: float, n: int) -> int:
    """How many patients a share comes to, at least one."""
    return max(1, round(share * n))


def run_once(
    run: SeriesRun, data: TrainingData, folder: Path, *, report: Callable[[Progress], None] | None = None
) -> Outcome:
    """Train and score on the validation part, in `folder`/NAME; what is finished there is read, not run again.

    The model's folder stays beside the scores. Raises `InputError` where the folder holds another run.
    """
    home = folder / run.name
    identity = _identity(run, data)
    path = home / "scores.json"
    if path.exists():
        kept = json.loads(path.read_text(encoding="utf-8"))
        if kept["run"] != identity:
            raise InputError(
                f"'{path.parent.name}' holds a run of other data or settings; choose another output folder"
            )
        return Outcome(run=run, values=_with_nan(kept["values"]), seconds=kept["seconds"])
    began = time.monotonic()
    train = run.experiment.train
    experiment = run.experiment.with_train(seed=run.seed)
    start = None if run.start is None else load_model(run.start)
    model = finetune(experiment, _few(data, run), home, start=start, report=report)
    runtime = choose_runtime(train.accelerator, train.precision)
    values = patient_values(load_model(model), data.validate, runtime)
    outcome = Outcome(run=run, values=values, seconds=round(time.monotonic() - began, 1))
    content = {"run": identity, "values": _without_nan(values), "seconds": outcome.seconds}
    write_text(path, json.dumps(content, indent=1) + "\n", overwrite=True)
    return outcome


def interval_over_patients(outcomes: Sequence[Outcome], metric: str) -> dict[str, Any]:
    """Mean of a metric and its interval over patients, each patient's value being the mean over the runs (seeds)."""
    return asdict(mean_interval(list(_patients(outcomes, metric).values()), seed=0))


def paired_difference(first: Sequence[Outcome], second: Sequence[Outcome], metric: str) -> dict[str, Any]:
    """First minus second over the patients of both, with interval and Wilcoxon's p-value."""
    one, other = _patients(first, metric), _patients(second, metric)
    shared = [p for p in one if p in other and np.isfinite(one[p] - other[p])]
    pairs = np.array([[one[p], other[p]] for p in shared]).reshape(-1, 2)
    found = asdict(mean_interval(pairs[:, 0] - pairs[:, 1], seed=0))
    found["p_value"] = paired_wilcoxon(pairs[:, 0], pairs[:, 1]).p_value if len(pairs) > 1 else float("nan")
    return found


def _patients(outcomes: Sequence[Outcome], metric: str) -> dict[str, float]:
    names = dict.fromkeys(p for outcome in outcomes for p in outcome.values.get(metric, {}))
    return {p: mean_of_known(o.values.get(metric, {}).get(p, float("nan")) for o in outcomes) for p in names}


def _few(data: TrainingData, run: SeriesRun) -> TrainingData:
    """The data with the run's patients alone to learn from, of all groups in turn."""
    chosen = set(few_patients(_groups(data.learn), n=run.n_patients, seed=run.seed))
    return replace(data, learn=[study for study in data.learn if study.patient in chosen])


def _groups(studies: Sequence[AnnotatedStudy]) -> dict[str, str]:
    return {study.patient: str(study.facts.get("group", "all")) for study in studies}


def _identity(run: SeriesRun, data: TrainingData) -> dict[str, Any]:
    """What a finished run must share with one that is asked for."""
    train = run.experiment.train
    return {
        "recipe": run.experiment.name,
        "task": repr(run.experiment.task),
        "start": None if run.start is None else load_model(run.start).card.weights_sha256,
        "n_patients": run.n_patients,
        "seed": run.seed,
        "n_steps": train.n_steps,
        "batch_size": train.batch_size,
        "optim": repr(train.optim),
        "split_sha256": data.split.sha256,
    }


def _without_nan(values: PatientValues) -> dict[str, dict[str, float | None]]:
    return {name: {p: v if np.isfinite(v) else None for p, v in its.items()} for name, its in values.items()}


def _with_nan(values: Mapping[str, Mapping[str, float | None]]) -> PatientValues:
    return {name: {p: float("nan") if v is None else v for p, v in its.items()} for name, its in values.items()}


def groups_of(outcomes: Sequence[Outcome]) -> Iterator[tuple[int, str | None, list[Outcome]]]:
    """Number of patients, start, and the runs (seeds) of both, in the order in which they were made."""
    keys = dict.fromkeys((o.run.n_patients, o.run.start) for o in outcomes)
    for n, start in keys:
        yield n, start, [o for o in outcomes if (o.run.n_patients, o.run.start) == (n, start)]


def sweep_document(outcomes: Sequence[Outcome], **about: Any) -> dict[str, Any]:
    """The curve as plain values: intervals for each number of patients and start, and what a start adds to scratch."""
    metrics = [name for name in METRICS if name in outcomes[0].values]
    rows, gains = [], []
    by_key = {(n, start): its for n, start, its in groups_of(outcomes)}
    for (n, start), its in by_key.items():
        rows.append(
            {
                "n_patients": n,
                "start": SCRATCH if start is None else Path(start).name,
                "n_seeds": len(its),
                "seconds": sum(o.seconds for o in its),
                "metrics": {name: interval_over_patients(its, name) for name in metrics},
            }
        )
        if start is not None and (n, None) in by_key:
            against = {name: paired_difference(its, by_key[n, None], name) for name in metrics}
            gains.append({"n_patients": n, "start": Path(start).name, "metrics": against})
    return {**about, "metrics": metrics, "rows": rows, "gains": gains}
