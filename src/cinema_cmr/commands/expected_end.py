"""What a training run will take, said once after its first updates, and where it ended early."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from cinema_cmr.commands.console import Console

if TYPE_CHECKING:
    from cinema_cmr.engine.progress import Progress
    from cinema_cmr.recipes.run import RunResult

__all__ = ["early_stopping_line", "end_text", "progress_text", "said_once"]

_DAY_S = 86400


def said_once(console: Console, report: Callable[[Progress], None]) -> Callable[[Progress], None]:
    """Return a report of progress that first says how long an update takes and when the run is expected to end."""
    pending = [True]

    def observe(progress: Progress) -> None:
        if pending and progress.seconds_left > 0:
            pending.clear()
            console.note(end_text(progress, now=time.time()))
        report(progress)

    return observe


def end_text(progress: Progress, *, now: float) -> str:
    """Return seconds an update, minutes left and the time of day of the end; `now` in seconds since 1970."""
    end = now + progress.seconds_left
    pattern = "%H:%M" if progress.seconds_left < _DAY_S / 2 else "%d %B, %H:%M"
    about = "at most about" if progress.may_stop_early else "about"
    until = "at the latest about" if progress.may_stop_early else "about"
    n_left, minutes = progress.n_steps - progress.step, progress.seconds_left / 60
    return (
        f"{progress.seconds_per_step:.3g} s an update: {n_left} more take {about} {max(minutes, 1):.0f} min, until"
        f" {until} {time.strftime(pattern, time.localtime(end))}"
    )


def progress_text(progress: Progress, text: str) -> str:
    """Return `text`, of the updates that were made, or that there were none: a run that had ended is begun again."""
    return text if progress.is_updated else "no further update"


def early_stopping_line(result: RunResult) -> dict[str, str]:
    """Return the line of a command's result about weights that held-out studies chose; none without patience."""
    if result.best is None:
        return {}
    return {"weights": f"of step {result.best.step}, chosen on the held-out studies; {result.n_updates} updates made"}
