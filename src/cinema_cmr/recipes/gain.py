"""What pre-training gained: the same recipe from a start and from random weights, on the same patients.

Steps, seed, data and order of the samples are the same for both; the patients that are compared on choose nothing.
With folds every labelled patient is held out once; the models of two folds share most of what they learned from, so
that the interval over patients is somewhat too narrow.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from cinema_cmr.core.errors import InputError, UsageError
from cinema_cmr.data.cases import AnnotatedStudy, Split, subset_patients
from cinema_cmr.engine.trainer import Progress
from cinema_cmr.evaluation.gain import gain_document, primary_of, values_of_model
from cinema_cmr.inference.runtime import choose_runtime
from cinema_cmr.models.adapters import Adaptation
from cinema_cmr.models.cards import read_card
from cinema_cmr.models.loaded import LoadedModel
from cinema_cmr.models.weights import load_model
from cinema_cmr.recipes.experiment import Experiment
from cinema_cmr.recipes.finetune import TrainingData, finetune

__all__ = ["folds_of", "measure_gain"]

Values = dict[str, dict[str, float]]


def measure_gain(
    experiment: Experiment,
    data: TrainingData[AnnotatedStudy],
    folder: Path,
    *,
    start: LoadedModel,
    adaptation: Adaptation | None = None,
    n_folds: int = 0,
    report: Callable[[str, Progress], None] | None = None,
    note: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """The document of `evaluation.gain` of a run that `finetune` ended in `folder`, from random weights beside it.

    Trains in `folder/scratch`, or with `n_folds` twice a fold in `folder/folds/K`; what was trained in part goes on,
    what is complete is not trained again. `report` hears the run's name and its progress, `note` what is not scored.
    With `adaptation` the start's own part is frozen in its runs; of random weights all learn.
    """
    runs = _Runs(experiment=experiment, folder=folder, start=start, adaptation=adaptation, report=report, note=note)
    if n_folds:
        values = runs.of_folds(folds_of(data, n_folds, seed=experiment.train.seed))
    else:
        models = {"start": folder / "model", "scratch": runs.trained(data, folder / "scratch", None)}
        values = {run: runs.scored(model, data.val) for run, model in models.items()}
    how = f"{n_folds}-fold cross-validation" if n_folds else "the validation part"
    task = str(read_card(folder / "model").task)
    learned = "all weights" if adaptation is None else adaptation.title
    about = _about(experiment, data, start, compared_on=how, task=task, learned=learned)
    return gain_document(values["start"], values["scratch"], primary=primary_of(task), **about)


def folds_of(data: TrainingData[AnnotatedStudy], n: int, *, seed: int = 0) -> list[TrainingData[AnnotatedStudy]]:
    """Every patient of both parts in the validation of one fold, each group spread over the folds.

    Raises `UsageError` for more folds than patients.
    """
    studies = [*data.train, *data.val]
    groups = {study.patient: str(study.facts.get("group", "all")) for study in studies}
    if not 2 <= n <= len(groups):
        raise UsageError(f"{n} folds of {len(groups)} labelled patients; expected 2 to {len(groups)}")
    # Drawn, then group by group: every n-th then takes its share of each.
    order = sorted(subset_patients(groups, n=len(groups), seed=seed), key=lambda patient: groups[patient])
    return [_fold(data, studies, set(order[first::n]), f"fold {first + 1} of {n}") for first in range(n)]


def _fold(
    data: TrainingData[AnnotatedStudy], studies: list[AnnotatedStudy], held_out: set[str], rule: str
) -> TrainingData[AnnotatedStudy]:
    learn = [study for study in studies if study.patient not in held_out]
    validate = [study for study in studies if study.patient in held_out]
    parts = {
        name: tuple(sorted({study.patient for study in its}))
        for name, its in (("train", learn), ("validation", validate))
    }
    split = Split(dataset=data.split.dataset, parts=parts, rule=f"{rule} of the labelled patients, groups spread")
    return TrainingData(card=data.card, split=split, train=learn, val=validate)


@dataclass(frozen=True, kw_only=True)
class _Runs:
    """Trains and scores the two runs of each comparison."""

    experiment: Experiment
    folder: Path
    start: LoadedModel
    adaptation: Adaptation | None
    report: Callable[[str, Progress], None] | None
    note: Callable[[str], None] | None

    def trained(self, data: TrainingData[AnnotatedStudy], where: Path, start: LoadedModel | None) -> Path:
        name = where.relative_to(self.folder).as_posix()
        told = None if self.report is None else partial(self.report, name)
        adaptation = None if start is None else self.adaptation
        experiment = replace(self.experiment, start=None, adaptation=adaptation)
        return finetune(experiment, data, where, start=start, report=told).model

    def of_folds(self, folds: Sequence[TrainingData[AnnotatedStudy]]) -> dict[str, Values]:
        """The values of all folds' held-out patients together, by run."""
        joined: dict[str, Values] = {"start": {}, "scratch": {}}
        for number, fold in enumerate(folds, 1):
            for run, first in (("start", self.start), ("scratch", None)):
                model = self.trained(fold, self.folder / "folds" / str(number) / run, first)
                for name, values in self.scored(model, fold.val).items():
                    joined[run].setdefault(name, {}).update(values)
        return joined

    def scored(self, model: Path, studies: Sequence[AnnotatedStudy]) -> Values:
        """Values of the patients that can be scored, none where there is no such patient."""
        train = self.experiment.train
        try:
            return values_of_model(load_model(model), studies, choose_runtime(train.accelerator, train.precision))
        except InputError as error:
            if self.note is not None:
                self.note(f"not compared: {error}")
            return {}


def _about(
    experiment: Experiment, data: TrainingData[AnnotatedStudy], start: LoadedModel, **more: str
) -> dict[str, Any]:
    config = experiment.train
    return {
        "recipe": experiment.name,
        **more,
        "dataset": data.card.name,
        "start": {"name": start.card.name, "hash": start.card.weights_sha256},
        "n_patients_learned_from": len({study.patient for study in data.train}),
        "n_steps": config.n_steps,
        "seed": config.seed,
    }
