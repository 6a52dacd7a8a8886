"""The help of the commands."""

from __future__ import annotations

import re

import pytest

from cinema_cmr.cli import main
from cinema_cmr.commands.command_table import COMMANDS, command_parser


def test_help_of_analyse_fits_one_screen_in_groups(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    with pytest.raises(SystemExit):
        main(["analyse", "--help"])
    text = capsys.readouterr().out.partition("\nexamples:\n")[0]
    assert len(text.splitlines()) <= 60
    assert all(f"\n{group}" in text for group in ("input:", "subject", "model:", "measurement:", "output:"))


def test_help_names_every_recipe_and_no_doubled_sign(capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("finetune", "pretrain"):
        with pytest.raises(SystemExit):
            main([command, "--help"])
    said = capsys.readouterr().out
    assert "lax-mask-unetr" in "".join(said.split()) and "%%" not in said


@pytest.mark.parametrize("name", COMMANDS)
def test_no_option_states_its_default_twice(name: str) -> None:
    parser = command_parser(name)
    formatter = parser._get_formatter()
    for action in parser._actions:
        stated = re.findall(r"\bdefault", formatter._get_help_string(action).replace("%(default)s", ""))
        assert len(stated) <= 1, (action.option_strings, action.help)


def test_every_default_but_that_of_a_switch_is_stated() -> None:
    parser = command_parser("population")
    said = {action.dest: parser._get_formatter()._get_help_string(action) for action in parser._actions}
    assert all(said[name].endswith("(default: %(default)s)") for name in ("engine", "reports", "device", "precision"))
    assert said["workers"].endswith("(default: one a core; slurm: in each job)")
