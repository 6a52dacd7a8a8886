"""Images become studies, and studies jobs: nothing lost, nothing twice, nothing beyond the limits."""

from __future__ import annotations

import errno
import json
import shutil
from collections import namedtuple
from pathlib import Path

import pytest

pytest.importorskip("pynetdicom")

from dicom_nodes import PATIENT, file_bytes, image, images, result_object, uids_below
from interop_hearts import analysed, long_axis_cine, stack_cine, write_study
from pydicom import dcmread
from pydicom.dataset import Dataset

from cinema_cmr.core.errors import UnreadableFileError
from cinema_cmr.receive.event_log import EventLog, study_name
from cinema_cmr.receive.inbox import BusyError, Inbox
from cinema_cmr.receive.study_job import has_objects
from cinema_cmr.report.write import write_results
from cinema_cmr.serve import jobs
from cinema_cmr.serve.jobs import JobStore, TooLargeError
from cinema_cmr.serve.queue import Queue
from cinema_cmr.serve.server_settings import Limits

NAME = study_name(str(image("a", 0).StudyInstanceUID))


class Receipt:
    """An inbox with a queue that does not run, a clock that stands, and a log in memory."""

    def __init__(self, home: Path, **limits: int) -> None:
        self.home, self.now, self.lines = home, 100.0, list[str]()
        self.jobs = JobStore(home / "received", Limits(**limits), is_finished=has_objects)
        self.inbox = Inbox(home / "inbox", Queue(self.jobs, ()), EventLog(self.lines.append), clock=lambda: self.now)

    def receive(self, *datasets: Dataset) -> list[bool]:
        return [self.inbox.receive([file_bytes(one)]) == "new" for one in datasets]

    def quiet(self) -> list[tuple[str, int]]:
        """Let the quiet time pass; status and number of images of all jobs."""
        self.now += 30
        self.inbox.submit_quiet(30)
        return [(job.status, job.n_files) for job in self.jobs.listed()]

    def end(self, status: str) -> None:
        """Give the newest job an end."""
        job = self.jobs.listed()[-1]
        if status == "done":
            for path in ("results/run.json", "results/measurements.json", "dicom/sr.dcm"):
                (self.jobs.folder(job.id) / path).parent.mkdir(exist_ok=True)
                (self.jobs.folder(job.id) / path).write_text("{}")
        self.jobs.update(job.id, status=status)
        old = job.id.replace(job.id[:14], "20200101000000")  # jobs of one study differ by their second
        shutil.move(self.jobs.folder(job.id), self.jobs.home / old)
        state = json.loads((self.jobs.home / old / "job.json").read_text())
        (self.jobs.home / old / "job.json").write_text(json.dumps({**state, "id": old}))


def again(receipt: Receipt, **limits: int) -> Receipt:
    """The same home after a kill."""
    return Receipt(receipt.home, **limits)


def test_a_study_is_one_job_once_it_is_quiet(tmp_path: Path) -> None:
    receipt = Receipt(tmp_path)
    assert receipt.receive(*images("a", 3)) == [True] * 3
    receipt.now += 29
    assert receipt.receive(image("a", 3)) == [True]
    receipt.now += 29
    receipt.inbox.submit_quiet(30)
    assert receipt.jobs.listed() == []
    assert receipt.receive(*images("b", 2)) == [True] * 2
    assert sorted(receipt.quiet()) == [("queued", 2), ("queued", 4)]
    assert NAME in [job.name for job in receipt.jobs.listed()]
    assert sum(uids_below(tmp_path / "received").values()) == 6 and not list((tmp_path / "inbox").iterdir())


def test_an_image_sent_again_is_the_same_image(tmp_path: Path) -> None:
    receipt = Receipt(tmp_path)
    assert receipt.receive(*images("a"), *images("a")) == [True] * 4 + [False] * 4
    assert receipt.quiet() == [("queued", 4)]
    assert receipt.receive(*images("a")) == [False] * 4
    assert receipt.quiet() == [("queued", 4)]
    assert again(receipt).receive(*images("a")) == [False] * 4


