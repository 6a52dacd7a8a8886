"""The rows of the benchmark: task, recipes, and the values of a patient that count."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from cinema_cmr.bench.requirements import (
    Requirement,
    has_labels,
    has_landmarks,
    has_measurable_target,
    has_target,
)
from cinema_cmr.bench.scored_run import PatientValues
from cinema_cmr.core.errors import unknown_name
from cinema_cmr.core.vocabulary import View
from cinema_cmr.data.cases import AnnotatedStudy
from cinema_cmr.report.bench.bench_results import ShownMeasure
from cinema_cmr.tasks.targets import target_value

__all__ = [
    "MODELS",
    "TASKS",
    "BenchTask",
    "Measure",
    "choose",
    "find_task",
    "fitting",
    "why_not",
]

MODELS = {
    "cinema": "CineMA, stems and encoder from the pre-training given with --from",
    "cinema-scratch": "the same network from random weights",
    "unet": "U-Net, from random weights",
    "resnet": "3D ResNet of MONAI, from random weights",
    "experts": "the experts' own masks, measured",
    "shipped": "the model inside this package, as it is, not trained here",
}
"""Every model of the benchmark, in the order of the columns; each of `TASKS` names those that fit it."""

_MIN_PATIENTS = 2
"""Patients of either part, below which neither a spread nor an interval is defined."""


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One value a patient of a run's record, whose mean over patients is a result."""

    key: str
    title: str
    unit: str = ""
    digits: int = 3
    absolute: bool = False
    """Take the absolute value: a signed difference becomes an error."""
    higher_is_better: bool = False

    @property
    def shown(self) -> ShownMeasure:
        """How its mean is shown."""
        return ShownMeasure(
            title=self.title, unit=self.unit, digits=self.digits, higher_is_better=self.higher_is_better
        )

    def of(self, patient: PatientValues) -> float:
        """Return the patient's value; NaN if there is none."""
        value = patient.values.get(self.key, float("nan"))
        return abs(value) if self.absolute else value


@dataclass(frozen=True, kw_only=True)
class BenchTask:
    """One row for each dataset with studies that meet its requirement."""

    name: str
    title: str
    group: str
    """Heading of the table in which it stands."""
    task: str
    """Name in `tasks.registry`."""
    run: str
    """Training from which its values come: EF from segmentation is read off the runs of the segmentation."""
    recipes: Mapping[str, str]
    """Model -> name of its recipe, or, with `by_measurements` and of "shipped", of the model that is measured."""
    measures: tuple[Measure, ...]
    """The first is shown and compared."""
    requires: Requirement
    target: str | None = None
    """Of a regression or classification."""
    by_measurements: bool = False
    """Nothing is trained but what measurements of masks need."""

    @property
    def classifies(self) -> bool:
        """Whether its target is a class."""
        return self.measures[0].key == "correct"


_NETWORKS_OF_STUDIES = {"cinema": "{}-vit", "cinema-scratch": "{}-vit", "resnet": "{}-resnet"}
_SEGMENTERS = {"cinema": "sax-unetr", "cinema-scratch": "sax-unetr", "unet": "sax-unet", "shipped": "cinema-sax"}
_DICE = tuple(
    Measure(key=f"dice_{name}", title=f"Dice {title}", higher_is_better=True)
    for name, title in (("mean", "mean"), ("lv", "LV"), ("myo", "myocardium"), ("rv", "RV"))
)
_DICE_OF_PLANES = tuple(
    Measure(key=f"dice_{view}_{name}", title=f"Dice {view.title} {title}", higher_is_better=True)
    for view in (View.LAX_4C, View.LAX_2C)
    for name, title in (("lv", "LV"), ("myo", "myocardium"), ("rv", "RV"))
    if (view, name) != (View.LAX_2C, "rv")
)
"""A 2-chamber plane shows no right ventricle."""
_SURFACE = tuple(
    Measure(key=f"{key}_{name}_mm", title=f"{title} {name}", unit="mm", digits=digits)
    for key, title, digits in (("assd", "surface distance", 2), ("hd95", "HD95", 1))
    for name in ("lv", "myo", "rv")
)
_SCAR = tuple(
    Measure(key=f"{start}_{name}", title=f"Dice {title}", higher_is_better=True)
    for start, name, title in (
        ("where_present_dice", "infarct", "infarct, where there is one"),
        ("dice", "lv_cavity", "cavity"),
        ("dice", "myo_normal", "normal myocardium"),
    )
)
_CLASS_MEASURES = (
    Measure(key="correct", title="accuracy", higher_is_better=True),
    Measure(key="balanced_accuracy", title="balanced accuracy", higher_is_better=True),
    Measure(key="baseline", title="accuracy of the commonest class", higher_is_better=True),
)


