"""The log: whole lines of JSON from any thread, which no failure of the stream ends."""

from __future__ import annotations

import json
import sys
from io import StringIO
from threading import Thread

import pytest

from cinema_cmr.receive.event_log import EventLog, study_name


def test_events_are_lines_of_json() -> None:
    lines: list[str] = []
    log = EventLog(lines.append)
    threads = [Thread(target=lambda: log.event("queued", study="ab", images=3, error=None)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = [json.loads(line) for line in lines]
    assert len(found) == 8
    assert {(one["event"], one["study"], one["images"], "error" in one) for one in found} == {
        ("queued", "ab", 3, False)
    }
    assert all(one["time"].endswith("+00:00") for one in found)


def test_what_a_terminal_could_act_on_is_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    EventLog().event("association", calling="A\x1b[2J")
    assert "\x1b" not in capsys.readouterr().err


def test_a_closed_stream_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stderr", closed)
    EventLog().event("started")


def test_the_name_of_a_study_is_no_part_of_its_identifier() -> None:
    assert study_name("1.2.3") == study_name("1.2.3") != study_name("1.2.4")
    assert len(study_name("1.2.840.113619.2.55")) == 16
