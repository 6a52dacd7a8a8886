"""Sends the objects of finished jobs, until each destination has taken each of them once.

Objects that are older than a correction of their results are held back until they are exported anew; a new export of
what was sent is sent, too, as its numbers and identifiers are others. What was taken is written beside the job after
every object: a kill repeats at most the one object whose acknowledgement was on its way, and that has the same
identifiers, by which an archive keeps it once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event, Thread

from cinema_cmr.core.errors import CinemaError, as_cinema_error
from cinema_cmr.core.serialise import from_dict
from cinema_cmr.files.text import read_json
from cinema_cmr.interop.older_objects import FHIR_FILE, has_older_objects
from cinema_cmr.io.atomic import write_json
from cinema_cmr.io.provenance import file_digest
from cinema_cmr.receive.destinations import DeliveryError, Destination, UnreachableError
from cinema_cmr.receive.event_log import EventLog
from cinema_cmr.receive.study_job import OBJECTS
from cinema_cmr.report.record.stored import read_measurements
from cinema_cmr.serve.jobs import RESULTS, Job, JobStore
from cinema_cmr.serve.library import is_results

__all__ = ["SENT_FILE", "Outbox", "SentRecord"]

SENT_FILE = "sent.json"
_POLL_S = 1.0
"""Longest time to the next look for finished jobs."""
_FIRST_DELAY_S, _LAST_DELAY_S = 5.0, 300.0
"""Time to the next attempt at a destination that failed; it doubles with each failure."""


@dataclass(frozen=True, kw_only=True)
class SentRecord:
    """What the destinations have taken of one job."""

    complete: bool = False
    """Whether every destination of that time has everything: one that is added later gets new studies alone."""
    files: dict[str, list[str]] = field(default_factory=dict)
    """Destination -> names of the objects that it took."""
    objects: str = ""
    """SHA-256 of the bundle that was written with these objects: after another export all of it is sent anew."""


@dataclass(frozen=True, kw_only=True)
class _Failures:
    number: int
    next_try: float


class Outbox:
    """A thread that sends.

    A destination that cannot be reached is left alone for a while that grows; one that refused an object of a study is
    sent the other studies meanwhile.
    """

    def __init__(
        self,
        store: JobStore,
        destinations: Sequence[Destination],
        log: EventLog,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store, self._destinations, self._log, self._clock = store, tuple(destinations), log, clock
        self._settled: dict[str, tuple[int, ...]] = {}
        """Job whose record is complete -> state of its objects and results then."""
        self._failures: dict[tuple[str, str], _Failures] = {}
        """Destination, and the job that it refused or "" for all -> failures in a row."""
        self._stop, self._wake = Event(), Event()
        self._thread = Thread(target=self._loop, name="outbox", daemon=True)

    def start(self) -> None:
        """Begin to send, what is left of earlier runs too."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread after the object that it sends; the rest is sent after the next start."""
        self._stop.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout=10)

    def wake(self) -> None:
        """Look for finished jobs at once."""
        self._wake.set()

    def send_pending(self) -> None:
        """Send what is due, once."""
        for job in list(self._unsent()):
            for one in self._destinations:
                if not self._stop.is_set():
                    self._send(job, one)
            self._settle(job)

    def _loop(self) -> None:
        while not self._stop.is_set():
            try:
                self.send_pending()
            except Exception as error:  # of any kind, such as a full disk: the thread goes on
                self._log.event("outbox-failed", error=str(as_cinema_error(error)))
                self._stop.wait(_FIRST_DELAY_S)
            self._wake.wait(_POLL_S)
            self._wake.clear()

    def _unsent(self) -> Iterator[Job]:
        """Yield the finished jobs that are the newest of their study and not sent."""
        newest = {job.name: job for job in self._store.listed()}
        yield from (job for job in newest.values() if job.status == "done" and not self._is_settled(job))

    def _is_settled(self, job: Job) -> bool:
        state = self._state(job)
        if self._settled.get(job.id) != state:
            if not self._record(job).complete:
                return False
            self._settled[job.id] = state
            if self._is_older(job):
                self._log.event("sent-objects-older", study=job.name, job=job.id, error=_older(job))
        return True

    def _state(self, job: Job) -> tuple[int, ...]:
        """Return what differs once the results of a job were corrected, or its objects exported anew."""
        folder = self._store.folder(job.id)
        paths = (folder / OBJECTS / FHIR_FILE, folder / RESULTS / "measurements.json")
        return tuple(path.stat().st_mtime_ns if path.exists() else 0 for path in paths)

    def _is_older(self, job: Job) -> bool:
        """Whether the results of a job were corrected after its objects were written."""
        results = self._store.folder(job.id) / RESULTS
        if not (results.parent / OBJECTS / FHIR_FILE).is_file() or not is_results(results):
            return False
        return has_older_objects(results, read_measurements(results / "measurements.json").edits)

    def _send(self, job: Job, destination: Destination) -> None:
        """Send what a destination lacks of a job, unless it is to be left alone for now."""
        keys = [(destination.name, ""), (destination.name, job.id)]
        if any(self._failures[key].next_try > self._clock() for key in keys if key in self._failures):
            return
        left = self._left(job, destination)
        if not left:
            return
        try:
            if self._is_older(job):
                raise DeliveryError(_older(job))
            destination.send(left, lambda path: self._taken(job, destination, path))
        except Exception as error:  # of any kind: a peer can send anything
            self._failed(job, destination, as_cinema_error(error))
            return
        for key in keys:
            self._failures.pop(key, None)
        self._log.event("sent", study=job.name, job=job.id, to=destination.name, objects=len(left))

    def _failed(self, job: Job, destination: Destination, error: CinemaError) -> None:
        key = (destination.name, "" if isinstance(error, UnreachableError) else job.id)
        earlier = self._failures.get(key)
        number = earlier.number + 1 if earlier else 1
        delay = min(_FIRST_DELAY_S * 2 ** (number - 1), _LAST_DELAY_S)
        self._failures[key] = _Failures(number=number, next_try=self._clock() + delay)
        self._log.event(
            "not-sent", study=job.name, job=job.id, to=destination.name, error=str(error), next_try_s=round(delay)
        )

    def _left(self, job: Job, destination: Destination) -> list[Path]:
        """Return the objects of a job that a destination has not taken."""
        taken = self._record(job).files.get(destination.name, [])
        objects = self._store.folder(job.id) / OBJECTS
        return [path for path in sorted(objects.glob("*.dcm")) if path.name not in taken]

    def _taken(self, job: Job, destination: Destination, path: Path) -> None:
        record = self._record(job)
        taken = [*record.files.get(destination.name, []), path.name]
        self._write(job, replace(record, files={**record.files, destination.name: taken}))

    def _settle(self, job: Job) -> None:
        """Note a job of which nothing is left to send."""
        if not any(self._left(job, one) for one in self._destinations):
            self._write(job, replace(self._record(job), complete=True))

    def _record(self, job: Job) -> SentRecord:
        """Return what was taken of a job; nothing where the record is damaged, so that all of it is sent again.

        An archive keeps an object that comes twice once, by its identifier. The damaged file is kept beside.
        """
        path = self._store.folder(job.id) / SENT_FILE
        written = self._bundle_digest(job)
        if not path.exists():
            return SentRecord(objects=written)
        try:
            record = from_dict(SentRecord, read_json(path), SENT_FILE)
            if record.objects and record.objects != written:
                return SentRecord(objects=written)
            return replace(record, objects=written)  # a record of an earlier version has none
        except CinemaError as error:
            path.replace(path.with_suffix(".damaged"))
            self._log.event("record-damaged", study=job.name, job=job.id, error=f"{error}: all of it is sent again")
            return SentRecord(objects=written)

    def _bundle_digest(self, job: Job) -> str:
        path = self._store.folder(job.id) / OBJECTS / FHIR_FILE
        return file_digest(path) if path.is_file() else ""

    def _write(self, job: Job, record: SentRecord) -> None:
        write_json(self._store.folder(job.id) / SENT_FILE, record, overwrite=True)


def _older(job: Job) -> str:
    return (
        "the objects were written before the results were corrected; expected those of the results as they are: write"
        f" them anew by `cinema export {job.id}/{RESULTS} --study {job.id}/input --overwrite`, and they are sent"
    )
