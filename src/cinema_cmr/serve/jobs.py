"""The queue of studies that were sent to the server: one folder a job, on disk, so that a kill loses nothing.

A job's folder holds `job.json` (its state, written whole or not at all), `input/` (the files that were sent) and
`results/`. A job is finished when its results are complete, which their own writing decides: a server that is killed
finds that out when it starts again, and runs everything else that was submitted.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from threading import RLock
from typing import Literal

from cinema_cmr.core.errors import CinemaError, InputError, OutputExistsError, UnknownNameError, UsageError
from cinema_cmr.core.safe_text import printable
from cinema_cmr.core.serialise import from_dict, to_dict
from cinema_cmr.files.text import read_json
from cinema_cmr.io.atomic import write_json
from cinema_cmr.report.record.review import now
from cinema_cmr.serve.library import is_results
from cinema_cmr.serve.server_settings import Limits

__all__ = [
    "INPUT",
    "JOB_FILE",
    "RESULTS",
    "UNFINISHED",
    "Job",
    "JobStore",
    "TooLargeError",
    "file_below",
    "has_results",
]

INPUT, RESULTS, JOB_FILE = "input", "results", "job.json"
Status = Literal["receiving", "queued", "running", "choosing", "done", "failed", "cancelled"]
UNFINISHED: tuple[Status, ...] = ("receiving", "queued", "running", "choosing")
"""States of a job that is still to be done."""
_KEY = re.compile(r"[0-9]{14}-[0-9a-f]{8}")
_PART_BYTES = 200
_DEPTH = 16
_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f\\:*?"<>|]')


class TooLargeError(InputError):
    """More files or bytes than a study may have, or than the disk has room for."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """State of one study in the queue."""

    id: str
    name: str
    """Name that the sender gave it."""
    status: Status
    created: str
    n_files: int = 0
    """Files received."""
    size: int = 0
    """Their bytes."""
    error: str | None = None
    choose_views: bool = False
    """Whether the user chooses the views before the analysis; until then the job is "choosing"."""


def has_results(folder: Path) -> bool:
    """Whether the folder of a job holds complete results."""
    return is_results(folder / RESULTS)


class JobStore:
    """All jobs of a folder; one server uses it at a time.

    `is_finished` takes a job's folder: whether everything that the job is to make is there.
    """

    def __init__(self, home: Path, limits: Limits, *, is_finished: Callable[[Path], bool] = has_results) -> None:
        self.home = home
        self.limits = limits
        self._is_finished = is_finished
        self.lock = RLock()
        home.mkdir(parents=True, exist_ok=True)
        self._jobs = {job.id: job for job in self._stored()}
        self._begun: dict[str, dict[Path, int]] = {}
        """Job -> files that are being received, with their bytes so far."""

    def recover(self) -> None:
        """Give each job the state that its files have after a kill: finished, to run again, or never received."""
        with self.lock:
            for job in list(self._jobs.values()):
                if self.is_finished(job.id):
                    self.update(job.id, status="done", error=None)
                elif job.status == "running":
                    self.update(job.id, status="queued")
                elif job.status == "receiving":
                    self.update(job.id, status="failed", error="the upload was interrupted: send the study again")

    def is_finished(self, key: str) -> bool:
        """Return whether everything that a job is to make is there, whatever its status says."""
        return self._is_finished(self.folder(key))

    def n_unfinished(self) -> int:
        """Return the number of jobs that are still to be done."""
        with self.lock:
            return sum(job.status in UNFINISHED for job in self._jobs.values())

    def listed(self) -> list[Job]:
        """Return all jobs, the oldest first."""
        with self.lock:
            return [self._jobs[key] for key in sorted(self._jobs)]

    def job(self, key: str) -> Job:
        """Return a job; raises `UnknownNameError` for an unknown key."""
        with self.lock:
            if key not in self._jobs:
                raise UnknownNameError("no job has this key; expected one of the list: open the list again")
            return self._jobs[key]

    def folder(self, key: str) -> Path:
        """Return the folder of a job; raises `UnknownNameError` for what is no key."""
        if not _KEY.fullmatch(key):
            raise UnknownNameError("no job has this key; expected one of the list: open the list again")
        return self.home / key

    def create(self, name: str) -> Job:
        """Return a new job that waits for its files; raises `TooLargeError` if too many are unfinished."""
        with self.lock:
            waiting = self.n_unfinished()
            if waiting >= self.limits.waiting_jobs:
                raise TooLargeError(f"{waiting} studies wait; expected fewer: wait until some are finished")
            stamp = re.sub(r"\D", "", now())[:14]
            job = Job(id=f"{stamp}-{secrets.token_hex(4)}", name=_clean_name(name), status="receiving", created=now())
            (self.folder(job.id) / INPUT).mkdir(parents=True)
            self._jobs[job.id] = job
            try:
                return self.update(job.id)
            except OSError:
                del self._jobs[job.id]
                shutil.rmtree(self.folder(job.id), ignore_errors=True)
                raise

    def update(self, key: str, **changes: object) -> Job:
        """Change the state of a job, in memory and on disk."""
        with self.lock:
            job = replace(self.job(key), **changes)  # type: ignore[arg-type]  # checked by the next line
            job = from_dict(Job, to_dict(job))
            write_json(self.folder(key) / JOB_FILE, to_dict(job), overwrite=True)
            self._jobs[key] = job
            return job

    def mark(self, key: str, status: Status, *, error: str | None) -> None:
        """Change the status of a job, in memory alone where the disk takes nothing; a removed one is left so."""
        with self.lock:
            if key in self._jobs:
                self._jobs[key] = replace(self._jobs[key], status=status, error=error)
                with suppress(OSError):
                    self.update(key)

    def add_bytes(self, key: str, path: Path, size: int) -> None:
        """Count received bytes of a file in work; raises `TooLargeError` beyond the limits."""
        with self.lock:
            job = self.job(key)
            sent = job.size + sum(self._begun.get(key, {}).values())
            if sent + size > self.limits.job_bytes:
                raise TooLargeError(f"more than {self.limits.job_bytes >> 20} MiB; expected one study: send less")
            if shutil.disk_usage(self.home).free - size < self.limits.free_bytes:
                raise TooLargeError("the disk is almost full; expected room for the study: free some")
            self._begun[key][path] += size

    def new_file(self, key: str, name: str) -> Path:
        """Return the path for a file of a job that receives files; `end_file` ends it.

        Raises `UsageError` for a name that is no plain relative path, `OutputExistsError` for one that was sent before
        or a job that was submitted, `TooLargeError` for too many files.
        """
        with self.lock:
            job, begun = self.job(key), self._begun.setdefault(key, {})
            if job.status != "receiving":
                raise OutputExistsError(f"the job is {job.status}; expected one that receives files: create another")
            if job.n_files + len(begun) >= self.limits.job_files:
                raise TooLargeError(f"more than {self.limits.job_files} files; expected one study: send less")
            path = file_below(self.folder(key) / INPUT, name)
            if path in begun or os.path.lexists(path):
                raise OutputExistsError("a file of this name was sent before; expected each once")
            path.parent.mkdir(parents=True, exist_ok=True)
            begun[path] = 0
            return path

    def end_file(self, key: str, path: Path, *, received: bool) -> None:
        """Count a file that was begun as received, or forget one that was not; of a removed job nothing is left."""
        with self.lock:
            size = self._begun.get(key, {}).pop(path, 0)
            job = self._jobs.get(key)
            if job and received:
                self._jobs[key] = replace(job, n_files=job.n_files + 1, size=job.size + size)

    def submit(self, key: str, *, choose_views: bool = False) -> Job:
        """Put a received job into the queue; with `choose_views` for its series to be read first.

        Raises `InputError` if it has no file or some are still on their way, `OutputExistsError` if it was submitted.
        """
        with self.lock:
            job = self.job(key)
            if job.status != "receiving":
                raise OutputExistsError(f"the job is {job.status}; expected one that receives files: create another")
            if self._begun.get(key):
                raise InputError(
                    f"{len(self._begun[key])} files are still being sent; expected all of them: submit after the last"
                )
            if not job.n_files:
                raise InputError("no file was sent; expected a zip, or the files of a folder")
            return self.update(key, status="queued", choose_views=choose_views)

    def take_folder(self, key: str, folder: Path) -> Job:
        """Make a folder the files of a job that receives files, by one renaming, and put the job into the queue.

        `folder` lies on the store's file system; it may be the job's own, after a kill between the two.
        """
        with self.lock:
            own = self.folder(self.job(key).id) / INPUT
            if folder != own:
                own.rmdir()
                folder.rename(own)
            sizes = [path.stat().st_size for path in own.iterdir()]
            self._jobs[key] = replace(self.job(key), status="queued", n_files=len(sizes), size=sum(sizes))
            with suppress(OSError):  # a full disk: the next start finds the files in the job
                self.update(key)
            return self.job(key)

    def views_chosen(self, key: str) -> Job:
        """Put a job whose views were chosen into the queue; raises `OutputExistsError` for one that does not wait."""
        with self.lock:
            job = self.job(key)
            if job.status != "choosing":
                raise OutputExistsError(f"the job is {job.status}; expected one that waits for its views")
            return self.update(key, status="queued", choose_views=False)

    def remove(self, key: str) -> None:
        """Remove a job and its files; raises `OutputExistsError` for a finished one, whose results stay."""
        with self.lock:
            if self.job(key).status == "done":
                raise OutputExistsError("the study is finished; expected one that waits, runs or failed")
            folder = self.folder(key)
            self.update(key, status="cancelled")
            shutil.rmtree(folder, ignore_errors=True)
            del self._jobs[key]
            self._begun.pop(key, None)

    def next_queued(self) -> Job | None:
        """Return the oldest job that is to run, or None."""
        return next((job for job in self.listed() if job.status == "queued"), None)

    def _stored(self) -> Iterator[Job]:
        for folder in sorted(self.home.iterdir()):
            if _KEY.fullmatch(folder.name) and (folder / JOB_FILE).is_file():
                try:
                    job = from_dict(Job, read_json(folder / JOB_FILE), JOB_FILE)
                except (CinemaError, OSError):
                    continue
                yield replace(job, id=folder.name)


def file_below(folder: Path, name: str) -> Path:
    """Return the path of a file below a folder, of a relative name with forward slashes.

    Raises `UsageError` for a name that would leave the folder, is hidden or has characters that file systems refuse.

    >>> file_below(Path("input"), "series 3/image.dcm").as_posix()
    'input/series 3/image.dcm'
    """
    parts = name.split("/")
    sound = all(
        part
        and not part.startswith(".")
        and part == part.strip()
        and not _FORBIDDEN.search(part)
        and len(os.fsencode(part)) <= _PART_BYTES
        for part in parts
    )
    if not sound or len(parts) > _DEPTH:
        raise UsageError("the name of the file is no plain relative path; expected names such as 'series 3/image.dcm'")
    return folder.joinpath(*parts)


def _clean_name(name: str) -> str:
    """Return a name for the list, without folders and control characters."""
    stem = re.split(r"[/\\]", name)[-1]
    for suffix in (".zip", ".nii.gz", ".nii"):
        stem = stem.removesuffix(suffix)
    return printable(stem).strip()[:80] or "study"
