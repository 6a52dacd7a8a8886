"""The first example of every command, pasted by a new user: an empty folder, a new home, each line after the other."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from urllib.request import HTTPCookieProcessor, build_opener

import pytest

from cinema_cmr.cli import main
from cinema_cmr.pipeline.about.command_examples import EXAMPLES
from processes import running, until

QUICK = ("datasets", "info", "weights")
"""Commands whose first example ends within a second; they run in this process."""
SERVERS = {"serve": "fastapi", "serve-dicom": "pynetdicom"}
"""Commands that print an address and wait -> a package that they need."""
EXTRAS = {"train": "lightning", "dicom": "highdicom"}
"""Extra named in an example's note -> a package of it."""
OPENED = re.compile(r"then open (\S+?)(?: \(extra \w+\))?\.$")


def environment(home: Path) -> dict[str, str]:
    """What a new user's shell has: the program's folder first, nothing in the home."""
    home.mkdir()
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    caches = {name: str(home / name.lower()) for name in ("XDG_CACHE_HOME", "HF_HOME", "TORCH_HOME", "MPLCONFIGDIR")}
    return {"PATH": path, "HOME": str(home), "PYTHONUNBUFFERED": "1", **caches}


def as_page(folder: Path, lines: tuple[str, ...]) -> Path:
    page = folder / "page.md"
    page.write_text("".join(f"    {line}\n" for line in lines), encoding="utf-8")
    return page


def require(command: str) -> None:
    for extra in re.findall(r"\(extra (\w+)\)", EXAMPLES[command][0].note):
        if extra in EXTRAS:
            pytest.importorskip(EXTRAS[extra])


@pytest.mark.parametrize(
    "command", [pytest.param(name, marks=[] if name == "weights" else pytest.mark.medium) for name in QUICK]
)
def test_a_quick_example_works(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in environment(tmp_path / "home").items():
        monkeypatch.setenv(name, value)
    for line in EXAMPLES[command][0].lines:
        assert main(shlex.split(line)[1:]) == 0
    assert capsys.readouterr().out.count("\n") > 10


@pytest.mark.slow
@pytest.mark.parametrize("command", [name for name in EXAMPLES if name not in (*QUICK, *SERVERS)])
def test_a_first_example_works_as_pasted(command: str, tmp_path: Path, pasted_page: ModuleType) -> None:
    """It ends without a fault, prints where its results are, and the file to open is there."""
    require(command)
    first, folder = EXAMPLES[command][0], tmp_path / "empty"
    pasted = list(pasted_page.paste(as_page(tmp_path, first.lines), folder, variables=environment(tmp_path / "home")))
    assert [line.text for line in pasted] == list(first.lines)
    last = pasted[-1].printed
    assert "Traceback" not in last and "Error" not in last, last
    output = re.search(r" -o (\S+)", first.lines[-1])
    if output is not None:
        assert output[1] in last, f"where its results are is not printed:\n{last}"
        assert (folder / output[1]).exists()
    opened = OPENED.search(first.note)
    if opened is not None:
        assert opened[1] in last and (folder / opened[1]).stat().st_size > 1000, last


def page_is_served(printed: str) -> None:
    address = re.search(r"http://\S+", printed)
    assert address is not None
    browser = build_opener(HTTPCookieProcessor())  # the token of the address becomes a cookie
    with browser.open(address[0], timeout=20) as reply:
        assert reply.status == 200 and b"<html" in reply.read().lower()


def echo_is_answered(printed: str) -> None:
    from pynetdicom import AE

    found = re.search(r"(\S+)@127\.0\.0\.1:(\d+)", printed)
    assert found is not None
    entity = AE(ae_title="TEST")
    entity.add_requested_context("1.2.840.10008.1.1")
    association = entity.associate("127.0.0.1", int(found[2]), ae_title=found[1])
    assert association.is_established and association.send_c_echo().Status == 0
    association.release()


@pytest.fixture
def _interruptible() -> Iterator[None]:
    """Ctrl-C reaches the programs of a test that itself runs in the background, where it is ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


CHECKS: dict[str, Callable[[str], None]] = {"serve": page_is_served, "serve-dicom": echo_is_answered}


@pytest.mark.slow
@pytest.mark.usefixtures("_interruptible")
@pytest.mark.parametrize("command", SERVERS)
def test_a_server_of_a_first_example_serves_until_it_is_interrupted(
    command: str, tmp_path: Path, pasted_page: ModuleType
) -> None:
    pytest.importorskip(SERVERS[command])
    first, folder = EXAMPLES[command][0], tmp_path / "empty"
    outside = environment(tmp_path / "home")
    list(pasted_page.paste(as_page(tmp_path, first.lines[:-1]), folder, variables=outside))
    errors, words = tmp_path / "errors.txt", shlex.split(first.lines[-1])
    with errors.open("w") as stderr:
        program = [str(Path(sys.executable).parent / words[0]), *words[1:]]
        with running(
            program, cwd=folder, env={**os.environ, **outside}, stdout=subprocess.PIPE, stderr=stderr, text=True
        ) as server:
            assert server.stdout is not None
            printed = server.stdout.readline()
            while "Ctrl-C" not in printed and server.poll() is None:
                printed += server.stdout.readline()

            def replies() -> bool:
                try:
                    CHECKS[command](printed)
                except (OSError, AssertionError):
                    assert server.poll() is None, errors.read_text()
                    return False
                return True

            until(replies)
            server.send_signal(signal.SIGINT)
            assert server.wait(timeout=30) in (0, 130)
    assert "Traceback" not in errors.read_text()