def _volume(name: str, title: str) -> BenchTask:
    measures = (Measure(key=f"{name}_ef_percent", title=f"{title} error", unit="points", digits=1, absolute=True),)
    return BenchTask(
        name=f"{title.lower()}-segment",
        title=f"{title} from segmentation",
        group="ejection fraction",
        task="segment",
        run="segment-sax",
        recipes=_SEGMENTERS,
        measures=measures,
        requires=has_labels("cine", View.SAX, of=name),
    )


def _number_measures(target: str, unit: str) -> tuple[Measure, ...]:
    return (
        Measure(key=target, title="absolute error", unit=unit, digits=1, absolute=True),
        Measure(key="baseline", title="error of the training patients' mean", unit=unit, digits=1, absolute=True),
    )


def _number(name: str, title: str, target: str, unit: str, group: str = "disease and subject") -> BenchTask:
    return BenchTask(
        name=name,
        title=title,
        group=group,
        task="regress",
        run=name,
        recipes={model: recipe.format("ef") for model, recipe in _NETWORKS_OF_STUDIES.items()},
        measures=_number_measures(target, unit),
        requires=has_target(target),
        target=target,
    )


def _measured(name: str, title: str, target: str, unit: str, group: str) -> BenchTask:
    """A number that masks measure, where it is known from elsewhere, as of phantoms: how near one can come."""
    return BenchTask(
        name=name,
        title=title,
        group=group,
        task="regress",
        run=name,
        recipes={"experts": "", "shipped": "cinema-sax"},
        measures=_number_measures(target, unit),
        requires=has_measurable_target(target),
        target=target,
        by_measurements=True,
    )


def _class(name: str, title: str, target: str) -> BenchTask:
    recipes = {model: recipe.format("disease") for model, recipe in _NETWORKS_OF_STUDIES.items()}
    return BenchTask(
        name=name,
        title=title,
        group="disease and subject",
        task="classify",
        run=name,
        recipes=recipes,
        measures=_CLASS_MEASURES,
        requires=has_target(target),
        target=target,
    )


def _landmarks(name: str, title: str, recipes: Mapping[str, str], views: tuple[View, ...]) -> BenchTask:
    motion = (("mapse_mean_mm", "MAPSE error", "mm"), ("long_axis_shortening_percent", "shortening error", "points"))
    measures = tuple(Measure(key=key, title=what, unit=unit, digits=1, absolute=True) for key, what, unit in motion)
    distance = Measure(key="distance_mm", title="median distance", unit="mm", digits=1)
    return BenchTask(
        name=name,
        title=title,
        group="landmarks",
        task="landmark",
        run=name,
        recipes=recipes,
        measures=(distance, *measures),
        requires=has_landmarks(*views),
    )


