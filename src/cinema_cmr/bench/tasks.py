"""The rows of the benchmark: what is asked, which recipes answer it, and which values of a patient count."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from cinema_cmr.core.errors import unknown_name
from cinema_cmr.core.vocabulary import LANDMARKS, View
from cinema_cmr.data.cases import AnnotatedStudy
from cinema_cmr.tasks.targets import target_value

__all__ = ["MODELS", "TASKS", "BenchTask", "Measure", "chosen", "fitting", "task_named", "why_not"]

Kind = Literal["segment", "regress", "classify", "landmark", "measurements"]

MODELS = {
    "cinema": "CineMA, stems and encoder from the pre-training given with --from",
    "cinema-scratch": "the same network from random weights",
    "unet": "U-Net, from random weights",
    "resnet": "3D ResNet of MONAI, from random weights",
    "experts": "the experts' own masks, measured",
    "shipped": "the model inside this package, as it is, not trained here",
}
"""Everything that a task can be asked of, in the order of the columns; of `TASKS`, each names those that fit it."""

_LEAST = 2
"""Patients to learn from and to be tested on, below which neither a spread nor an interval can be told."""


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One value a patient of `recipes.trial`, whose mean over patients is a result."""

    key: str
    title: str
    unit: str = ""
    digits: int = 3
    size: bool = False
    """Its size counts, not its sign: a signed difference becomes an error."""
    rises: bool = False
    """More is better."""

    def shown(self) -> dict[str, Any]:
        """How a table writes it."""
        return {"title": self.title, "unit": self.unit, "digits": self.digits}

    def of(self, patient: Mapping[str, Any]) -> float:
        """The patient's value; NaN where there is none."""
        value = patient["values"].get(self.key)
        if value is None:
            return float("nan")
        return abs(float(value)) if self.size else float(value)


@dataclass(frozen=True, kw_only=True)
class BenchTask:
    """One row for each dataset that knows the answer."""

    name: str
    title: str
    group: Literal["segmentation", "ejection fraction", "disease and subject", "landmarks"]
    kind: Kind
    run: str
    """Which training its values come from: EF from segmentation is read off the runs of the segmentation."""
    recipes: Mapping[str, str]
    """Model -> name of the recipe; for `measurements`, of the model whose predicted masks are measured; for "shipped",
    of the model itself."""
    measures: tuple[Measure, ...]
    """The first is the one that is shown and compared."""
    target: str | None = None
    """Of a number or class."""
    scheme: str = "cine"
    """Of the labels that a segmentation learns."""
    views: tuple[View, ...] = field(default=(View.SAX,))


_NETWORKS_OF_STUDIES = {"cinema": "{}-vit", "cinema-scratch": "{}-vit", "resnet": "{}-resnet"}
_SEGMENTERS = {"cinema": "sax-unetr", "cinema-scratch": "sax-unetr", "unet": "sax-unet", "shipped": "cinema-sax"}
_DICE = tuple(
    Measure(key=f"dice_{name}", title=f"Dice {title}", rises=True)
    for name, title in (("mean", "mean"), ("lv", "LV"), ("myo", "myocardium"), ("rv", "RV"))
)
_DICE_OF_PLANES = tuple(
    Measure(key=f"dice_{view}_{name}", title=f"Dice {view.title} {title}", rises=True)
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
    Measure(key=f"{start}_{name}", title=f"Dice {title}", rises=True)
    for start, name, title in (
        ("where_present_dice", "infarct", "infarct, where there is one"),
        ("dice", "lv_cavity", "cavity"),
        ("dice", "myo_normal", "normal myocardium"),
    )
)
_RIGHT = (
    Measure(key="right", title="accuracy", rises=True),
    Measure(key="right_by_class", title="balanced accuracy", rises=True),
    Measure(key="blind", title="always the commonest class", rises=True),
)


def _volume(name: str, title: str) -> BenchTask:
    measures = (Measure(key=f"{name}_ef_percent", title=f"{title} error", unit="points", digits=1, size=True),)
    return BenchTask(
        name=f"{title.lower()}-segment",
        title=f"{title} from segmentation",
        group="ejection fraction",
        kind="segment",
        run="segment-sax",
        recipes=_SEGMENTERS,
        measures=measures,
    )


def _number(name: str, title: str, target: str, unit: str, group: Any = "disease and subject") -> BenchTask:
    return BenchTask(
        name=name,
        title=title,
        group=group,
        kind="regress",
        run=name,
        recipes={model: recipe.format("ef") for model, recipe in _NETWORKS_OF_STUDIES.items()},
        measures=(
            Measure(key="difference", title="absolute error", unit=unit, digits=1, size=True),
            Measure(key="blind", title="error of always the mean learned from", unit=unit, digits=1, size=True),
        ),
        target=target,
    )


def _measured(name: str, title: str, target: str, unit: str, group: Any) -> BenchTask:
    """A number that masks measure, where it is known from elsewhere, as of phantoms: how near one can come."""
    return BenchTask(
        name=name,
        title=title,
        group=group,
        kind="measurements",
        run=name,
        recipes={"experts": "", "shipped": "cinema-sax"},
        measures=(
            Measure(key="difference", title="absolute error", unit=unit, digits=1, size=True),
            Measure(key="blind", title="error of always the mean learned from", unit=unit, digits=1, size=True),
        ),
        target=target,
    )


