"""Options of a run: a line of help each, the values they replace, and the command line they stand for."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from cinema_cmr.commands.options.dataclass_options import field_docs
from cinema_cmr.core.errors import UsageError
from cinema_cmr.recipes.training_options import FinetuneOptions, PretrainOptions


@pytest.mark.parametrize("options", [FinetuneOptions, PretrainOptions])
def test_every_option_of_a_run_has_a_short_help_and_a_group(options: type) -> None:
    docs = {name: text for owner in options.__mro__ for name, text in field_docs(owner).items()}
    assert {each.name for each in fields(options)} == set(docs)
    assert all(0 < len(text) <= 80 and text[-1] != "." for text in docs.values())


def test_options_change_an_experiment_by_path_and_tell_their_command() -> None:
    options = FinetuneOptions.from_keywords(data="lab", steps=4, set=["train.optim.clip_norm=1e-1", "task.tta=2"])
    changes = {"train.n_steps": 4, "train.optim.clip_norm": 0.1, "task.tta": 2}
    every = {"train.validate_every": 200, "train.checkpoint_every": 200}
    assert options.changes() == {**changes, **every}
    patient = FinetuneOptions(steps=4000, validate_every=50, patience=3).changes()
    assert (patient["train.validate_every"], patient["train.patience"]) == (50, 3)
    command = "cinema finetune --data lab --steps 4 --set train.optim.clip_norm=1e-1 --set task.tta=2 -o run"
    assert sorted(options.command("finetune", Path("run")).split()) == sorted(command.split())
    assert PretrainOptions(skip_blank=True).command("pretrain", Path("a b")) == "cinema pretrain --skip-blank -o 'a b'"


def test_unknown_options_and_values_without_a_path_are_refused() -> None:
    with pytest.raises(UsageError, match="did you mean 'steps'"):
        FinetuneOptions.from_keywords(step=3)
    with pytest.raises(UsageError, match="expected PATH=VALUE"):
        FinetuneOptions(set=["train.n_steps"]).changes()
    with pytest.raises(UsageError, match="no YAML"):
        FinetuneOptions(set=["train.n_steps=[1"]).changes()


def test_paths_and_single_values_are_those_of_the_command_line() -> None:
    options = FinetuneOptions.from_keywords(data=Path("lab"), add_data="phantoms", codes=["1=lv"], split=Path("s.json"))
    assert (options.data, options.add_data, options.codes, options.split) == ("lab", ["phantoms"], ["1=lv"], "s.json")
    assert "--add-data phantoms" in options.command("finetune", Path("run"))
