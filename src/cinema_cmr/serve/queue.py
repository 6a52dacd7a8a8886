"""Runs the jobs of the queue one after another, each in a process of its own: a crash never takes the server along."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from threading import Event, Lock, Thread

from cinema_cmr.core.errors import UnknownNameError, as_cinema_error
from cinema_cmr.serve.job_series import SERIES_FILE
from cinema_cmr.serve.jobs import Job, JobStore

__all__ = ["Progress", "Queue"]

_WAIT_S = 0.5
_CRASHED = "the analysis ended without a result; expected one: the study may be damaged, or memory too small"


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Stage of the job that runs."""

    stage: str = ""
    done: int = 0
    total: int = 0


class Queue:
    """A thread that runs jobs. Their processes end with the server, however it ends (`worker`).

    `ended` is called, from that thread, with each job that is done or failed.
    """

    def __init__(self, store: JobStore, command: Sequence[str], *, ended: Callable[[Job], None] | None = None) -> None:
        self.store = store
        self._ended = ended
        self._command = tuple(command)
        self._stop, self._wake, self._lock = Event(), Event(), Lock()
        self._running: tuple[str, subprocess.Popen[str]] | None = None
        self._progress: dict[str, Progress] = {}
        self._thread = Thread(target=self._loop, name="queue", daemon=True)

    def start(self) -> None:
        """Recover from an earlier end of the server, and begin."""
        self.store.recover()
        self._thread.start()

    def stop(self) -> None:
        """End the running analysis and the thread; the job runs again at the next start."""
        self._stop.set()
        self._wake.set()
        with self._lock:
            if self._running:
                self._running[1].kill()
        if self._thread.is_alive():
            self._thread.join(timeout=10)

    def wake(self) -> None:
        """Look for queued jobs at once."""
        self._wake.set()

    def progress(self, key: str) -> Progress:
        """Return the stage of a job."""
        return self._progress.get(key, Progress())

    def cancel(self, key: str) -> None:
        """Remove a job that is not finished, its analysis ended first; raises as `JobStore.remove` does."""
        with self._lock:
            running = self._running[1] if self._running and self._running[0] == key else None
            if running:
                running.kill()
        if running:
            running.wait()
        self.store.remove(key)

    def _loop(self) -> None:
        while not self._stop.is_set():
            job = self.store.next_queued()
            if job is None:
                self._wake.wait(_WAIT_S)
                self._wake.clear()
                continue
            self._run(job)

    def _run(self, job: Job) -> None:
        folder = self.store.folder(job.id)
        try:
            self.store.update(job.id, status="running", error=None)
            process = self._started(job.id)
            error = self._followed(job.id, process)
            finished = self.store.is_finished(job.id)
            if self._stop.is_set() and not finished:
                self.store.update(job.id, status="queued")
            elif job.choose_views and not finished and not error and (folder / SERIES_FILE).is_file():
                self.store.update(job.id, status="choosing")
            else:
                failed = None if finished else error or _CRASHED
                self.store.update(job.id, status="done" if finished else "failed", error=failed)
        except UnknownNameError:
            return  # cancelled while it ran
        except Exception as error:  # of any kind: the thread goes on to the next job
            finished, text = self.store.is_finished(job.id), f"the analysis could not be run: {as_cinema_error(error)}"
            self.store.mark(job.id, "done" if finished else "failed", error=None if finished else text)
            self._stop.wait(_WAIT_S)
        finally:
            with self._lock:
                self._running = None
            self._progress.pop(job.id, None)
            self._report_end(job.id)

    def _report_end(self, key: str) -> None:
        """Call `ended` with a job, unless it was removed or is to run again."""
        with suppress(UnknownNameError):
            job = self.store.job(key)
            if self._ended and job.status in ("done", "failed"):
                self._ended(job)

    def _started(self, key: str) -> subprocess.Popen[str]:
        """Start the process of a job; it ends when its standard input closes, so that none outlives the server."""
        with self._lock:
            process = subprocess.Popen(
                [*self._command, str(self.store.folder(key))],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                encoding="utf-8",
                errors="replace",
            )
            self._running = key, process
            if self._stop.is_set():  # `stop` came before there was a process to end
                process.kill()
            return process

    def _followed(self, key: str, process: subprocess.Popen[str]) -> str | None:
        """Follow the lines of a process to its end; return the error that it reported."""
        error = None
        with process:
            for line in process.stdout or ():
                try:
                    said = json.loads(line)
                except ValueError:
                    continue
                if isinstance(said, dict) and "error" in said:
                    error = str(said["error"])
                elif isinstance(said, dict) and "stage" in said:
                    self._progress[key] = Progress(
                        stage=str(said["stage"]), done=int(said.get("done", 0)), total=int(said.get("total", 0))
                    )
        return error
