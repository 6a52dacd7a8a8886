"""One run of a benchmark: a model is trained, or taken as it is, and scored on the held-out patients.

Its record has, besides what the run was, one entry a patient with its values by name, so that runs can be averaged
over seeds and compared on the same patients. Differences are signed, measured minus reference. The held-out patients
that are scored choose nothing: neither the step that is kept nor a threshold. With patience others choose the step.
"""

from __future__ import annotations

import hashlib
import math
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from cinema_cmr.bench.data import BenchDataset
from cinema_cmr.bench.measured import classify_by_measurements, measure_number
from cinema_cmr.bench.scored_run import PatientValues, RunIdentity, ScoredRun
from cinema_cmr.bench.suite import RunKey, finished, write_result
from cinema_cmr.bench.tasks import BenchTask
from cinema_cmr.core.errors import CinemaError, InputError, UsageError
from cinema_cmr.data.cases import AnnotatedStudy
from cinema_cmr.data.training_set import TrainingData
from cinema_cmr.engine.progress import Progress
from cinema_cmr.evaluation.evaluate import evaluate
from cinema_cmr.evaluation.record import NotScored
from cinema_cmr.inference.runtime import choose_runtime
from cinema_cmr.models.loaded import LoadedModel
from cinema_cmr.models.weights import load_model
from cinema_cmr.recipes.experiment import Experiment
from cinema_cmr.recipes.finetune import finetune
from cinema_cmr.recipes.presets import with_preset
from cinema_cmr.recipes.registry import recipe
from cinema_cmr.recipes.scalars import with_target
from cinema_cmr.recipes.teacher import NO_TEACHER
from cinema_cmr.score.statistics import finite_mean
from cinema_cmr.tasks.evaluator import PredictionOptions
from cinema_cmr.tasks.result import Result, by_patient
from cinema_cmr.tasks.targets import baseline_target

__all__ = ["PRESETS", "BenchOptions", "BenchRun", "train_and_score"]

_RUNS = "runs"
"""Folder of the runs, beside the tables."""
_NOTE_EVERY_S = 10.0
"""Between notes on the studies that are scored."""

PRESETS = {
    "coarse": "Preset coarse: grids twice as coarse, narrower networks, for a CPU. Compare its results with each other;"
    " those of the whole recipes are better.",
    "medium": "Preset medium: the whole networks on pixels of 2 mm, for a CPU. Compare its results with each other;"
    " those of the whole recipes are better.",
    "smoke": "Preset smoke: grids twice as coarse, narrow networks, few steps. It shows that everything runs, and is no"
    " result of the models.",
    "base": "Preset base: the published size and grids of 1 mm, for a GPU.",
}
"""Preset -> the sentence about it in every table."""

_TOGETHER = PredictionOptions(together=True)
"""All labelled frames as one cine, as `cinema analyse` predicts them: the heart is located once."""

Labelled = TrainingData[AnnotatedStudy]


@dataclass(frozen=True, kw_only=True)
class BenchOptions:
    """Settings of every run of a call."""

    root: Path
    """Folder of runs and tables."""
    device: str = "auto"
    precision: str = "auto"
    workers: int = 0
    steps: int | None = None
    """Updates of every run; None keeps each recipe's number."""
    preset: str | None = None
    """Key of `PRESETS`; None for whole recipes."""
    start: LoadedModel | None = None
    """Pre-training from which the model `cinema` starts."""
    starts: Mapping[str, LoadedModel] = field(default_factory=dict)
    """Further models of a curve: name -> weights from which the network of the same architecture starts."""
    overwrite: bool = False
    """Replace runs with other settings."""
    patience: int = 0
    """Validations in a row without a better one after which a run ends, on the validation part; 0 makes all updates."""
    validate_every: int | None = None
    """Updates between them; given with `patience` alone."""
    choose_by: int = 0
    """Training patients that are set apart for these validations, in place of the validation part; 0 for that."""

    def __post_init__(self) -> None:
        if self.patience < 0 or bool(self.patience) is not (self.validate_every is not None):
            raise UsageError(
                f"patience {self.patience} and a validation every {self.validate_every} updates; expected both or none,"
                " e.g. --patience 4 --validate-every 100"
            )
        if self.choose_by < 0 or (self.choose_by and not self.patience):
            raise UsageError(
                f"{self.choose_by} patients to choose by and patience {self.patience}; expected a positive number of"
                " both, e.g. --patience 5 --validate-every 250 --choose-by 20: correct it, or leave --choose-by out"
            )


