"""One number (ejection fraction, age) or class (disease, sex) for a whole study.

End-diastole and end-systole of each view are two channels of one image, as the published models see them. Where the
heart is comes from geometry and motion, never from a label, in training as in prediction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cinema_cmr.core.card import Grid
from cinema_cmr.core.errors import InputError, UsageError
from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import View, view_list
from cinema_cmr.data.cases import AnnotatedStudy
from cinema_cmr.data.sample import Batch, Sample
from cinema_cmr.image.augment import Augmentation, change_intensities, draw_intensities, draw_plane, move_planes
from cinema_cmr.image.intensity import normalise
from cinema_cmr.inference.runtime import Runtime
from cinema_cmr.inference.scalar_predictor import ScalarPredictor
from cinema_cmr.inference.study_tensors import PhasePlanes, channels_first, crop_heart, phase_planes
from cinema_cmr.models.loaded import LoadedModel
from cinema_cmr.score.classification import balanced_accuracy, confusion_matrix, score_classes
from cinema_cmr.score.statistics import Interval, bootstrap_interval, finite_mean, mean_interval
from cinema_cmr.tasks.evaluator import Evaluator, PredictionOptions
from cinema_cmr.tasks.result import Confusion, Result, Summary, by_patient, summarise
from cinema_cmr.tasks.targets import bounds_of_cycle, class_name, target_value
from cinema_cmr.tasks.task import CardFields, Loss, Task

__all__ = [
    "ClassificationEvaluator",
    "RegressionEvaluator",
    "ScalarConfig",
    "ScalarEvaluator",
    "ScalarExample",
    "ScalarTask",
]

_TARGET = "target"
_CLASS_SCORES = ("matthews", "auroc", "calibration_error")
Place = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class ScalarConfig:
    """Target, views and grids of a regression or classification."""

    kind: Literal["regress", "classify"]
    target: str
    """Name as in `tasks.targets.target_value`."""
    classes: tuple[str, ...] = ()
    """Of a classification, in the order of the outputs."""
    grids: Mapping[View, Grid]
    """Grid of each view; a study must have one of the views, and a stack needs `n_slices`."""
    augmentation: Augmentation = field(default_factory=lambda: Augmentation(p_random_crop=0.0))
    smoothing: float = 0.1
    """Label smoothing of a classification, 0 to below 1."""

    def __post_init__(self) -> None:
        if not self.grids:
            raise UsageError(f"'{self.target}' from no view; expected at least one with its grid")
        if View.SAX in self.grids and not self.grids[View.SAX].n_slices:
            raise UsageError("the short-axis grid leaves the number of slices open; give n_slices")
        if (self.kind == "classify") != (len(self.classes) > 1):
            raise UsageError(
                f"{self.kind} '{self.target}' with classes {self.classes}; expected two or more to classify"
            )
        if not 0 <= self.smoothing < 1:
            raise UsageError(f"label smoothing of {self.smoothing}; expected 0 to below 1")

    @property
    def task_name(self) -> str:
        """Key of `tasks.registry.TASKS`."""
        return self.kind


@dataclass(frozen=True, kw_only=True)
class ScalarExample:
    """Both phases of a study, and its target."""

    name: str
    views: Mapping[View, PhasePlanes]
    value: float
    """The number, or the class's index."""