_ALL = (
    BenchTask(
        name="segment-sax",
        title="Ventricles and myocardium, short axis",
        group="segmentation",
        task="segment",
        run="segment-sax",
        recipes=_SEGMENTERS,
        measures=(*_DICE, *_SURFACE),
        requires=has_labels("cine", View.SAX),
    ),
    BenchTask(
        name="segment-lax",
        title="Ventricles and myocardium, 4- and 2-chamber",
        group="segmentation",
        task="segment",
        run="segment-lax",
        recipes={
            "cinema": "lax-mask-unetr",
            "cinema-scratch": "lax-mask-unetr",
            "unet": "lax-mask-unet",
            "shipped": "cinema-lax-masks",
        },
        measures=(_DICE[0], *_DICE_OF_PLANES),
        requires=has_labels("cine", View.LAX_4C, View.LAX_2C),
    ),
    BenchTask(
        name="segment-scar",
        title="Scar, late enhancement",
        group="segmentation",
        task="segment",
        run="segment-scar",
        recipes={
            "cinema": "scar-unetr",
            "cinema-scratch": "scar-unetr",
            "unet": "scar-unet",
            "shipped": "cinema-scar",
        },
        measures=_SCAR,
        requires=has_labels("scar", View.SAX),
    ),
    _volume("lv", "LVEF"),
    _volume("rv", "RVEF"),
    _number("lvef", "LVEF, regressed from the images", "lv_ef_percent", "points", "ejection fraction"),
    _number("rvef", "RVEF, regressed from the images", "rv_ef_percent", "points", "ejection fraction"),
    _measured("lvef-measured", "LVEF, measured, beside the truth", "lv_ef_percent", "points", "ejection fraction"),
    _measured("rvef-measured", "RVEF, measured, beside the truth", "rv_ef_percent", "points", "ejection fraction"),
    _measured(
        "thickness-measured",
        "Thickest segment at ED, measured, beside the truth",
        "wall_thickness_ed_max_mm",
        "mm",
        "disease and subject",
    ),
    _class("disease", "Disease group, from the images", "group"),
    BenchTask(
        name="disease-measured",
        title="Disease group, from measurements of masks",
        group="disease and subject",
        task="classify",
        run="disease-measured",
        recipes={"experts": "", **_SEGMENTERS},
        measures=_CLASS_MEASURES,
        requires=has_measurable_target("group"),
        target="group",
        by_measurements=True,
    ),
    _number("bmi", "Body mass index", "bmi", "kg/m2"),
    _number("age", "Age", "age_years", "years"),
    _class("sex", "Sex", "sex"),
    _class("vendor", "Maker of the scanner", "vendor"),
    _landmarks(
        "landmark-heatmap",
        "Mitral hinges and apex, by heatmaps",
        {"cinema": "lax-unetr", "cinema-scratch": "lax-unetr", "unet": "lax-unet", "shipped": "cinema-lax"},
        (View.LAX_2C, View.LAX_4C),
    ),
    _landmarks(
        "landmark-coordinates",
        "Mitral hinges and apex, as coordinates, 4-chamber",
        {"cinema": "lax-coordinates", "cinema-scratch": "lax-coordinates"},
        (View.LAX_4C,),
    ),
)

TASKS = {task.name: task for task in _ALL}
"""The table by name. To add a row: one entry here, and a recipe where a new network or grid is wanted."""


def find_task(name: str) -> BenchTask:
    """Return the row of a name; raises `UsageError` for an unknown one."""
    if name not in TASKS:
        raise unknown_name("task", name, TASKS)
    return TASKS[name]


def choose(names: Iterable[str] | None, known: Mapping[str, object], kind: str) -> list[str]:
    """Return the given names in the order of the table, or all of them; raises `UsageError` for an unknown one."""
    if names is None:
        return list(known)
    given = list(names)
    for name in given:
        if name not in known:
            raise unknown_name(kind, name, known)
    return [name for name in known if name in given]


def fitting(task: BenchTask, studies: Sequence[AnnotatedStudy], *, in_part: bool = False) -> list[AnnotatedStudy]:
    """Return, as the task uses them, the studies that meet its requirement, or what of it is enough if none does."""
    is_met = task.requires.is_met_in_part if in_part else task.requires.is_met
    return [] if is_met is None else [task.requires.used(study) for study in studies if is_met(study)]


def why_not(task: BenchTask, train: Sequence[AnnotatedStudy], val: Sequence[AnnotatedStudy]) -> str | None:
    """Return why these fitting studies cannot make the row; None if they can."""
    for part, studies in (("training", train), ("held-out", val)):
        n = len({study.patient for study in studies})
        if n < _MIN_PATIENTS:
            return f"{part} patients with {task.requires.title}: {n}; at least {_MIN_PATIENTS} are needed"
    if task.target is not None and len({target_value(study, task.target) for study in train}) < _MIN_PATIENTS:
        return f"all training patients have the same {task.target}"
    return None
