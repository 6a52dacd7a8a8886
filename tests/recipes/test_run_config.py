"""The configuration of a run: written when it starts, checked when it is resumed, enough to repeat it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from oracles import annotated, heart
from small_runs import CARD, small, small_unetr

from cinema_cmr.core.errors import UnreadableFileError, UsageError
from cinema_cmr.data.cases import AnnotatedStudy, Split
from cinema_cmr.data.training_set import TrainingData
from cinema_cmr.models.adapters import Adaptation
from cinema_cmr.recipes.experiment import Experiment
from cinema_cmr.recipes.finetune import finetune
from cinema_cmr.recipes.registry import RECIPES_OF_TASKS, recipe
from cinema_cmr.recipes.run_config import record_run, write_config

STUDIES = [annotated(heart((radius,)), f"heart {radius}") for radius in (10.0, 12.0)]


def data(n_train: int = 1) -> TrainingData[AnnotatedStudy]:
    split = Split(dataset="hearts", parts={"train": ("a", "b"), "validation": ("c",)}, rule="by hand")
    return TrainingData(
        card=CARD, split=split, train=STUDIES[:n_train], val=[], source={"data": "lab", "n_train": None}
    )


def written(folder: Path) -> dict[str, dict[str, object]]:
    values: dict[str, dict[str, object]] = yaml.safe_load((folder / "config.yaml").read_text())
    return values


@pytest.mark.parametrize(("task", "name"), [(task, name) for task, names in RECIPES_OF_TASKS.items() for name in names])
def test_every_recipe_survives_the_way_through_a_file(task: str, name: str) -> None:
    experiment = recipe(name, task=task)
    assert Experiment.from_values(yaml.safe_load(yaml.safe_dump(experiment.to_values()))) == experiment
    changed = replace(experiment, start="some model", adaptation=Adaptation(rank=3))
    assert Experiment.from_values(changed.to_values()) == changed


def test_values_are_replaced_by_path_and_checked() -> None:
    experiment = recipe("sax-unet").with_values({"train.optim.lr": 1, "task.augmentation.gamma": 0.2})
    assert experiment.train.optim.lr == 1.0 and experiment.to_values()["task"]["augmentation"]["gamma"] == 0.2
    with pytest.raises(UsageError, match="did you mean 'n_steps'"):
        recipe("sax-unet").with_values({"train.n_step": 1})
    with pytest.raises(UsageError, match="expected a path like"):
        recipe("sax-unet").with_values({"train.n_steps.x": 1})
    with pytest.raises(UsageError, match="n_steps"):
        recipe("sax-unet").with_values({"train.n_steps": "many"})


def test_a_run_writes_what_it_resolved(tmp_path: Path) -> None:
    finetune(small().with_train(precision="auto", n_steps=1), data(), tmp_path)
    config = written(tmp_path)
    experiment = Experiment.from_values(config["experiment"])
    assert experiment.train.precision in ("fp32", "bf16") and experiment.train.accelerator == "cpu"
    assert config["data"] == "lab" and "n_train" not in config
    record = config["record"]
    assert record["start"] == "random weights" and record["n_train_studies"] == 1
    assert {"cinema-cmr", "torch", "numpy", "python"} == set(record["versions"])  # type: ignore[call-overload]
    assert str(tmp_path.parent) not in (tmp_path / "config.yaml").read_text().split("record:")[0]


def test_a_folder_of_another_run_is_refused_before_anything_is_trained(tmp_path: Path) -> None:
    experiment = small_unetr().resolved(start=None)
    write_config(tmp_path, experiment, data(), record_run(data(), None))
    write_config(tmp_path, experiment.with_train(workers=2, log_every=7), data(), record_run(data(), None))
    for other in (experiment.with_train(seed=5), experiment.with_task(thin_stacks=0.9)):
        with pytest.raises(UsageError, match=r"another run, which differs in (train.seed|task.thin_stacks)"):
            write_config(tmp_path, other, data(), record_run(data(), None))
    with pytest.raises(UsageError, match="differs in data_sha256"):
        write_config(tmp_path, experiment, data(2), record_run(data(2), None))
    (tmp_path / "config.yaml").write_text("record: [torn")
    with pytest.raises(UnreadableFileError, match=r"'config.yaml' is damaged"):
        write_config(tmp_path, experiment, data(), record_run(data(), None))


def test_a_file_that_describes_no_experiment_is_refused() -> None:
    values = recipe("sax-unet").to_values()
    with pytest.raises(UsageError, match="experiment lacks train"):
        Experiment.from_values({name: value for name, value in values.items() if name != "train"})
    with pytest.raises(UsageError, match="did you mean 'adaptation'"):
        Experiment.from_values({**values, "adaption": None})
    with pytest.raises(UsageError, match="no task_name"):
        Experiment.from_values({**values, "task": {}})
    with pytest.raises(UsageError, match="expected a mapping"):
        Experiment.from_values(["sax-unet"])  # type: ignore[arg-type]


def test_a_run_of_an_older_version_is_resumed_although_it_lacks_a_newer_value(tmp_path: Path) -> None:
    experiment = small().resolved(start=None)
    write_config(tmp_path, experiment, data(), record_run(data(), None))
    values = written(tmp_path)
    del values["experiment"]["train"]["patience"]  # type: ignore[attr-defined]
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(values))
    assert Experiment.from_values(values["experiment"]) == experiment
    with pytest.raises(UsageError, match=r"differs in train.patience"):
        patient = experiment.with_train(n_steps=2, validate_every=1, patience=2)
        write_config(tmp_path, patient, data(), record_run(data(), None))
    write_config(tmp_path, experiment, data(), record_run(data(), None))
    assert written(tmp_path)["experiment"]["train"]["patience"] == 0  # type: ignore[index]
    values["experiment"]["gone"] = 1
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(values))
    with pytest.raises(UsageError, match=r"another run, which differs in .*gone"):
        write_config(tmp_path, experiment, data(), record_run(data(), None))