@dataclass(frozen=True, kw_only=True)
class BenchRun:
    """A task of `bench.tasks`, one of its models, the data that fits, and a seed."""

    task: BenchTask
    model: str
    dataset: BenchDataset
    options: BenchOptions
    seed: int
    whole: BenchDataset | None = None
    """All of the data if `dataset` is a share of it: names the classes, some of which a share may lack."""

    @property
    def start(self) -> LoadedModel | None:
        """The pre-training that this run starts from."""
        return self.options.start if self.model == "cinema" else self.options.starts.get(self.model)

    @property
    def recipe_name(self) -> str:
        """Name of the recipe: the task's for the model, or for the network that the model's start is of."""
        start = self.options.starts.get(self.model)
        if start is None:
            return self.task.recipes[self.model]
        network = "unet" if start.card.architecture == "unet2d" else "cinema"
        if network not in self.task.recipes:
            raise UsageError(f"'{self.model}' starts from a {start.card.architecture}; '{self.task.name}' has no such")
        return self.task.recipes[network]

    def run_or_keep(
        self, key: RunKey, *, note: Callable[[str], None], report: Callable[[Progress], None] | None = None
    ) -> ScoredRun:
        """Return the record of this run; it is made now unless its folder holds it."""
        folder = key.folder(self.options.root / _RUNS)
        experiment = self._experiment()
        identity = self._identity(experiment)
        if self.options.overwrite and not _is_same(folder, identity):
            shutil.rmtree(folder, ignore_errors=True)
        kept = finished(folder, identity)
        if kept is not None:
            note("  finished before, kept")
            return kept
        if experiment is not None:
            scored = _scored_note(len(self.dataset.data.val), note)
            record = train_and_score(
                experiment,
                self.dataset.data,
                folder,
                start=self.start,
                choosing=self.dataset.choosing if self.options.patience else None,
                report=report,
                scored=scored,
            )
        else:
            record = self._score_without_training(note)
        return write_result(folder, identity, record)

    def _experiment(self) -> Experiment | None:
        """The recipe with the task's target and the call's settings; None if nothing is trained."""
        task, options = self.task, self.options
        if task.by_measurements or self.model == "shipped":
            return None
        chosen = recipe(self.recipe_name, task=task.task)
        if task.target is not None:
            chosen = with_target(chosen, task.target, (self.whole or self.dataset).data.train)
        # With steps there is no validation in between: the held-out patients choose nothing.
        chosen = with_preset(chosen, options.preset, steps=options.steps)
        if options.validate_every is not None:
            chosen = chosen.with_train(patience=options.patience, validate_every=options.validate_every)
        where = {"accelerator": options.device, "precision": options.precision, "workers": options.workers}
        return chosen.with_train(seed=self.seed, **where)

    def _score_without_training(self, note: Callable[[str], None]) -> ScoredRun:
        task, data = self.task, self.dataset.data
        began = time.monotonic()
        if not task.by_measurements:
            return _score(
                load_model(task.recipes[self.model]),
                data,
                device=self.options.device,
                began=began,
                scored=_scored_note(len(data.val), note),
            )
        masks_of, scored = self._masks_of(), _scored_note(len(data.val), note)
        if task.classifies:
            results, model = classify_by_measurements(
                data, masks_of, device=self.options.device, seed=self.seed, report=scored
            )
            name, hash_ = model.name, model.sha256
        else:
            results = measure_number(data, str(task.target), masks_of, device=self.options.device, report=scored)
            name, hash_ = "experts' masks", ""
            if masks_of is not None:
                name, hash_ = masks_of.card.name, masks_of.card.weights_sha256
        return _record(
            results,
            data,
            target=task.target,
            model=name,
            hash=hash_,
            n_steps=0,
            seconds=0.0,
            seconds_to_score=time.monotonic() - began,
        )

    def _masks_of(self) -> LoadedModel | None:
        """The model whose masks are measured; None for the experts' own masks."""
        name = self.task.recipes[self.model]
        if not name:
            return None
        if self.model == "shipped":
            return load_model(name)
        key = RunKey(dataset=self.dataset.name, run="segment-sax", model=self.model, seed=self.seed)
        folder = key.folder(self.options.root / _RUNS) / "model"
        if not folder.is_dir():
            raise InputError(f"there is no segmentation to measure: {key}; run the task 'segment-sax' too")
        return load_model(str(folder))

    def _identity(self, experiment: Experiment | None) -> RunIdentity:
        return RunIdentity(
            task=self.task.run,
            model=self.model,
            recipe=self.recipe_name,
            seed=self.seed,
            preset=self.options.preset or "whole",
            n_steps=0 if experiment is None else experiment.train.n_steps,
            start="" if self.start is None else self.start.card.weights_sha256,
            train=_hash(self.dataset.data.train),
            val=_hash(self.dataset.data.val),
            patience=self.options.patience,
            validate_every=self.options.validate_every or 0,
            choosing=_hash(self.dataset.choosing) if self.options.patience else "",
        )


