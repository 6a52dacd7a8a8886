"""Options generated from a dataclass: names, groups, flags, and the values on the way back."""

from __future__ import annotations

from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import ClassVar

import pytest
from jsonargparse import ArgumentParser

from cinema_cmr.commands.dataclass_options import add_options, field_docs, options_from
from cinema_cmr.core.errors import UsageError
from cinema_cmr.recipes.options import FinetuneOptions, PretrainOptions, option


@dataclass(frozen=True, kw_only=True)
class _Base:
    group: ClassVar[str] = "input"

    data_folder: str = option(MISSING, short="-d")
    """folder of the
    data"""


@dataclass(frozen=True, kw_only=True)
class _Options(_Base):
    group: ClassVar[str] = "training"

    n_steps: int | None = option()
    """steps"""
    start: str = option("", flag="from")
    """weights"""
    fast: bool = option(False)
    """faster"""
    set: list[str] = field(default_factory=list)
    """values"""


def parser() -> ArgumentParser:
    made = ArgumentParser(prog="x")
    add_options(made, _Options)
    return made


def test_words_become_the_dataclass() -> None:
    words = ["-d", "there", "--n-steps", "3", "--from", "here", "--set", "a=1", "--set", "b=2"]
    options = options_from(_Options, parser().parse_args(words))
    assert options == _Options(data_folder="there", n_steps=3, start="here", set=["a=1", "b=2"])
    assert options_from(_Options, parser().parse_args(["-d", "x", "--fast"])) == _Options(data_folder="x", fast=True)
    with pytest.raises(SystemExit):
        parser().parse_args(["--fast"])


def test_help_has_a_group_for_each_class_and_the_docstrings() -> None:
    text = parser().format_help()
    assert text.index("input:") < text.index("folder of the data") < text.index("training:") < text.index("faster")
    assert field_docs(object) == {}


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
