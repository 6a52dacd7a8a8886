"""What a run will take is said once, with seconds an update, minutes and the time of day."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from cinema_cmr.commands.console import Console
from cinema_cmr.commands.expected_end import early_stopping_line, end_text, progress_text, said_once
from cinema_cmr.engine.early_stopping import BestValidation
from cinema_cmr.engine.progress import Progress
from cinema_cmr.recipes.run import RunResult

FIRST = Progress(
    step=10, n_steps=300, loss=1.0, samples_per_s=0.5, images_per_s=0.5, seconds_left=580.0, seconds_per_step=2.0
)


def test_seconds_minutes_and_time_of_day() -> None:
    noon = time.mktime((2026, 11, 29, 12, 0, 0, 0, 0, -1))
    assert end_text(FIRST, now=noon) == "2 s an update: 290 more take about 10 min, until about 12:09"
    early = end_text(replace(FIRST, may_stop_early=True), now=noon)
    assert early == "2 s an update: 290 more take at most about 10 min, until at the latest about 12:09"
    long = replace(FIRST, seconds_left=3 * 86400.0)
    assert end_text(long, now=noon).endswith("until about 02 December, 12:00")


def test_it_is_said_once_before_the_first_progress(capsys: pytest.CaptureFixture[str]) -> None:
    steps: list[int] = []
    observe = said_once(Console(), lambda progress: steps.append(progress.step))
    for step in (10, 50, 100):
        observe(replace(FIRST, step=step))
    assert steps == [10, 50, 100] and capsys.readouterr().err.count("s an update") == 1


def test_a_run_that_had_ended_reports_no_loss() -> None:
    """Begun again it was validated once more, and said "loss nan, 0.00 samples/s"."""
    again = replace(FIRST, loss=float("nan"), samples_per_s=0.0)
    assert progress_text(again, "loss nan") == "no further update"
    assert progress_text(FIRST, "loss 1.000") == "loss 1.000"


def test_the_result_says_which_weights_the_model_has() -> None:
    plain = RunResult(folder=Path("run"), validation={"dice_lv": 0.8}, n_updates=300)
    assert early_stopping_line(plain) == {}
    early = replace(plain, best=BestValidation(step=200, score=0.8, scores={"dice_lv": 0.8}))
    assert early_stopping_line(early) == {"weights": "of step 200, chosen on the held-out studies; 300 updates made"}
