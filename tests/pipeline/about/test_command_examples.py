"""Every command has examples; each parses, stands in the help and in the reference, and shares folders with care."""

from __future__ import annotations

import re
import shlex
from collections import defaultdict
from pathlib import Path

import pytest

from cinema_cmr.cli import _config_first, _current_words, main
from cinema_cmr.commands.command_table import COMMANDS, command_parser
from cinema_cmr.commands.options.parser import check_paths
from cinema_cmr.pipeline.about.command_examples import EXAMPLES, examples_text
from cinema_cmr.pipeline.about.description import info

REFERENCE = Path(__file__).parents[3] / "docs" / "commands.md"
LINES = [(command, line) for command, examples in EXAMPLES.items() for one in examples for line in one.lines]
FIRST = [line for examples in EXAMPLES.values() for line in examples[0].lines]
OUTPUT = re.compile(r" (?:-o|--output) (\S+)")


def words_of(line: str) -> list[str]:
    """Words after `cinema`, of `source <(cinema ...)` too."""
    found = re.fullmatch(r"(?:source <\()?cinema (.*?)\)?", line)
    assert found is not None, line
    return shlex.split(found[1])


def test_every_command_has_one_to_three_examples_that_use_it() -> None:
    assert list(EXAMPLES) == list(COMMANDS)
    for command, examples in EXAMPLES.items():
        assert 1 <= len(examples) <= 3
        for one in examples:
            assert 1 <= len(one.lines) <= 3 and command in [words_of(line)[0] for line in one.lines]
            assert re.fullmatch(r"[A-Z].*\.", one.note), one.note
            assert all(len(line) <= 130 for line in one.lines)


@pytest.mark.parametrize(("command", "line"), LINES, ids=lambda value: str(value)[:60])
def test_the_parser_accepts_it(command: str, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = words_of(line)
    current = _config_first(_current_words(words[0], words[1:]))
    check_paths(command_parser(words[0]).parse_args(current))
    assert capsys.readouterr().err == "" and current == words[1:], "an old option"


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_ends_with_them(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([command, "--help"])
    printed = capsys.readouterr().out
    assert printed.endswith(f"\n\n{examples_text(command)}\n")
    below = examples_text(command).splitlines()
    assert below[0] == "examples:"
    assert [line for line in below if line.startswith("  cinema")] == [
        f"  {line}" for one in EXAMPLES[command] for line in one.lines if line.startswith("cinema")
    ]


def test_the_reference_and_the_description_have_them() -> None:
    sections = dict(
        re.findall(r"^## (\S+)\n(.*?)(?=^## |\Z)", REFERENCE.read_text(encoding="utf-8"), flags=re.M | re.S)
    )
    described = info().to_dict()
    for command, examples in EXAMPLES.items():
        assert all(
            f"    {line}\n" in sections[command] and one.note in sections[command]
            for one in examples
            for line in one.lines
        )
        assert described["examples"][command] == [{"note": one.note, "lines": list(one.lines)} for one in examples]  # type: ignore[index,call-overload]
    assert described["description_version"] == "1.1"


def test_what_a_first_example_reads_a_line_before_has_made() -> None:
    """No word in capitals stands for something of the reader's, and no folder is there before it is written."""
    for command, examples in EXAMPLES.items():
        made: set[str] = set()
        for line in examples[0].lines:
            words = [word for word in words_of(line)[1:] if not word.startswith("-")]
            assert not [word for word in words if re.fullmatch(r"[A-Z][A-Z0-9_]+(?:/.*)?", word)], line
            assert {word.split("/")[0] for word in words if "/" in word} <= made, f"{command}: {line}"
            made |= set(OUTPUT.findall(line))


def test_first_examples_can_be_pasted_one_after_the_other() -> None:
    """An output is written by one line alone, which finds it finished when it is pasted again."""
    writers = defaultdict(set)
    for line in FIRST:
        for output in OUTPUT.findall(line):
            writers[output].add(line)
    assert {output: lines for output, lines in writers.items() if len(lines) > 1} == {}
