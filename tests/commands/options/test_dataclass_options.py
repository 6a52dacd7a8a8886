"""Options generated from a dataclass: names, groups, flags, and the values on the way back."""

from __future__ import annotations

from dataclasses import MISSING, dataclass, field
from typing import ClassVar

import pytest
from jsonargparse import ArgumentParser

from cinema_cmr.commands.options.dataclass_options import add_options, options_from
from cinema_cmr.core.field_docs import field_docs
from cinema_cmr.recipes.training_options import option


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
