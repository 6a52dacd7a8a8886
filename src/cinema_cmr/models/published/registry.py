"""Registry of the published models, by their names in the hub repository at one revision.

Imports no torch and fetches nothing; every file is reached through this table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from cinema_cmr.core.card import TaskName
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
"""Pinned revision; the hub never changes the files of a revision."""
HUB_PREFIX = f"hf:{REPOSITORY}/"
SEEDS = (0, 1, 2)
LICENCE = f"as stated on the hub page of {REPOSITORY} and by its training data; read both before use"

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
_KINDS: Mapping[str, TaskName] = {
    "segmentation": "segment",
    "classification": "classify",
    "regression": "regress",
    "landmark": "landmark",
}
_OUTPUTS: Mapping[str, Callable[[View], tuple[str, ...]]] = {
    "segmentation": lambda view: ("background", *(label.name for label in CINE_LABELS)),
    "landmark_heatmap": lambda view: LANDMARKS[view],
    "landmark_coordinate": lambda view: tuple(f"{name}_{axis}" for name in LANDMARKS[view] for axis in "xy"),
    "regression_ef": lambda view: ("ef",),
    "regression_bmi": lambda view: ("bmi",),
    "regression_age": lambda view: ("age",),
}


@dataclass(frozen=True, kw_only=True)
class PublishedModel:
    """One model of the hub repository, with all its seeds."""

    name: str
    """Folder in the repository, e.g. "finetuned/segmentation/acdc_sax"."""
    files: tuple[str, ...]
    """Weights files in the repository, one per seed."""
    config_file: str
    task: TaskName
    views: tuple[View, ...]
    data: str
    """Training data."""
    outputs: tuple[str, ...]
    """Names of labels, landmarks or numbers; the classes of a classification are in its configuration."""
    licence: str = LICENCE
    revision: str = REVISION

    @property
    def hub_name(self) -> str:
        """Name that `load_model` takes."""
        return HUB_PREFIX + self.name


def published_model(name: str) -> PublishedModel:
    """Return a model by name, with or without "hf:mathpluscode/CineMA/"; `UsageError` for an unknown one."""
    short = name.removeprefix(HUB_PREFIX).strip("/")
    if short not in PUBLISHED:
        raise unknown_name("published model", short, PUBLISHED)
    return PUBLISHED[short]


def published_files(name: str) -> tuple[PublishedModel, tuple[str, ...]]:
    """Return a model and the weights files of a name: all seeds of a folder, or one file.

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
        task=_KINDS[task.split("_", maxsplit=1)[0]],
        views=(view,),
        data=_DATASETS[place.split("_", maxsplit=1)[0]],
        outputs=_OUTPUTS[task](view) if task in _OUTPUTS else (),
    )


PUBLISHED: dict[str, PublishedModel] = {model.name: model for model in _models()}
"""Published models by their folder in the hub repository."""