def test_an_image_with_another_patient_replaces_the_one_of_before(tmp_path: Path) -> None:
    """As an archive sends a study again after it was given to the right patient: the identifiers of images stay."""
    receipt = Receipt(tmp_path)
    receipt.receive(*images("a", 3))
    assert receipt.receive(image("a", 2, PatientID="PID-0815")) == [True], "while it is received"
    assert receipt.quiet() == [("queued", 3)]
    receipt.end("done")
    receipt = again(receipt)
    right = [image("a", number, PatientID="PID-0815", PatientName="Other^Patient") for number in range(3)]
    assert receipt.receive(*right, *right) == [True] * 3 + [False] * 3
    assert receipt.quiet() == [("done", 3), ("queued", 3)]
    folder = receipt.jobs.folder(receipt.jobs.listed()[-1].id) / "input"
    assert {str(dcmread(path).PatientName) for path in folder.iterdir()} == {"Other^Patient"}
    (line,) = [json.loads(line) for line in receipt.lines if "patient-changed" in line]
    assert line["images"] == 3 and "Other" not in str(line)


@pytest.mark.parametrize(("written", "logged"), [({"signed_off": "2026-12-01T10:00:00+00:00"}, True), ({}, False)])
def test_new_images_of_a_corrected_study_are_logged_with_the_job_of_the_corrections(
    tmp_path: Path, written: dict[str, str], logged: bool
) -> None:
    receipt = Receipt(tmp_path)
    receipt.receive(*images("a", 3))
    receipt.quiet()
    (job,) = receipt.jobs.listed()
    study = write_study(tmp_path / "study", stack_cine(), long_axis_cine())
    write_results(analysed(study), receipt.jobs.folder(job.id) / "results")
    (receipt.jobs.folder(job.id) / "results" / "review.json").write_text(json.dumps(written))
    receipt.jobs.update(job.id, status="done")
    receipt.receive(image("a", 3))
    receipt.quiet()
    assert [job.id in line for line in receipt.lines if "corrected-before" in line] == [True] * logged


def test_other_objects_are_left_out(tmp_path: Path) -> None:
    receipt = Receipt(tmp_path)
    assert receipt.receive(result_object(1)) == [False]
    assert receipt.quiet() == [] and not list((tmp_path / "inbox").iterdir())


@pytest.mark.parametrize("content", [b"", b"no DICOM", file_bytes(image("a", 0))[:200]])
def test_what_cannot_be_read_is_refused(tmp_path: Path, content: bytes) -> None:
    receipt = Receipt(tmp_path)
    with pytest.raises(UnreadableFileError, match="expected"):
        receipt.inbox.receive([content])
    assert not list((tmp_path / "inbox").iterdir())


def test_an_image_without_identifiers_is_refused(tmp_path: Path) -> None:
    dataset = image("a", 0)
    dataset.StudyInstanceUID = ""
    with pytest.raises(UnreadableFileError, match="lacks its"):
        Receipt(tmp_path).receive(dataset)


def test_a_study_that_grows_is_analysed_again_whole(tmp_path: Path) -> None:
    receipt = Receipt(tmp_path)
    receipt.receive(*images("a", 3))
    receipt.quiet()
    receipt.end("done")
    receipt = again(receipt)
    assert receipt.receive(*images("a", 5)) == [False] * 3 + [True] * 2
    assert receipt.quiet() == [("done", 3), ("queued", 5)]
    assert len(uids_below(receipt.jobs.folder(receipt.jobs.listed()[1].id))) == 5


def test_a_study_that_grows_before_its_analysis_replaces_the_job(tmp_path: Path) -> None:
    receipt = Receipt(tmp_path)
    receipt.receive(*images("a", 3))
    receipt.quiet()
    receipt.receive(*images("a", 5))
    assert receipt.quiet() == [("queued", 5)]
    assert sum(uids_below(tmp_path).values()) == 5


def test_a_failed_study_is_tried_again_when_it_is_sent_again(tmp_path: Path) -> None:
    receipt = Receipt(tmp_path)
    receipt.receive(*images("a", 3))
    receipt.quiet()
    receipt.jobs.update(receipt.jobs.listed()[0].id, status="failed", error="no cine")
    receipt.receive(image("a", 0))
    assert receipt.quiet() == [("queued", 3)]
    assert receipt.jobs.listed()[0].error is None


def test_received_images_outlive_a_kill(tmp_path: Path) -> None:
    receipt = Receipt(tmp_path)
    receipt.receive(*images("a", 3))
    (tmp_path / "inbox/.cinema-0123456789ab-1-1-0123456789abcdef.dcm").write_bytes(b"half an image")
    receipt = again(receipt)
    assert receipt.receive(*images("a", 4)) == [False] * 3 + [True]
    assert receipt.quiet() == [("queued", 4)]


