"""Errors of the parser are safe to look at, configurations are bounded, paths are not empty."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from jsonargparse import Namespace

from cinema_cmr.commands.options.parser import CommandParser, check_config_files, check_paths
from cinema_cmr.core.errors import CinemaError, UsageError


def test_an_error_shows_no_control_characters_and_is_short(capsys: pytest.CaptureFixture[str]) -> None:
    parser = CommandParser(prog="cinema")
    parser.add_argument("--n", type=int)
    for word in ("\x1b[2J", "x" * 100_000):
        with pytest.raises(SystemExit) as stop:
            parser.parse_args(["--n", word])
        told = capsys.readouterr().err
        assert stop.value.code == 2 and "\x1b" not in told and len(told) < 1000


def test_what_is_missing_is_named_as_it_is_typed(capsys: pytest.CaptureFixture[str]) -> None:
    parser = CommandParser(prog="cinema")
    parser.add_argument("task", metavar="TASK")
    parser.add_argument("-o", "--output", metavar="FOLDER", required=True)
    parser.add_argument("--ed-frame", type=int, required=True)
    with pytest.raises(SystemExit):
        parser.parse_args([])
    lines = capsys.readouterr().err
    assert "required: TASK, -o FOLDER, --ed-frame ED_FRAME" in lines


@pytest.mark.parametrize("form", ["{}", "--config={}"])
@pytest.mark.parametrize(
    "content", [b"root:x:0:0:root:/root:/bin/bash\n" * 20, b"\0" * 1000, b"[" * 100_000, b"- a\n", b""]
)
def test_another_file_in_place_of_a_configuration_is_refused_and_not_quoted(
    content: bytes, form: str, tmp_path: Path
) -> None:
    (tmp_path / "passwd").write_bytes(content)
    word = form.format(tmp_path / "passwd")
    with pytest.raises(CinemaError, match="passwd'") as caught:
        check_config_files([word] if "=" in form else ["--config", word])
    assert "root" not in str(caught.value)


def test_a_pipe_in_place_of_a_configuration_does_not_wait(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "run.yaml")
    with pytest.raises(CinemaError, match="is a pipe"):
        check_config_files(["--config", str(tmp_path / "run.yaml")])
    with pytest.raises(UsageError, match=r"'none\.yaml' cannot be read"):
        check_config_files(["--config", str(tmp_path / "none.yaml")])


@pytest.mark.parametrize(("name", "value"), [("output", ""), ("inputs", ["a", " "]), ("input", ""), ("manifest", "")])
def test_an_empty_path_is_not_the_current_folder(name: str, value: object) -> None:
    with pytest.raises(UsageError, match=f"the path of '{name}' is empty"):
        check_paths(Namespace(**{name: value}))
    check_paths(Namespace(output="out", inputs=["a"], manifest=None))