class ScalarTask(Task[ScalarExample]):
    """Regression or classification of whole studies; numbers are standardised over the training studies."""

    def __init__(self, config: ScalarConfig, network: nn.Module, *, mean: float = 0.0, std: float = 1.0) -> None:
        if not std > 0:
            raise UsageError(f"'{config.target}' has SD {std} in the studies to learn from; expected more than 0")
        super().__init__(network)
        self.config, self.mean, self.std = config, mean, std

    @classmethod
    def of(cls, config: ScalarConfig, network: nn.Module, studies: Sequence[AnnotatedStudy]) -> ScalarTask:
        """Return the task with mean and SD of the target in the training studies.

        Raises `InputError` if fewer than two of them have the target.
        """
        if config.kind == "classify":
            return cls(config, network)
        values = [value for study in studies if isinstance(value := target_value(study, config.target), float)]
        if len(values) < 2:
            raise InputError(f"{len(values)} of {len(studies)} studies have '{config.target}'; expected two or more")
        return cls(config, network, mean=float(np.mean(values)), std=float(np.std(values)))

    def examples(self, annotated: AnnotatedStudy) -> list[ScalarExample]:
        """Return the study as one example; none if its target is unknown.

        Raises `InputError` for a study without a view of the task, or of a class that is not in the configuration.
        """
        value = target_value(annotated, self.config.target)
        if value is None or (isinstance(value, float) and not np.isfinite(value)):
            return []
        views = phase_planes(annotated.study, self.config.grids, bounds_of_cycle(annotated))
        return [ScalarExample(name=annotated.study.name, views=views, value=self._as_number(value))]

    def sample(self, example: ScalarExample, rng: np.random.Generator | None) -> Sample:
        """Return crops around the heart, with `rng` augmented."""
        images = {
            str(view): channels_first(
                crop_heart(phases, self.config.grids[view]) if rng is None else self._drawn(phases, view, rng)
            )
            for view, phases in example.views.items()
        }
        value = (example.value - self.mean) / self.std
        return Sample(name=example.name, images=images, values={_TARGET: torch.tensor([value])})

    def loss(self, batch: Batch) -> Loss:
        """Run the network on a batch and compare with the target."""
        return self.criterion(self.network(batch.images).float(), batch.values[_TARGET])

    def criterion(self, outputs: Tensor, target: Tensor) -> Loss:
        """Squared error of the scaled number, or cross-entropy of the class index (b, 1); may be overridden."""
        if self.config.kind == "regress":
            total = F.mse_loss(outputs, target)
            return Loss(total=total, parts={"squared_error": float(total.detach())})
        total = F.cross_entropy(outputs, target[:, 0].long(), label_smoothing=self.config.smoothing)
        return Loss(total=total, parts={"cross_entropy": float(total.detach())})

    def validate(self, batch: Batch) -> Mapping[str, Sequence[float]]:
        """Return the absolute error in the target's unit, or 1 for a correct and 0 for a wrong class."""
        outputs, targets = self.network(batch.images).float(), batch.values[_TARGET]
        if self.config.kind == "regress":
            return {"absolute_error": ((outputs - targets).abs()[:, 0] * self.std).tolist()}
        return {"accuracy": (outputs.argmax(dim=1) == targets[:, 0].long()).float().tolist()}

    def validation_score(self, scores: Mapping[str, float]) -> float:
        """Return minus the mean absolute error in the target's unit, or the accuracy, 0 to 1."""
        return -scores["absolute_error"] if self.config.kind == "regress" else scores["accuracy"]

    def card_fields(self) -> CardFields:
        """Return the target with its mean and standard deviation, or the classes."""
        config = self.config
        if config.kind == "classify":
            return CardFields(
                task="classify", grids=config.grids, outputs=config.classes, training={"target_name": config.target}
            )
        scale = {"mean": self.mean, "std": self.std}
        return CardFields(task="regress", grids=config.grids, outputs=(config.target,), training={"target": scale})

    def _as_number(self, value: float | str) -> float:
        if self.config.kind == "classify":
            name = class_name(value)
            if name not in self.config.classes:
                raise InputError(f"'{self.config.target}' is '{name}'; expected one of {list(self.config.classes)}")
            return float(self.config.classes.index(name))
        if isinstance(value, str):
            raise InputError(f"'{self.config.target}' is '{value}'; expected a number")
        return value

    def _drawn(self, phases: PhasePlanes, view: View, rng: np.random.Generator) -> Tensor:
        """(x, y, z, 2), moved as one, with one change of intensity for both phases."""
        grid, config = self.config.grids[view], self.config.augmentation
        n_slices = phases.planes.shape[2]
        draw = draw_plane(rng, config, heart=phases.heart, shape=phases.planes.shape[:2], spacing_mm=grid.spacing_mm)
        source = torch.from_numpy(phases.planes.astype(np.float32)).flatten(2).permute(2, 0, 1).unsqueeze(1)
        image = move_planes(source, draw, grid.size, mode="bilinear").squeeze(1).permute(1, 2, 0)
        scaled = torch.from_numpy(normalise(image.numpy(), grid.percentiles))
        changed = change_intensities(scaled, draw_intensities(rng, config))
        return changed.reshape(*grid.size, n_slices, 2)


