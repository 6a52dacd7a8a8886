"""The process of one job: analyses the files that were sent, by the rules and limits of `cinema analyse`.

Progress and errors are JSON lines on standard output. The process ends when standard input closes, which happens
however the server ends.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Thread

from cinema_cmr.core.errors import as_cinema_error
from cinema_cmr.files.lock import waiting_lock
from cinema_cmr.files.text import read_json
from cinema_cmr.serve.job_series import VIEWS_FILE, write_series
from cinema_cmr.serve.jobs import INPUT, JOB_FILE, RESULTS
from cinema_cmr.serve.library import is_results

__all__ = ["analyse_job", "job_source", "main"]

_LOCK_WAIT_S = 10.0
"""The process of a killed server may take a moment to end."""


def main(arguments: list[str], work: Callable[[Path], None] | None = None) -> int:
    """Do the job in the folder that is the last argument, by default analyse it; return the exit code."""
    Thread(target=_end_with_server, daemon=True).start()
    folder = Path(arguments[-1])
    try:
        with waiting_lock(folder, seconds=_LOCK_WAIT_S):
            (work or analyse_job)(folder)
    except Exception as error:
        reported = as_cinema_error(error)
        _say(error=str(reported))
        return reported.exit_code
    return 0


def analyse_job(folder: Path) -> None:
    """Analyse the files of a job and write its results, with the images; finished results are kept.

    Of a job whose views are to be chosen the series are read alone.
    """
    if is_results(folder / RESULTS):
        return
    found = read_json(folder / JOB_FILE)
    state = found if isinstance(found, dict) else {}
    _say(stage="read", done=0, total=1)
    if state.get("choose_views"):
        write_series(job_source(folder), folder)
        return
    from cinema_cmr.pipeline.analysis_options import Options
    from cinema_cmr.pipeline.analyzer import Analyzer
    from cinema_cmr.report.write import write_results

    views = folder / VIEWS_FILE
    options = Options.of(views=str(views)) if views.is_file() else None
    name = str(state["name"]) if "name" in state else None
    analysis = Analyzer(options).analyse(job_source(folder), name=name, report=_report)
    _say(stage="report", done=0, total=1)
    write_results(analysis, folder / RESULTS, images=True)


def job_source(folder: Path) -> Path:
    """Return the path to read: the one thing that was sent, a file or a folder, or all that was sent."""
    sent = folder / INPUT
    inner = sorted(sent.iterdir())
    return inner[0] if len(inner) == 1 else sent


def _report(stage: str, done: int, total: int) -> None:
    _say(stage=stage, done=done, total=total)


def _say(**values: str | int) -> None:
    print(json.dumps(values), flush=True)


def _end_with_server() -> None:
    sys.stdin.buffer.read()
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main(sys.argv))
