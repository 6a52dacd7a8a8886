"""Received images on disk, by study, until the study is complete and becomes a job of the queue.

An image is acknowledged only once it is on disk, and a study moves into the queue by one renaming: a kill at any moment
loses no acknowledged image. An image that the study holds already is the same image, by whatever sender; with other
facts of the patient, as after a correction in the archive, it replaces the earlier one. A study that grows or changes
after its analysis is analysed again, whole.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import RLock
from typing import Literal

from cinema_cmr.core.errors import CinemaError, InputError, OutputExistsError, UnreadableFileError
from cinema_cmr.files.leftovers import remove_leftovers, temporary_name
from cinema_cmr.io.atomic import flush_to_disk
from cinema_cmr.io.dicom.decoding.bounded_file import read_dataset
from cinema_cmr.io.dicom.files import quiet_pydicom
from cinema_cmr.io.dicom.image_kind import MR_CLASSES
from cinema_cmr.receive.event_log import EventLog, study_name
from cinema_cmr.report.record.review import read_review
from cinema_cmr.report.record.stored import read_measurements
from cinema_cmr.serve.jobs import INPUT, RESULTS, UNFINISHED, TooLargeError
from cinema_cmr.serve.queue import Queue

__all__ = ["BusyError", "ImageKey", "Inbox", "Received"]

Received = Literal["new", "known", "other"]
"""What a received object was: an MR image that is new, one that its study holds already, or no MR image."""

_HEADER = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID")
_PATIENT = ("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "PatientSize", "PatientWeight")


class BusyError(InputError):
    """No room for an image at present, on disk or in the queue: the sender may try again."""


@dataclass(frozen=True, kw_only=True)
class ImageKey:
    """Names that stand for an image on disk: hashes of its identifiers."""

    study: str
    file: str


@dataclass(kw_only=True)
class _Receiving:
    """A study on its way: what is on disk, and when the last image came."""

    last_s: float
    """Time of the last image, by the clock of the inbox."""
    n_files: int = 0
    size: int = 0
    """Bytes of these files."""
    refused: set[str] = field(default_factory=set)
    """Images for which there was no room; the study waits for them."""
    too_large: bool = False
    n_replaced: int = 0
    """Images that came again with other facts of the patient."""


class Inbox:
    """All studies that are being received; safe to use from several threads."""

    def __init__(
        self, folder: Path, queue: Queue, log: EventLog, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._folder, self._queue, self._store, self._log, self._clock = folder, queue, queue.store, log, clock
        self._lock = RLock()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        remove_leftovers(folder)
        self._studies = {path.name: self._on_disk(path) for path in folder.iterdir() if path.is_dir()}
        self._jobs: dict[str, str] = {}
        """Study -> its newest job."""
        self._adopt_jobs()

    def receive(self, parts: Iterable[bytes]) -> Received:
        """Store the bytes of one DICOM file; return whether it is a new MR image, a known one or another object.

        What is no MR image is not kept. Raises `UnreadableFileError` for a file without the identifiers of study and
        image, `TooLargeError` for a study beyond its limits, of which nothing is kept, and `BusyError` without room.
        """
        draft = self._folder / temporary_name(".dcm")
        try:
            with draft.open("xb") as stream:
                stream.writelines(parts)
            key = _image_key(draft)
            if key is None:
                return "other"
            flush_to_disk(draft)
            with self._lock:
                return "new" if self._place(draft, key) else "known"
        finally:
            draft.unlink(missing_ok=True)

    def submit_quiet(self, quiet_s: float) -> None:
        """Move the studies that received nothing for so many seconds into the queue."""
        with self._lock:
            until = self._clock() - quiet_s
            for study in [name for name, one in self._studies.items() if one.last_s <= until]:
                try:
                    self._submit(study)
                except TooLargeError:  # the queue is full: later
                    return

    def _place(self, draft: Path, key: ImageKey) -> bool:
        """Give a draft its final name, unless the study holds the image; the lock is held."""
        study = self._studies.setdefault(key.study, _Receiving(last_s=0.0))
        study.last_s = self._clock()
        folder = self._folder / key.study
        known = self._known(key)
        if known is not None and _patient(known) == _patient(draft):
            return False
        size = draft.stat().st_size
        self._check_room(study, key, size)
        folder.mkdir(mode=0o700, exist_ok=True)
        earlier = (folder / key.file).stat().st_size if (folder / key.file).exists() else None
        draft.replace(folder / key.file)
        flush_to_disk(folder)
        study.refused.discard(key.file)
        study.n_replaced += known is not None
        study.n_files += earlier is None
        study.size += size - (earlier or 0)
        return True

    def _known(self, key: ImageKey) -> Path | None:
        """Return the image as the study holds it, on its way or in its newest job; None without it."""
        job = self._jobs.get(key.study)
        places = [self._folder / key.study] + ([self._store.folder(job) / INPUT] if job else [])
        return next((place / key.file for place in places if os.path.lexists(place / key.file)), None)

    def _check_room(self, study: _Receiving, key: ImageKey, size: int) -> None:
        """Raise `TooLargeError` or `BusyError` if an image of so many bytes has no room, and note what waits for it."""
        limits, job = self._store.limits, self._jobs.get(key.study)
        earlier = self._store.job(job) if job else None
        n_files = study.n_files + 1 + (earlier.n_files if earlier else 0)
        n_bytes = study.size + size + (earlier.size if earlier else 0)
        if study.too_large or n_files > limits.job_files or n_bytes > limits.job_bytes:
            if not study.too_large:
                self._log.event("study-too-large", study=key.study, images=n_files, bytes=n_bytes)
            self._discard(key.study)
            study.too_large = True
            raise TooLargeError(
                f"the study has more than {limits.job_files} images or {limits.job_bytes >> 20} MiB; expected less"
            )
        waiting = self._store.n_unfinished() + sum(one.n_files > 0 for one in self._studies.values())
        if not study.n_files and waiting >= limits.waiting_jobs:
            study.refused.add(key.file)
            raise BusyError(f"{waiting} studies wait; expected fewer: send this one later")
        if shutil.disk_usage(self._folder).free - size < limits.free_bytes:
            study.refused.add(key.file)
            raise BusyError("the disk is almost full; expected room for the study: free some and send it again")

    def _submit(self, name: str) -> None:
        """Make a job of a study that is quiet; the lock is held."""
        study, earlier = self._studies[name], self._jobs.get(name)
        if study.refused and study.n_files:
            return
        if not study.n_files:
            del self._studies[name]
            self._sent_again(name, earlier)
            return
        if study.n_replaced:
            self._log.event("patient-changed", study=name, images=study.n_replaced)
        if earlier:
            self._join(self._store.folder(earlier) / INPUT, self._folder / name)
        job = self._store.take_folder(self._store.create(name).id, self._folder / name)
        del self._studies[name]
        self._jobs[name] = job.id
        if earlier and self._store.job(earlier).status in UNFINISHED:
            with suppress(OutputExistsError):  # it has just finished
                self._queue.cancel(earlier)
        self._log.event("queued", study=name, job=job.id, images=job.n_files, bytes=job.size)
        if earlier and _is_corrected(self._store.folder(earlier) / RESULTS):
            error = "new images of a study that a reader has corrected; expected none: its corrections are those of"
            self._log.event("corrected-before", study=name, job=job.id, error=f"{error} the job {earlier}")
        self._queue.wake()

    def _sent_again(self, name: str, job: str | None) -> None:
        """Queue the job of a study that was sent again unchanged if it had failed."""
        if job and self._store.job(job).status == "failed":
            self._store.update(job, status="queued", error=None)
            self._log.event("queued-again", study=name, job=job)
            self._queue.wake()

    def _join(self, earlier: Path, folder: Path) -> None:
        """Add the images of an earlier job to those that came after it."""
        for path in earlier.iterdir() if earlier.is_dir() else ():
            if not os.path.lexists(folder / path.name):
                draft = self._folder / temporary_name(".dcm")
                try:
                    os.link(path, draft)
                except OSError:  # a file system without hard links
                    shutil.copyfile(path, draft)
                draft.replace(folder / path.name)

    def _discard(self, study: str) -> None:
        """Remove the images of a study from disk; they are gone at once."""
        aside = self._folder / temporary_name()
        if (self._folder / study).exists():
            (self._folder / study).rename(aside)
            shutil.rmtree(aside, ignore_errors=True)
        self._studies[study].n_files = self._studies[study].size = 0

    def _on_disk(self, folder: Path) -> _Receiving:
        sizes = [path.stat().st_size for path in folder.iterdir()]
        return _Receiving(last_s=self._clock(), n_files=len(sizes), size=sum(sizes))

    def _adopt_jobs(self) -> None:
        """Bring the queue into the state in which a kill found it, before it starts.

        A job whose images were just moved into it is queued; one without is removed, as are older jobs of a study that
        are not finished.
        """
        for job in self._store.listed():
            images = self._store.folder(job.id) / INPUT
            if job.status == "receiving" and (not images.is_dir() or not any(images.iterdir())):
                self._store.remove(job.id)
                continue
            if job.status == "receiving":
                self._store.take_folder(job.id, images)
            earlier = self._jobs.get(job.name)
            if earlier and self._store.job(earlier).status in UNFINISHED:
                self._store.remove(earlier)
            self._jobs[job.name] = job.id


def _patient(path: Path) -> tuple[str, ...] | None:
    """Return the facts of the patient in an image; None if they cannot be read."""
    try:
        with quiet_pydicom():
            header = read_dataset(path, _PATIENT)
            return tuple(str(header.get(name) or "").rstrip("^= ") for name in _PATIENT)
    except Exception:  # pydicom raises any exception for corrupt bytes
        return None


def _is_corrected(results: Path) -> bool:
    """Whether a reader has corrected results or signed them off; of what cannot be read, as far as it is known."""
    try:
        review = read_review(results)
        return review.state(read_measurements(results / "measurements.json").edits) in ("corrected", "signed off")
    except (CinemaError, OSError):
        return False


def _image_key(path: Path) -> ImageKey | None:
    """Return the names of an MR image; None for another object. Raises `UnreadableFileError` without identifiers."""
    try:
        with quiet_pydicom():
            header = read_dataset(path, _HEADER)
            kind, image, study = (str(header.get(name) or "") for name in _HEADER)
    except Exception as error:  # pydicom raises any exception for corrupt bytes
        raise UnreadableFileError("the object cannot be read; expected a DICOM image: send it again") from error
    if kind and kind not in MR_CLASSES:
        return None
    if not (kind and image and study):
        raise UnreadableFileError(
            "the image lacks its SOP class, SOP Instance UID or Study Instance UID; expected all three: restore them"
        )
    return ImageKey(study=study_name(study), file=f"{hashlib.sha256(image.encode()).hexdigest()[:32]}.dcm")