class ScalarEvaluator(Evaluator):
    """Numbers or classes of whole studies against the dataset's facts or the measurements of its masks."""

    target: str

    def __init__(self, loaded: LoadedModel, runtime: Runtime, options: PredictionOptions) -> None:
        self.card, self.predictor = loaded.card, ScalarPredictor(loaded, runtime)
        self.target = loaded.card.outputs[0]

    def not_scorable(self, annotated: AnnotatedStudy) -> str | None:
        """Require images of one of the model's views, and the target."""
        if not any(view in annotated.study for view in self.card.grids):
            return f"no images of the {view_list(self.card.grids, 'or')}"
        return f"'{self.target}' is unknown" if target_value(annotated, self.target) is None else None

    def predict(self, study: Study) -> dict[str, float]:
        """Predict the number, or the probability of each class."""
        return self.predictor.predict(study)

    def predict_phases(self, annotated: AnnotatedStudy) -> dict[str, float]:
        """Predict from end-diastole and end-systole: the labelled frames where a dataset has them."""
        return self.predictor.predict(annotated.study, bounds_of_cycle(annotated))


class RegressionEvaluator(ScalarEvaluator):
    """A number of each study: its absolute error, and that of the mean of the evaluated patients."""

    def evaluate(self, annotated: AnnotatedStudy) -> Result:
        """Score the predicted number; raises `InputError` for a target that is a class."""
        target = target_value(annotated, self.target)
        if not isinstance(target, float):
            raise InputError(f"'{self.target}' of '{annotated.study.name}' is '{target}'; expected a number")
        predicted = self.predict_phases(annotated)[self.target]
        return Result(
            study=annotated.study.name,
            patient=annotated.patient,
            facts=annotated.facts,
            scores={"absolute_error": abs(predicted - target)},
            measured={self.target: predicted},
            reference={self.target: target},
        )

    def summarise(self, results: Sequence[Result], *, seed: int = 0) -> Summary:
        """Add the baseline: the error of predicting these patients' mean."""
        summary = summarise(results, seed=seed)
        groups = by_patient(results).values()
        target = np.array([finite_mean(r.reference[self.target] or 0.0 for r in its) for its in groups])
        baseline = mean_interval(np.abs(target - np.nanmean(target)), seed=seed)
        return replace(summary, scores={**summary.scores, "baseline_absolute_error": baseline})


class ClassificationEvaluator(ScalarEvaluator):
    """A class of each study, and the probability of each class."""

    def __init__(self, loaded: LoadedModel, runtime: Runtime, options: PredictionOptions) -> None:
        super().__init__(loaded, runtime, options)
        self.target, self.classes = str(loaded.card.training.get("target_name", "group")), loaded.card.outputs

    def evaluate(self, annotated: AnnotatedStudy) -> Result:
        """Score the predicted class; raises `InputError` for a class that the model lacks."""
        target = class_name(target_value(annotated, self.target))
        if target not in self.classes:
            raise InputError(
                f"'{self.target}' of '{annotated.study.name}' is '{target}'; expected a class of model"
                f" '{self.card.name}': {list(self.classes)}"
            )
        probs = self.predict_phases(annotated)
        predicted = max(probs, key=lambda name: probs[name])
        return Result(
            study=annotated.study.name,
            patient=annotated.patient,
            facts=annotated.facts,
            scores={
                "correct": float(predicted == target),
                "prob_of_target": probs[target],
                **{f"prob_{name}": prob for name, prob in probs.items()},
            },
            target=target,
        )

    def summarise(self, results: Sequence[Result], *, seed: int = 0) -> Summary:
        """Accuracy with its interval, balanced accuracy, Matthews, AUROC, calibration, confusion; each study counts."""
        truth = np.array([self.classes.index(str(result.target)) for result in results])
        probs = np.array([[result.scores[f"prob_{name}"] for name in self.classes] for result in results])
        correct = (probs.argmax(axis=1) == truth).astype(float)
        found = score_classes(truth, probs)
        counts = confusion_matrix(truth, probs.argmax(axis=1), n_classes=len(self.classes))
        without = {name: _without_interval(getattr(found, name), len(truth)) for name in _CLASS_SCORES}
        return Summary(
            n_patients=len(by_patient(results)),
            n_studies=len(results),
            scores={
                "accuracy": mean_interval(correct, seed=seed),
                "balanced_accuracy": bootstrap_interval(balanced_accuracy, truth, correct, seed=seed, along_axis=True),
                **without,
            },
            measurements={},
            confusion=Confusion(classes=self.classes, counts=tuple(tuple(map(int, row)) for row in counts)),
        )


def _without_interval(value: float, n: int) -> Interval:
    return Interval(value=value, low=np.nan, high=np.nan, method="none", n=n, n_excluded=0)
