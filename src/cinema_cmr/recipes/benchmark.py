"""The tasks of the benchmark as a table, and how each model of a task gets its numbers on one data set."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from cinema_cmr.core.annotation import LabelMap
from cinema_cmr.core.errors import CinemaError, InputError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.data.cases import AnnotatedStudy
from cinema_cmr.engine.patient_values import PatientValues, patient_values
from cinema_cmr.engine.predictor import predict_cine
from cinema_cmr.engine.runtime import choose_runtime
from cinema_cmr.engine.segmenter import Segmenter
from cinema_cmr.models.weights import load_model
from cinema_cmr.recipes.disease import measured_patient, train_disease_model
from cinema_cmr.recipes.experiment import Experiment
from cinema_cmr.recipes.finetune import TrainingData
from cinema_cmr.recipes.registry import recipe
from cinema_cmr.recipes.scalars import with_target
from cinema_cmr.recipes.series import SeriesRun, run_once
from cinema_cmr.score.statistics import mean_interval
from cinema_cmr.tasks.targets import known_value, measured_by_experts

__all__ = ["TASKS", "BenchModel", "BenchTask", "Bencher"]

Kind = Literal["segment", "landmark", "regress", "classify"]
How = Literal["pre-trained", "scratch", "shipped", "expert masks", "predicted masks", "measurements"]


@dataclass(frozen=True, kw_only=True)
class BenchModel:
    """One way to answer a task."""

    title: str
    how: How
    """Trained from the weights given or from scratch; a model of the package; or by measuring masks."""
    recipe: str = ""
    model: str = ""
    """Of what is shipped, and of predicted masks."""


@dataclass(frozen=True, kw_only=True)
class BenchTask:
    """What is asked, and who answers."""

    name: str
    title: str
    kind: Kind
    models: tuple[BenchModel, ...]
    target: str | None = None
    modality: str = "cine"
    view: View | None = None
    """Whose labels it needs."""


def _networks(ours: str, other: str, other_title: str) -> tuple[BenchModel, ...]:
    return (
        BenchModel(title=f"{ours}, pre-trained", how="pre-trained", recipe=ours),
        BenchModel(title=f"{ours}, scratch", how="scratch", recipe=ours),
        BenchModel(title=other_title, how="scratch", recipe=other),
    )


_MASKS = (
    BenchModel(title="measured from experts' masks", how="expert masks"),
    BenchModel(title="measured from masks of cinema-sax", how="predicted masks", model="cinema-sax"),
)
_NUMBERS = _networks("ef-vit", "ef-resnet", "ResNet of MONAI")

TASKS: tuple[BenchTask, ...] = (
    BenchTask(
        name="segment-sax",
        title="Short-axis segmentation, and EF from it",
        kind="segment",
        view=View.SAX,
        models=(
            *_networks("sax-unetr", "sax-unet", "U-Net"),
            BenchModel(title="cinema-sax, as shipped", how="shipped", model="cinema-sax"),
        ),
    ),
    BenchTask(
        name="segment-lax",
        title="Long-axis segmentation",
        kind="segment",
        view=View.LAX_4C,
        models=(BenchModel(title="U-Net", how="scratch", recipe="lax-mask-unet"),),
    ),
    BenchTask(
        name="segment-scar",
        title="Scar on late enhancement",
        kind="segment",
        view=View.SAX,
        modality="lge",
        models=(
            *_networks("scar-unetr", "scar-unet", "U-Net"),
            BenchModel(title="cinema-scar, as shipped", how="shipped", model="cinema-scar"),
        ),
    ),
    BenchTask(
        name="landmark-heatmap",
        title="Long-axis landmarks, heatmaps",
        kind="landmark",
        models=_networks("lax-unetr", "lax-unet", "U-Net"),
    ),
    BenchTask(
        name="landmark-coordinates",
        title="Long-axis landmarks, coordinates",
        kind="landmark",
        models=_networks("lax-coordinates", "lax-coordinates", "")[:2],
    ),
    BenchTask(name="lvef", title="LVEF", kind="regress", target="lv_ef_percent", models=(*_NUMBERS, *_MASKS)),
    BenchTask(name="rvef", title="RVEF", kind="regress", target="rv_ef_percent", models=(*_NUMBERS, *_MASKS)),
    BenchTask(
        name="thickness",
        title="Largest wall thickness at end-diastole, mm",
        kind="regress",
        target="wall_thickness_ed_max_mm",
        models=_MASKS,
    ),
    BenchTask(name="bmi", title="Body mass index", kind="regress", target="bmi", models=_NUMBERS),
    BenchTask(name="age", title="Age", kind="regress", target="age_years", models=_NUMBERS),
    BenchTask(
        name="disease",
        title="Disease group",
        kind="classify",
        target="group",
        models=(
            *_networks("disease-vit", "disease-resnet", "ResNet of MONAI"),
            BenchModel(title="twelve measurements of experts' masks", how="measurements"),
        ),
    ),
    BenchTask(
        name="sex",
        title="Sex",
        kind="classify",
        target="sex",
        models=_networks("disease-vit", "disease-resnet", "ResNet of MONAI"),
    ),
)
"""To add a task: a row here."""


@dataclass(frozen=True, kw_only=True)
class Bencher:
    """Makes the rows of a task on one data set; what is finished in `folder` is read."""

    folder: Path
    start: str | None = None
    """Pre-trained weights; None leaves out the models that need them."""
    n_steps: int | None = None
    seed: int = 0
    device: str = "auto"
    report: Callable[[str], None] = print
    masks: dict[str, LabelMap] = field(default_factory=dict, repr=False)
    """Predicted masks of studies, made once for all tasks."""

    def rows(self, task: BenchTask, data: TrainingData, *, models: tuple[str, ...] = ()) -> list[dict[str, Any]]:
        """A row for each model (of those named, or all): metrics with intervals, or the reason why there are none.

        Raises `InputError` where the data does not have what the task asks for.
        """
        part = _of_task(task, data)
        rows = []
        for model in task.models:
            if models and model.how not in models:
                continue
            self.report(f"{task.title}: {model.title}")
            began = time.monotonic()
            try:
                values, seconds = self._values(task, model, part)
            except CinemaError as error:
                rows.append({"model": model.title, "metrics": {}, "seconds": 0.0, "reason": str(error)})
                continue
            metrics = {name: asdict(mean_interval(list(its.values()), seed=0)) for name, its in values.items()}
            taken = seconds if seconds is not None else time.monotonic() - began
            rows.append({"model": model.title, "metrics": metrics, "seconds": round(taken, 1)})
        return rows

    def _values(self, task: BenchTask, model: BenchModel, data: TrainingData) -> tuple[PatientValues, float | None]:
        """Metrics by patient, and how long a training took, now or when it was made."""
        if model.how in ("pre-trained", "scratch"):
            if model.how == "pre-trained" and self.start is None:
                raise InputError("no pre-trained weights were given (--from)")
            made = run_once(self._run(task, model, data), data, self.folder / "runs" / task.name)
            return made.values, made.seconds
        if model.how == "shipped":
            return patient_values(load_model(model.model), data.validate, choose_runtime(self.device, "auto")), None
        if model.how == "measurements":
            return _measurements(data), None
        return self._measured_error(task, model, data), None

    def _measured_error(self, task: BenchTask, model: BenchModel, data: TrainingData) -> PatientValues:
        """Absolute error of the target as measured from the experts' masks, or from predicted ones."""
        target, errors = str(task.target), {}
        if model.how == "expert masks" and not any(target in study.facts for study in data.validate):
            raise InputError("the known values are those of the experts' masks: nothing to compare")
        for study in data.validate:
            known, shown = known_value(study, target), study
            if model.how == "predicted masks":
                shown = replace(study, labels={**study.labels, View.SAX: self._predicted(study, model.model)})
            measured = measured_by_experts(shown)
            value = None if measured is None else measured.value(target)
            if value is not None and isinstance(known, float | int):
                errors[study.patient] = abs(value - known)
        if not errors:
            raise InputError(f"no study has labelled frames from which '{target}' can be measured")
        return {"absolute_error": errors}

    def _predicted(self, study: AnnotatedStudy, model: str) -> LabelMap:
        key = f"{model} {study.study.name}"
        if key not in self.masks:
            loaded = load_model(model)
            segmenter = Segmenter(loaded.members, loaded.card, choose_runtime(self.device, "auto"))
            self.masks[key] = predict_cine(study.study.cine(View.SAX), segmenter).labels
        return self.masks[key]

    def _run(self, task: BenchTask, model: BenchModel, data: TrainingData) -> SeriesRun:
        experiment = self._experiment(task, recipe(model.recipe, task=task.kind), data)
        return SeriesRun(
            experiment=experiment,
            start=self.start if model.how == "pre-trained" else None,
            n_patients=len({study.patient for study in data.learn}),
            seed=self.seed,
        )

    def _experiment(self, task: BenchTask, experiment: Experiment, data: TrainingData) -> Experiment:
        n_steps = self.n_steps or experiment.train.n_steps
        experiment = experiment.with_train(n_steps=n_steps, validate_every=n_steps, accelerator=self.device)
        return experiment if task.target is None else with_target(experiment, task.target, data.learn)


def _of_task(task: BenchTask, data: TrainingData) -> TrainingData:
    """The studies of both parts that have what the task asks for."""
    learn, validate = ([s for s in part if _has(task, s)] for part in (data.learn, data.validate))
    if not learn or not validate:
        wanted = task.target or ("landmarks" if task.kind == "landmark" else f"{task.modality} labels")
        raise InputError(
            f"'{data.card.name}' has {wanted} in {len(learn)} studies to learn from and {len(validate)} to score on"
        )
    return replace(data, learn=learn, validate=validate)


def _has(task: BenchTask, study: AnnotatedStudy) -> bool:
    if study.study.modality != task.modality:
        return False
    if task.kind == "landmark":
        return any(view in study.study for view in study.landmarks)
    if task.kind == "segment":
        return task.view in study.labels and not study.structures
    return View.SAX in study.study and task.target is not None and known_value(study, task.target) is not None


def _measurements(data: TrainingData) -> PatientValues:
    """The disease model of measurements, fitted on the part to learn from."""
    fitted = train_disease_model(data)
    patients = [measured_patient(study) for study in data.validate]
    return {"right": {p.patient: float(fitted.opinion(p.found).group == p.group) for p in patients}}
