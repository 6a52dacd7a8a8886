"""An installed package gives architectures, losses, datasets and recipes by name; a model made with it says so."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType

import pytest
import yaml
from oracles import CPU
from small_runs import data

from cinema_cmr.core.errors import UnknownNameError, UsageError, WeightsError
from cinema_cmr.core.plugins import _found, load_plugin, plugin_names, plugin_source
from cinema_cmr.datasets.reading import find_cases
from cinema_cmr.datasets.registry import get_dataset
from cinema_cmr.models.architectures import Architecture
from cinema_cmr.models.weights import load_model
from cinema_cmr.recipes.experiment import Experiment
from cinema_cmr.recipes.finetune import finetune
from cinema_cmr.recipes.registry import recipe
from cinema_cmr.tasks.registry import create_evaluator

PACKAGE = """
from dataclasses import dataclass, replace
from typing import ClassVar
import torch
from torch import nn
from torch.nn import functional as F
from cinema_cmr.core.card import Grid
from cinema_cmr.datasets.readers import folder
from cinema_cmr.engine.trainer import TrainConfig
from cinema_cmr.models.architectures import Architecture
from cinema_cmr.recipes.experiment import Experiment
from cinema_cmr.tasks.registry import TaskType
from cinema_cmr.tasks.segment import SegmentConfig, SegmentEvaluator, SegmentTask

@dataclass(frozen=True, kw_only=True)
class PlainConfig:
    width: int = 4

