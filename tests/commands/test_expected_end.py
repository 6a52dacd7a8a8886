"""What a run will take is said once, with seconds an update, minutes and the time of day."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from cinema_cmr.commands.console import Console
from cinema_cmr.commands.expected_end import end_text, said_once
from cinema_cmr.engine.trainer import Progress

FIRST = Progress(
    step=10, n_steps=300, loss=1.0, samples_per_s=0.5, images_per_s=0.5, seconds_left=580.0, seconds_per_step=2.0
)


def test_seconds_minutes_and_time_of_day() -> None:
    noon = time.mktime((2026, 11, 29, 12, 0, 0, 0, 0, -1))
    assert end_text(FIRST, now=noon) == "2 s an update: 290 more take about 10 min, until about 12:09"
    long = replace(FIRST, seconds_left=3 * 86400.0)
    assert end_text(long, now=noon).endswith("until about 02 December, 12:00")


def test_it_is_said_once_before_the_first_progress(capsys: pytest.CaptureFixture[str]) -> None:
    steps: list[int] = []
    observe = said_once(Console(), lambda progress: steps.append(progress.step))
    for step in (10, 50, 100):
        observe(replace(FIRST, step=step))
    assert steps == [10, 50, 100] and capsys.readouterr().err.count("s an update") == 1