def test_a_kill_while_a_study_becomes_a_job_loses_and_repeats_nothing(tmp_path: Path) -> None:
    """Before the images were moved, after it, and before the job that they replace was removed."""
    receipt = Receipt(tmp_path)
    receipt.receive(*images("a", 3))
    receipt.jobs.create(NAME)
    receipt = again(receipt)
    assert receipt.jobs.listed() == [] and receipt.quiet() == [("queued", 3)]
    job = receipt.jobs.listed()[0]
    receipt.jobs.update(job.id, status="receiving", n_files=0)
    receipt = again(receipt)
    assert [(one.status, one.n_files) for one in receipt.jobs.listed()] == [("queued", 3)]
    receipt.end("queued")
    receipt = again(receipt)
    late = receipt.jobs.create(NAME)
    receipt.jobs.take_folder(
        late.id, Path(shutil.copytree(receipt.jobs.folder(receipt.jobs.listed()[0].id) / "input", tmp_path / "x"))
    )
    receipt = again(receipt)
    assert [one.id for one in receipt.jobs.listed()] == [late.id]


def test_nothing_is_kept_of_a_study_beyond_its_limits(tmp_path: Path) -> None:
    receipt = Receipt(tmp_path, job_files=3)
    receipt.receive(*images("a", 3), *images("b", 2))
    for number in (3, 4):
        with pytest.raises(TooLargeError, match="more than 3 images"):
            receipt.receive(image("a", number))
    assert receipt.quiet() == [("queued", 2)]
    assert [json.loads(line)["event"] for line in receipt.lines] == ["study-too-large", "queued"]
    assert receipt.receive(image("a", 0)) == [True]  # a new attempt


def test_the_bytes_of_a_study_are_limited_over_all_its_parts(tmp_path: Path) -> None:
    receipt = Receipt(tmp_path, job_bytes=50_000)
    receipt.receive(image("a", 0, size=30_000))
    receipt.quiet()
    with pytest.raises(TooLargeError):
        receipt.receive(image("a", 1, size=30_000))
    assert receipt.quiet() == [("queued", 1)]


def test_a_study_waits_for_images_that_found_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    receipt = Receipt(tmp_path)
    receipt.receive(image("a", 0))
    usage = namedtuple("usage", "free")
    with monkeypatch.context() as full:
        full.setattr(shutil, "disk_usage", lambda _: usage(free=100))
        with pytest.raises(BusyError, match="disk is almost full"):
            receipt.receive(image("a", 1))
    assert receipt.quiet() == []
    receipt.receive(image("a", 1))
    assert receipt.quiet() == [("queued", 2)]


def test_a_full_queue_takes_no_new_study(tmp_path: Path) -> None:
    receipt = Receipt(tmp_path, waiting_jobs=1)
    receipt.receive(image("a", 0))
    with pytest.raises(BusyError, match="1 studies wait"):
        receipt.receive(image("b", 0))
    assert receipt.receive(image("a", 1)) == [True]
    assert receipt.quiet() == [("queued", 2)]


def test_nothing_of_a_patient_is_logged_or_in_a_name(tmp_path: Path) -> None:
    receipt = Receipt(tmp_path, job_files=4)
    receipt.receive(*images("a"), *images("b"))
    with pytest.raises(TooLargeError):
        receipt.receive(image("b", 9))
    receipt.quiet()
    written = "\n".join([*receipt.lines, *(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*"))])
    identifiers = [*PATIENT.values(), image("a", 0).StudyInstanceUID, image("a", 0).SOPInstanceUID]
    assert [one for one in identifiers if one in written] == []


def test_a_full_disk_leaves_the_study_for_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    receipt = Receipt(tmp_path)
    receipt.receive(*images("a", 3))
    with monkeypatch.context() as patched:
        patched.setattr(jobs, "write_json", full)
        with pytest.raises(OSError, match="No space"):
            receipt.quiet()
    assert receipt.quiet() == [("queued", 3)]


def test_a_study_whose_job_was_removed_by_hand_is_new(tmp_path: Path) -> None:
    receipt = Receipt(tmp_path)
    receipt.receive(*images("a", 3))
    receipt.quiet()
    receipt.end("done")
    receipt = again(receipt)
    shutil.rmtree(receipt.jobs.folder(receipt.jobs.listed()[0].id))
    receipt = again(receipt)
    assert receipt.receive(*images("a", 3)) == [True] * 3 and receipt.quiet() == [("queued", 3)]
