"""Results on stdout, everything else on stderr; a bar on a terminal, lines without one."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cinema_cmr.cli import main
from cinema_cmr.commands.console import Console, print_error, set_log_format
from cinema_cmr.core.errors import InputError


class Terminal(io.StringIO):
    """A stderr that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_results_and_notes_go_apart(capsys: pytest.CaptureFixture[str]) -> None:
    for as_json in (False, True):
        console = Console(as_json=as_json)
        console.note("working")
        console.result("EF 60 %", {"ef": 60})
    said = capsys.readouterr()
    assert said.err == "working\nworking\n"
    assert said.out.splitlines()[0] == "EF 60 %" and json.loads(said.out.splitlines()[1]) == {"ef": 60}


def test_without_a_terminal_work_is_told_in_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with Console().bar("step") as tell:
        tell(50, 100, "loss 0.5")
    assert capsys.readouterr().err == "step 50/100, loss 0.5\n"


def test_on_a_terminal_there_is_a_bar(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    stderr = Terminal()
    monkeypatch.setattr(sys, "stderr", stderr)
    console = Console()
    with console.bar("step") as tell:
        tell(50, 100, "loss 0.5")
    tell_stage = console.stage("study")
    tell_stage("segment", 2, 2)
    assert "50/100" in stderr.getvalue() and "loss 0.5" in stderr.getvalue()
    assert "\r\x1b[2Kstudy: segment 2/2\n" in stderr.getvalue()
    assert capsys.readouterr().out == ""


@pytest.fixture
def _json_log() -> Iterator[None]:
    set_log_format("json")
    yield
    set_log_format("text")


@pytest.mark.usefixtures("_json_log")
def test_the_log_as_json_has_one_object_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    stderr = Terminal()
    monkeypatch.setattr(sys, "stderr", stderr)
    console = Console()
    console.note("working")
    progress = console.stage("study")
    for done in range(1, 5):
        progress("segment", done, 4)  # the first and the last are written, those between come too soon
    with console.bar("step") as update:
        update(50, 100, "loss 0.5")
    console.failure("study", InputError("no image"))
    print_error("stopped\x1b[2J")
    events = [json.loads(line) for line in stderr.getvalue().splitlines()]
    assert [event["event"] for event in events] == ["note", "progress", "progress", "progress", "error", "error"]
    assert [(event["done"], event["total"]) for event in events[1:4]] == [(1, 4), (4, 4), (50, 100)]
    assert events[4]["exit_code"] == 3 and all("time" in event for event in events)
    assert not set(stderr.getvalue()) & {"\r", "\x1b"}


def test_the_option_log_reaches_errors_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["views", "absent", "--log", "json"]) == 3
    assert json.loads(capsys.readouterr().err)["event"] == "error"
    assert main(["views", "absent"]) == 3
    assert capsys.readouterr().err.startswith("cinema: ")


def test_a_dumb_terminal_has_lines_and_no_color_has_no_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    bar = Terminal()
    monkeypatch.setattr(sys, "stderr", bar)
    with Console().bar("step") as update:
        update(50, 100, "loss 0.5")
    assert "50/100" in bar.getvalue() and not re.search(r"\x1b\[[0-9;]*3[0-9]", bar.getvalue())
    monkeypatch.setenv("TERM", "dumb")
    plain = Terminal()
    monkeypatch.setattr(sys, "stderr", plain)
    with Console().bar("step") as update:
        update(50, 100, "loss 0.5")
    assert plain.getvalue() == "step 50/100, loss 0.5\n"


def test_nothing_that_a_terminal_acts_on_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    name = "\x1b[2J\rcinema: all is well\udcff"
    for as_json in (False, True):
        console = Console(as_json=as_json)
        console.note(name)
        console.result(f"{name}\n  report", {"name": name})
        console.stage(name)("read", 1, 1)
        console.failure(name, ValueError(name))
    print_error(name)
    said = capsys.readouterr()
    assert not set(said.out + said.err) & {"\x1b", "\r", "\udcff"}
    assert said.out.splitlines()[1] == "  report" and json.loads(said.out.splitlines()[2]) == {"name": name}


def test_a_reader_that_stops_does_not_stop_the_work(tmp_path: Path) -> None:
    """Standard output is a pipe whose reader has gone: the work goes on, and nothing is said of it."""
    code = (
        "import sys, pathlib\nfrom cinema_cmr.commands.console import Console\nconsole = Console()\n"
        "for k in range(3): console.result('x' * 100000, {})\npathlib.Path(sys.argv[1]).write_text('done')"
    )
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "end"], stdout=writing, stderr=subprocess.PIPE, check=False
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"") and (tmp_path / "end").read_text() == "done"