class Plain(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.layers = nn.Sequential(nn.Conv3d(1, config.width, 3, padding=1), nn.ReLU(), nn.Conv3d(config.width, 4, 1))

    def forward(self, images):
        return {view: self.layers(image) for view, image in images.items()}

ARCHITECTURE = Architecture(config=PlainConfig, network=Plain)

def brier(logits, labels, drawn):
    counted = labels != 255
    truth = F.one_hot(labels.long().clamp(max=3), 4).movedim(-1, 1)
    return (((logits.softmax(1) - truth) ** 2).mean(1) * counted).mean()

def plain_recipe():
    task = SegmentConfig(grid=Grid(spacing_mm=1.5, size=(32, 32)), loss="brier")
    train = TrainConfig(n_steps=2, accelerator="cpu", precision="fp32")
    return Experiment(name="lab-plain", task=task, architecture="lab_plain", network=PlainConfig(width=6), train=train)

@dataclass(frozen=True, kw_only=True)
class CalmConfig(SegmentConfig):
    calm: float = 0.5
    task_name: ClassVar[str] = "lab-calm"

class CalmTask(SegmentTask):
    def card_fields(self):
        return replace(super().card_fields(), task="lab-calm")

def evaluator(loaded, runtime, options):
    as_masks = replace(loaded, card=replace(loaded.card, task="segment"))
    return SegmentEvaluator(as_masks, runtime, options)

TASK = TaskType(name="lab-calm", config=CalmConfig, create=lambda config, network, studies: CalmTask(config, network),
                evaluator=evaluator, primary="dice_mean", primary_title="mean Dice", needs_annotations=True)

def calm_recipe():
    plain = plain_recipe()
    return replace(plain, name="lab-calm-sax", task=CalmConfig(grid=plain.task.grid))

DATASET = replace(folder.DATASET, card=replace(folder.CARD, name="lab-archive", title="The archive of a lab"))
broken = 3
"""
POINTS = """[cinema_cmr.architectures]
lab_plain = lab_net:ARCHITECTURE
[cinema_cmr.losses]
brier = lab_net:brier
broken = lab_net:broken
missing = lab_net:missing
[cinema_cmr.datasets]
lab-archive = lab_net:DATASET
[cinema_cmr.tasks]
lab-calm = lab_net:TASK
[cinema_cmr.recipes]
lab-plain = lab_net:plain_recipe
lab-calm-sax = lab_net:calm_recipe
"""


@pytest.fixture
def lab_net(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An installed package of a lab."""
    place = tmp_path / "site"
    (place / "lab_net-1.2.dist-info").mkdir(parents=True)
    (place / "lab_net.py").write_text(PACKAGE)
    (place / "lab_net-1.2.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: lab-net\nVersion: 1.2\n")
    (place / "lab_net-1.2.dist-info" / "entry_points.txt").write_text(POINTS)
    monkeypatch.syspath_prepend(str(place))
    _found.cache_clear()
    yield place
    _found.cache_clear()
    sys.modules.pop("lab_net", None)


def test_a_model_of_another_package_is_trained_saved_and_loaded_without_a_fork(
    lab_net: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = finetune(recipe("lab-plain"), data(), tmp_path / "run")
    assert result.card.requires == ("lab-net 1.2",) and result.card.architecture == "lab_plain"
    assert "brier" in (tmp_path / "run" / "config.yaml").read_text()
    loaded = load_model(result.model)
    assert type(loaded.model).__module__ == "lab_net" and loaded.card.config == {"width": 6}
    monkeypatch.setattr(sys, "path", [place for place in sys.path if place != str(lab_net)])
    _found.cache_clear()
    with pytest.raises(WeightsError, match=r"unknown architecture 'lab_plain'.*made with lab-net 1\.2: install"):
        load_model(result.model)
    with pytest.raises(UnknownNameError, match="unknown loss 'brier'"):
        finetune(recipe("sax-unet").with_values({"task.loss": "brier"}), data(), tmp_path / "none")


def test_a_task_of_another_package_is_trained_repeated_and_scored(
    lab_net: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert recipe("lab-calm-sax", task="lab-calm").name == "lab-calm-sax"
    result = finetune(recipe("lab-calm-sax"), data(), tmp_path / "run")
    assert (result.card.task, result.card.requires) == ("lab-calm", ("lab-net 1.2",))
    recorded = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())["experiment"]
    assert recorded["task"]["calm"] == 0.5 and Experiment.from_values(recorded).task.task_name == "lab-calm"
    assert create_evaluator(load_model(result.model), CPU).card.name == "lab-calm-sax"
    loaded = load_model(result.model)
    monkeypatch.setattr(sys, "path", [place for place in sys.path if place != str(lab_net)])
    _found.cache_clear()
    with pytest.raises(WeightsError, match=r"unknown task 'lab-calm'.*made with lab-net 1\.2: install that package"):
        create_evaluator(loaded, CPU)


@pytest.mark.parametrize("task", [None, "segment"])
def test_a_recipe_of_another_package_is_among_the_known_names(lab_net: Path, task: str | None) -> None:
    with pytest.raises(
        UnknownNameError, match=r"unknown recipe 'lab-plan'; did you mean 'lab-plain'\? known: .*sax-unet"
    ):
        recipe("lab-plan", task=task)


def test_a_dataset_of_another_package_has_its_name(lab_net: Path, tmp_path: Path) -> None:
    import cinema_cmr as cmr

    assert get_dataset("lab-archive").card.title == "The archive of a lab"
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.nii.gz").write_bytes(b"")
    dataset, cases = find_cases(f"lab-archive:{tmp_path / 'data'}")
    assert dataset.card.name == "lab-archive" and [case.name for case in cases] == ["a"]
    assert cmr.datasets.__getattr__("lab-archive").__doc__.endswith("The archive of a lab")


def test_parts_that_are_no_parts_are_refused(lab_net: Path) -> None:
    assert plugin_names("losses") == ("brier", "broken", "missing") and load_plugin("losses", "none", int) is None
    assert plugin_source("losses", "brier") == "lab-net 1.2" and plugin_source("losses", "none") == ""
    assert isinstance(load_plugin("architectures", "lab_plain", Architecture), Architecture)
    with pytest.raises(UsageError, match=r"'broken' of the package lab-net 1\.2 is a int; expected a function"):
        load_plugin("losses", "broken", FunctionType)
    with pytest.raises(
        UsageError, match=r"'missing' of the package lab-net 1\.2 cannot be imported \(AttributeError\)"
    ):
        load_plugin("losses", "missing", FunctionType)
    with pytest.raises(UsageError, match="is a Dataset; expected a function"):
        load_plugin("datasets", "lab-archive", FunctionType)
