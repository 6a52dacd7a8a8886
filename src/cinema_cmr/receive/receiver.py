"""The DICOM receiver: images in, one study after another analysed, results out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from threading import Event, Thread
from typing import Protocol

from cinema_cmr.core.errors import as_cinema_error
from cinema_cmr.files.lock import folder_lock
from cinema_cmr.io.dicom.files import quiet_pydicom
from cinema_cmr.receive.destinations import destinations_of
from cinema_cmr.receive.event_log import EventLog
from cinema_cmr.receive.inbox import Inbox
from cinema_cmr.receive.listener import Listener
from cinema_cmr.receive.outbox import Outbox
from cinema_cmr.receive.receiver_settings import ReceiverSettings, check_network_extra
from cinema_cmr.receive.study_job import has_objects
from cinema_cmr.receive.watched_folder import WatchedFolder
from cinema_cmr.serve.jobs import Job, JobStore
from cinema_cmr.serve.queue import Queue

__all__ = ["INBOX", "STUDIES", "receiving"]

INBOX, STUDIES = "inbox", "received"
"""Folders of a receiver's home: of the studies under way, and of the jobs with their images and results."""
_CHECKS_PER_QUIET_TIME = 10
"""A complete study waits for this part of the quiet time at most, and for `_MAX_CHECK_S`."""
_MAX_CHECK_S = 2.0


@contextmanager
def receiving(settings: ReceiverSettings, log: EventLog | None = None) -> Iterator[JobStore]:
    """Receive, analyse and send in the block; yield the jobs.

    What an earlier receiver left in the same home, however it ended, is taken up. Raises `InputError` for a home in use
    or a port that is not free, and `UsageError` without the packages for it.
    """
    check_network_extra()
    log = log or EventLog()
    settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    with folder_lock(settings.home), quiet_pydicom(), ExitStack() as running:
        jobs = JobStore(settings.home / STUDIES, settings.limits, is_finished=has_objects)
        outbox = Outbox(jobs, destinations_of(settings), log)
        queue = Queue(jobs, settings.command, ended=lambda job: _report(job, log, outbox))
        inbox = Inbox(settings.home / INBOX, queue, log)
        watched = WatchedFolder(settings.watched, inbox, log, quiet_s=settings.quiet_s) if settings.watched else None
        submitter = _InboxThread(inbox, watched, log, quiet_s=settings.quiet_s)
        listener = Listener(settings, inbox, log) if settings.port is not None else None
        running.callback(log.event, "stopped")
        parts: list[_Part] = [queue, outbox, submitter, *([listener] if listener else [])]
        for part in parts:
            part.start()
            running.callback(part.stop)
        log.event("started", port=settings.port, host=settings.host, waiting=jobs.n_unfinished())
        yield jobs


def _report(job: Job, log: EventLog, outbox: Outbox) -> None:
    log.event("analysed" if job.status == "done" else "failed", study=job.name, job=job.id, error=job.error)
    outbox.wake()


class _Part(Protocol):
    """Something that works beside the others until it is stopped."""

    def start(self) -> None:
        """Begin."""

    def stop(self) -> None:
        """End."""


class _InboxThread:
    """A thread that moves quiet studies into the queue, and takes what lies in the watched folder."""

    def __init__(self, inbox: Inbox, watched: WatchedFolder | None, log: EventLog, *, quiet_s: float) -> None:
        self._inbox, self._watched, self._log, self._quiet_s = inbox, watched, log, quiet_s
        self._stop = Event()
        self._thread = Thread(target=self._loop, name="submitter", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stop.set()
        self._thread.join(timeout=10)

    def _loop(self) -> None:
        while not self._stop.wait(min(self._quiet_s / _CHECKS_PER_QUIET_TIME, _MAX_CHECK_S)):
            try:
                if self._watched is not None:
                    self._watched.scan()
                self._inbox.submit_quiet(self._quiet_s)
            except Exception as error:  # of any kind, such as a full disk: the thread goes on
                self._log.event("inbox-failed", error=str(as_cinema_error(error)))
