"""Every command has a module, a summary and a parser with the options that all commands share."""

from __future__ import annotations

import pytest

from cinema_cmr.cli import main
from cinema_cmr.commands.command_table import ALIASES, COMMANDS, command_parser, current_name


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_has_a_parser_that_knows_log(name: str) -> None:
    parser = command_parser(name)
    assert parser.prog == f"cinema {name}"
    assert "--log" in {word for action in parser._actions for word in action.option_strings}


def test_other_spellings_are_accepted(capsys: pytest.CaptureFixture[str]) -> None:
    assert set(ALIASES.values()) <= set(COMMANDS) and current_name("analyze") == "analyse"
    with pytest.raises(SystemExit) as stop:
        main(["analyze", "--help"])
    assert stop.value.code == 0 and "cinema analyse" in capsys.readouterr().out
