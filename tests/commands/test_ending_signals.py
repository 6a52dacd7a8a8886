"""SIGTERM and SIGHUP end a command as Ctrl-C does."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from cinema_cmr import cli
from cinema_cmr.commands.ending_signals import EndedBySignal, ending_signals
from cinema_cmr.files.leftovers import temporary_folder


@pytest.fixture(autouse=True)
def default_actions() -> Iterator[None]:
    """The tests may run under nohup, which ignores SIGHUP."""
    before = {number: signal.signal(number, signal.SIG_DFL) for number in (signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, action in before.items():
        signal.signal(number, action)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_removes_what_was_unpacked_and_is_told(
    number: signal.Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = signal.getsignal(number)

    def work(_: list[str]) -> int:
        with temporary_folder() as folder:
            (folder / "image").write_text("of a patient")
            os.kill(os.getpid(), number)
        return 0

    monkeypatch.setattr(cli, "_run", work)
    assert cli.main(["analyse"]) == 128 + number
    assert capsys.readouterr().err == f"cinema: {number.name}; finished studies are kept; call again to continue\n"
    assert list(tmp_path.iterdir()) == [] and signal.getsignal(number) is before


def test_a_second_signal_does_not_interrupt_the_clean_up() -> None:
    with ending_signals(), pytest.raises(EndedBySignal):
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)


def test_a_signal_that_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        with ending_signals():
            os.kill(os.getpid(), signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
