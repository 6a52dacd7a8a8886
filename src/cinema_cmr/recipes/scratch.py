"""What pre-training gained: the same recipe from a start and from random weights, on the same patients.

Steps, seed, data and order of the samples are the same for both; the compared patients choose nothing. With folds
every labelled patient is held out once; the models of two folds share most of their training data, so that the
interval over patients is somewhat too narrow.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from cinema_cmr.core.errors import InputError, UsageError
from cinema_cmr.data.cases import AnnotatedStudy, Split, subset_patients
from cinema_cmr.data.seen_frames import SeenPatients, patients_seen
from cinema_cmr.data.training_set import TrainingData
from cinema_cmr.engine.progress import Progress
from cinema_cmr.evaluation.evaluate import evaluate
from cinema_cmr.evaluation.gain import ComparedRuns, Gain, StartFacts, compare_starts
from cinema_cmr.inference.runtime import choose_runtime
from cinema_cmr.models.loaded import LoadedModel
from cinema_cmr.models.weights import load_model
from cinema_cmr.recipes.experiment import Experiment
from cinema_cmr.recipes.finetune import finetune
from cinema_cmr.recipes.teacher import NO_TEACHER
from cinema_cmr.tasks.registry import task_type
from cinema_cmr.tasks.result import Result

__all__ = ["check_comparable", "compare_with_scratch", "divide_into_folds"]

Labelled = TrainingData[AnnotatedStudy]


def compare_with_scratch(
    experiment: Experiment,
    data: Labelled,
    folder: Path,
    *,
    start: LoadedModel,
    n_folds: int = 0,
    report: Callable[[str, Progress], None] | None = None,
    note: Callable[[str], None] | None = None,
) -> Gain:
    """Train the recipe from random weights too, and compare it with the run that `finetune` completed in `folder`.

    Trains in `folder/scratch`, or with `n_folds` twice a fold in `folder/folds/K`; unfinished runs are resumed,
    finished ones kept. `report` receives a run's name and progress, `note` the reason if a run cannot be scored. An
    adaptation of the experiment holds for the pre-trained runs; runs from random weights train all weights. No teacher
    is added to the data: both runs learn from the labels that it has. Raises `UsageError` for an experiment with
    patience, whose weights the compared patients would choose.
    """
    check_comparable(experiment)
    runs = _Runs(experiment=experiment, folder=folder, start=start, report=report, note=note)
    if n_folds:
        results = runs.of_folds(divide_into_folds(data, n_folds, seed=experiment.train.seed))
    else:
        models = folder / "model", runs.train(data, folder / "scratch", None)
        results = runs.score(models[0], data.val), runs.score(models[1], data.val)
    name = experiment.task.task_name
    compared = ComparedRuns(
        recipe=experiment.name,
        task=name,
        dataset=data.card.name,
        start=StartFacts(name=start.card.name, hash=start.card.weights_sha256),
        learned="all weights" if experiment.adaptation is None else experiment.adaptation.title,
        n_train_patients=len({study.patient for study in data.train}),
        n_steps=experiment.train.n_steps,
        seed=experiment.train.seed,
        compared_on=f"{n_folds}-fold cross-validation" if n_folds else "the validation part",
    )
    return replace(compare_starts(*results, task_type(name), compared), seen=_seen_by(start, results[0], data))


def _seen_by(start: LoadedModel, results: Sequence[Result], data: Labelled) -> SeenPatients | None:
    """Return which of the compared patients the start has seen."""
    compared = {result.patient for result in results}
    return patients_seen(start.card, [study for study in (*data.train, *data.val) if study.patient in compared])


def check_comparable(experiment: Experiment) -> None:
    """Raise `UsageError` for an experiment whose runs choose their weights on the patients that are compared."""
    if experiment.train.patience:
        raise UsageError(
            f"a comparison with random weights, and patience {experiment.train.patience}: the patients compared on"
            " would choose the weights; leave --patience out"
        )


def divide_into_folds(data: Labelled, n: int, *, seed: int = 0) -> list[Labelled]:
    """Hold every patient of both parts out in one fold, each group spread over the folds.

    Raises `UsageError` for more folds than patients.
    """
    studies = [*data.train, *data.val]
    groups = {study.patient: str(study.facts.get("group", "all")) for study in studies}
    if not 2 <= n <= len(groups):
        raise UsageError(f"{n} folds of {len(groups)} labelled patients; expected 2 to {len(groups)}")
    # Drawn, then group by group: every n-th then takes its share of each.
    order = sorted(subset_patients(groups, n=len(groups), seed=seed), key=lambda patient: groups[patient])
    return [_fold(data, studies, set(order[first::n]), f"fold {first + 1} of {n}") for first in range(n)]


def _fold(data: Labelled, studies: list[AnnotatedStudy], held_out: set[str], rule: str) -> Labelled:
    train = [study for study in studies if study.patient not in held_out]
    val = [study for study in studies if study.patient in held_out]
    parts = {
        name: tuple(sorted({study.patient for study in its})) for name, its in (("train", train), ("validation", val))
    }
    split = Split(dataset=data.split.dataset, parts=parts, rule=f"{rule} of the labelled patients, groups spread")
    return replace(data, split=split, train=train, val=val)


@dataclass(frozen=True, kw_only=True)
class _Runs:
    """Trains and scores both runs of a comparison."""

    experiment: Experiment
    folder: Path
    start: LoadedModel
    report: Callable[[str, Progress], None] | None
    note: Callable[[str], None] | None

    def train(self, data: Labelled, where: Path, start: LoadedModel | None) -> Path:
        name = where.relative_to(self.folder).as_posix()
        report = None if self.report is None else partial(self.report, name)
        adaptation = None if start is None else self.experiment.adaptation
        experiment = replace(self.experiment, start=None, adaptation=adaptation)
        return finetune(experiment, data, where, start=start, teacher=NO_TEACHER, report=report).model

    def of_folds(self, folds: Sequence[Labelled]) -> tuple[list[Result], list[Result]]:
        """Results of all folds' held-out patients together, from the start and from random weights."""
        results: tuple[list[Result], list[Result]] = ([], [])
        for number, fold in enumerate(folds, 1):
            for pooled, run, start in zip(results, ("start", "scratch"), (self.start, None), strict=True):
                model = self.train(fold, self.folder / "folds" / str(number) / run, start)
                pooled.extend(self.score(model, fold.val))
        return results

    def score(self, model: Path, studies: Sequence[AnnotatedStudy]) -> list[Result]:
        """Results of the studies that can be scored; none if there is no such study."""
        train = self.experiment.train
        try:
            scored = evaluate(load_model(model), studies, choose_runtime(train.accelerator, train.precision))
        except InputError as error:
            if self.note is not None:
                self.note(f"not compared: {error}")
            return []
        return list(scored.evaluation.results)