def train_and_score(
    experiment: Experiment,
    data: Labelled,
    folder: Path,
    *,
    start: LoadedModel | None = None,
    choosing: Sequence[AnnotatedStudy] | None = None,
    report: Callable[[Progress], None] | None = None,
    scored: Callable[[Result | NotScored], None] | None = None,
) -> ScoredRun:
    """Train in `folder`, or resume there, and score every patient of `data.val` on its own grid.

    `choosing`: the studies to validate with in training, None for those that are scored. `report` follows the training,
    `scored` receives the outcome of each study.
    """
    began = time.monotonic()
    # A teacher would give the runs from a start other labels than those from random weights.
    trained_on = data if choosing is None else replace(data, val=choosing)
    result = finetune(experiment, trained_on, folder, start=start, teacher=NO_TEACHER, report=report)
    train = experiment.train
    record = _score(
        result.load(),
        data,
        device=train.accelerator,
        precision=train.precision,
        began=began,
        n_steps=result.n_updates or train.n_steps,
        scored=scored,
    )
    return replace(record, choosing_patients=tuple(sorted({study.patient for study in choosing or ()})))


def _scored_note(n: int, note: Callable[[str], None]) -> Callable[[object], None]:
    """Return a function that notes how many of n studies are scored: the first, the last, and every few seconds."""
    done, last = 0, -math.inf

    def report(_outcome: object) -> None:
        nonlocal done, last
        done += 1
        if done == n or time.monotonic() - last > _NOTE_EVERY_S:
            last = time.monotonic()
            note(f"  scoring: study {done} of {n}")

    return report


def _score(
    loaded: LoadedModel,
    data: Labelled,
    *,
    began: float,
    device: str,
    precision: str = "auto",
    n_steps: int = 0,
    scored: Callable[[Result | NotScored], None] | None = None,
) -> ScoredRun:
    trained = time.monotonic()
    found = evaluate(loaded, data.val, choose_runtime(device, precision), options=_TOGETHER, report=scored)
    return _record(
        found.evaluation.results,
        data,
        target=found.evaluation.target,
        model=loaded.card.name,
        hash=loaded.card.weights_sha256,
        n_steps=n_steps,
        seconds=trained - began if n_steps else 0.0,
        seconds_to_score=time.monotonic() - trained,
    )


def _record(
    results: Sequence[Result],
    data: Labelled,
    *,
    target: str | None,
    model: str,
    hash: str,
    n_steps: int,
    seconds: float,
    seconds_to_score: float,
) -> ScoredRun:
    """Add the baseline (mean or commonest class of the training patients) to the results, patient by patient."""
    baseline = None if target is None else baseline_target(data.train, target, is_class=results[0].target is not None)
    patients = []
    for patient, its in by_patient(results).items():
        values = [_values(result, target, baseline) for result in its]
        names = dict.fromkeys(name for one in values for name in one)
        means = {name: finite_mean(one.get(name, np.nan) for one in values) for name in names}
        patients.append(PatientValues(patient=patient, target=its[0].target, values=means))
    return ScoredRun(
        model=model,
        hash=hash,
        n_steps=n_steps,
        seconds=seconds,
        seconds_to_score=seconds_to_score,
        data=data.card.name,
        split_sha256=data.split.sha256,
        split_rule=data.split.rule,
        n_train_patients=len({study.patient for study in data.train}),
        patients=tuple(patients),
    )


def _values(result: Result, target: str | None, baseline: float | str | None) -> dict[str, float]:
    differences = {name: error for name in result.measured if np.isfinite(error := result.error(name))}
    values = {**result.scores, **differences}
    if isinstance(baseline, str):
        values["baseline"] = float(baseline == result.target)
    elif baseline is not None and target is not None:
        values["baseline"] = baseline - float(result.reference[target] or 0.0)
    return values


def _hash(studies: Sequence[AnnotatedStudy]) -> str:
    names = "\n".join(sorted(f"{study.patient} {study.study.name}" for study in studies))
    return hashlib.sha256(names.encode()).hexdigest()


def _is_same(folder: Path, identity: RunIdentity) -> bool:
    try:
        return finished(folder, identity) is not None
    except CinemaError:
        return False