def _class(name: str, title: str, target: str) -> BenchTask:
    recipes = {model: recipe.format("disease") for model, recipe in _NETWORKS_OF_STUDIES.items()}
    return BenchTask(
        name=name,
        title=title,
        group="disease and subject",
        kind="classify",
        run=name,
        recipes=recipes,
        measures=_RIGHT,
        target=target,
    )


def _landmarks(name: str, title: str, recipes: Mapping[str, str], views: tuple[View, ...]) -> BenchTask:
    motion = (("mapse_mean_mm", "MAPSE error", "mm"), ("long_axis_shortening_percent", "shortening error", "points"))
    measures = tuple(Measure(key=key, title=what, unit=unit, digits=1, size=True) for key, what, unit in motion)
    distance = Measure(key="distance_mm", title="median distance", unit="mm", digits=1)
    return BenchTask(
        name=name,
        title=title,
        group="landmarks",
        kind="landmark",
        run=name,
        recipes=recipes,
        measures=(distance, *measures),
        views=views,
    )


_ALL = (
    BenchTask(
        name="segment-sax",
        title="Ventricles and myocardium, short axis",
        group="segmentation",
        kind="segment",
        run="segment-sax",
        recipes=_SEGMENTERS,
        measures=(*_DICE, *_SURFACE),
    ),
    BenchTask(
        name="segment-lax",
        title="Ventricles and myocardium, 4- and 2-chamber",
        group="segmentation",
        kind="segment",
        run="segment-lax",
        recipes={
            "cinema": "lax-mask-unetr",
            "cinema-scratch": "lax-mask-unetr",
            "unet": "lax-mask-unet",
            "shipped": "cinema-lax-masks",
        },
        measures=(_DICE[0], *_DICE_OF_PLANES),
        views=(View.LAX_4C, View.LAX_2C),
    ),
    BenchTask(
        name="segment-scar",
        title="Scar, late enhancement",
        group="segmentation",
        kind="segment",
        run="segment-scar",
        recipes={
            "cinema": "scar-unetr",
            "cinema-scratch": "scar-unetr",
            "unet": "scar-unet",
            "shipped": "cinema-scar",
        },
        measures=_SCAR,
        scheme="scar",
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
        kind="measurements",
        run="disease-measured",
        recipes={"experts": "", **_SEGMENTERS},
        measures=_RIGHT,
        target="group",
    ),
    _number("bmi", "Body mass index", "bmi", "kg/m2"),
    _number("age", "Age", "age_years", "years"),
    _class("sex", "Sex", "sex"),
    _class("vendor", "Maker of the scanner", "vendor"),
    _landmarks(
        "landmark-heatmap",
        "Mitral hinges and apex, by heatmaps",
        {"cinema": "lax-unetr", "cinema-scratch": "lax-unetr", "unet": "lax-unet", "shipped": "cinema-lax"},
        tuple(LANDMARKS),
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


def task_named(name: str) -> BenchTask:
    """The row of a name; raises `UsageError` with the nearest known one."""
    if name not in TASKS:
        raise unknown_name("task", name, TASKS)
    return TASKS[name]


def chosen(names: Iterable[str] | None, known: Mapping[str, Any], kind: str) -> list[str]:
    """The names asked for in the order of the table, or all of them; raises `UsageError` for an unknown one."""
    if names is None:
        return list(known)
    asked = list(names)
    for name in asked:
        if name not in known:
            raise unknown_name(kind, name, known)
    return [name for name in known if name in asked]


def fitting(task: BenchTask, studies: Sequence[AnnotatedStudy]) -> list[AnnotatedStudy]:
    """The studies that tell what the task asks."""
    return [study for study in studies if _tells(task, study)]


def why_not(task: BenchTask, learn: Sequence[AnnotatedStudy], held: Sequence[AnnotatedStudy]) -> str | None:
    """Why these studies, of those that fit, cannot make the row; None where they can."""
    what = task.target or ("landmarks" if task.kind == "landmark" else f"labels of scheme '{task.scheme}'")
    for part, studies in (("to learn from", learn), ("held out", held)):
        n = len({study.patient for study in studies})
        if n < _LEAST:
            return f"{n} patients {part} with {what}; at least {_LEAST} are needed"
    if task.target is not None and len({target_value(study, task.target) for study in learn}) < _LEAST:
        return f"all patients to learn from have the same {what}"
    return None


def _tells(task: BenchTask, annotated: AnnotatedStudy) -> bool:
    if task.kind == "landmark":
        return any(view in annotated.landmarks and view in annotated.study for view in task.views)
    if task.kind == "segment":
        return any(_is_drawn(annotated, view, task.scheme) for view in task.views)
    if View.SAX not in annotated.study:
        return False
    if task.kind == "measurements":
        return _is_drawn(annotated, View.SAX, task.scheme) and str(task.target) in annotated.facts
    known = None if task.target is None else target_value(annotated, task.target)
    return known is not None and not (isinstance(known, float) and np.isnan(known))


def _is_drawn(annotated: AnnotatedStudy, view: View, scheme: str) -> bool:
    labels = annotated.labels.get(view)
    is_there = view in annotated.study and labels is not None and labels.scheme == scheme
    return is_there and not annotated.structures
