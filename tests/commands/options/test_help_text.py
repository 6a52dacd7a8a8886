"""The help of the commands."""

from __future__ import annotations

import re

import pytest

from cinema_cmr.cli import main
from cinema_cmr.commands.command_table import COMMANDS


def test_help_of_analyse_fits_one_screen_in_groups(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    with pytest.raises(SystemExit):
        main(["analyse", "--help"])
    text = capsys.readouterr().out
    assert len(text.splitlines()) <= 60
    assert all(f"\n{group}" in text for group in ("input:", "subject", "model:", "measurement:", "output:"))


def test_help_names_every_recipe_and_no_doubled_sign(capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("finetune", "pretrain"):
        with pytest.raises(SystemExit):
            main([command, "--help"])
    said = capsys.readouterr().out
    assert "lax-mask-unetr" in "".join(said.split()) and "%%" not in said


def test_no_option_states_its_default_twice(capsys: pytest.CaptureFixture[str]) -> None:
    for name in COMMANDS:
        with pytest.raises(SystemExit):
            main([name, "--help"])
        said = " ".join(capsys.readouterr().out.split())
        assert not re.search(r"\(default: [^)]*\) \(default", said), name
