"""The published models by name: what exists, what each does and learned from; no torch, nothing is fetched.

The names are those of the hub repository at one revision; every file is reached through this table only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from cinema_cmr.core.errors import unknown_name
from cinema_cmr.core.vocabulary import CINE_LABELS, LANDMARKS, View

__all__ = [
    "HUB_PREFIX",
    "PUBLISHED",
    "REPOSITORY",
    "REVISION",
    "PublishedModel",
    "published_files",
    "published_model",
]

REPOSITORY = "mathpluscode/CineMA"
REVISION = "b1251ee50423bceeca84c080782fc3bc7756dea6"
"""The revision whose files this package knows; the hub never changes what a revision holds."""
HUB_PREFIX = f"hf:{REPOSITORY}/"
SEEDS = (0, 1, 2)
LICENCE = f"as stated on the hub page of {REPOSITORY} and by the data it learned from; read both before use"

_DATASETS = {
    "acdc": "ACDC",
    "mnms": "M&Ms",
    "mnms2": "M&Ms-2",
    "lax": "long-axis landmarks of the CineMA authors",
}
_HEART = ("acdc_sax", "mnms_sax", "mnms2_sax", "mnms2_lax_4c")
_TASKS: dict[str, tuple[str, ...]] = {
    "segmentation": _HEART,
    "classification_cvd": _HEART,
    "classification_sex": ("mnms_sax",),
    "classification_vendor": ("mnms2_sax", "mnms2_lax_4c"),
    "regression_ef": _HEART,
    "regression_bmi": ("acdc_sax",),
    "regression_age": ("mnms_sax",),
    "landmark_heatmap": ("lax_2c", "lax_4c"),
    "landmark_coordinate": ("lax_2c", "lax_4c"),
}


@dataclass(frozen=True, kw_only=True)
class PublishedModel:
    """One model of the hub repository, with all its seeds."""

    name: str
    """Its folder in the repository, e.g. "finetuned/segmentation/acdc_sax"."""
    files: tuple[str, ...]
    """Weights files in the repository, one a seed."""
    config_file: str
    task: Literal["segment", "landmark", "classify", "regress", "pretrain"]
    views: tuple[View, ...]
    data: str
    """What it learned from."""
    outputs: tuple[str, ...]
    """Label map, landmark names or the number it gives; classes of a diagnosis stand in its configuration."""
    licence: str = LICENCE
    revision: str = REVISION

    @property
    def hub_name(self) -> str:
        """The name that `load_model` takes."""
        return HUB_PREFIX + self.name


def published_model(name: str) -> PublishedModel:
    """The model of a name, with or without "hf:mathpluscode/CineMA/"; `UsageError` for an unknown one."""
    short = name.removeprefix(HUB_PREFIX).strip("/")
    if short not in PUBLISHED:
        raise unknown_name("published model", short, PUBLISHED)
    return PUBLISHED[short]


def published_files(name: str) -> tuple[PublishedModel, tuple[str, ...]]:
    """The model and the weights files that a name asks for: all seeds of a folder, or one file.

    >>> published_files("finetuned/segmentation/acdc_sax/acdc_sax_1.safetensors")[1]
    ('finetuned/segmentation/acdc_sax/acdc_sax_1.safetensors',)
    """
    short = name.removeprefix(HUB_PREFIX).strip("/")
    for model in PUBLISHED.values():
        for file in model.files:
            if short in (file, file.removesuffix(".safetensors")):
                return model, (file,)
    model = published_model(short)
    return model, model.files


def _models() -> Iterator[PublishedModel]:
    yield PublishedModel(
        name="pretrained",
        files=("pretrained/cinema.safetensors",),
        config_file="pretrained/config.yaml",
        task="pretrain",
        views=(View.SAX, View.LAX_2C, View.LAX_3C, View.LAX_4C),
        data="cine images of 74,916 people, without labels (arXiv:2506.00679)",
        outputs=(),
    )
    for task, places in _TASKS.items():
        for place in places:
            yield _fine_tuned(task, place)


def _fine_tuned(task: str, place: str) -> PublishedModel:
    folder = f"finetuned/{task}/{place}"
    view = View(place if place.startswith("lax") else place.split("_", 1)[1])
    return PublishedModel(
        name=folder,
        files=tuple(f"{folder}/{place}_{seed}.safetensors" for seed in SEEDS),
        config_file=f"{folder}/config.yaml",
        task=_task(task),
        views=(view,),
        data=_DATASETS[place.split("_", maxsplit=1)[0]],
        outputs=_outputs(task, view),
    )


def _task(task: str) -> Literal["segment", "landmark", "classify", "regress"]:
    kind = task.split("_", maxsplit=1)[0]
    if kind == "segmentation":
        return "segment"
    if kind == "landmark":
        return "landmark"
    return "classify" if kind == "classification" else "regress"


def _outputs(task: str, view: View) -> tuple[str, ...]:
    if task == "segmentation":
        return ("background", *(label.name for label in CINE_LABELS))
    if task == "landmark_heatmap":
        return LANDMARKS[view]
    if task == "landmark_coordinate":
        return tuple(f"{name}_{axis}" for name in LANDMARKS[view] for axis in "xy")
    return (task.split("_")[1],) if task.startswith("regression") else ()


PUBLISHED: dict[str, PublishedModel] = {model.name: model for model in _models()}
"""Every published model, by its folder in the hub repository."""
