"""Objects of finished jobs: sent once to each destination, again after a failure, and not again after a restart."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from interop_hearts import analysed, long_axis_cine, stack_cine, write_study

from cinema_cmr.core.serialise import from_dict
from cinema_cmr.files.text import read_json
from cinema_cmr.receive.destinations import DeliveryError, Destination, UnreachableError
from cinema_cmr.receive.event_log import EventLog
from cinema_cmr.receive.outbox import SENT_FILE, Outbox, SentRecord
from cinema_cmr.report.write import write_results
from cinema_cmr.serve.jobs import RESULTS, Job, JobStore
from cinema_cmr.serve.server_settings import Limits


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Finished results that no test changes."""
    folder = tmp_path_factory.mktemp("results")
    write_results(analysed(write_study(folder / "study", stack_cine(), long_axis_cine())), folder / "results")
    return folder / "results"


class Place:
    """A destination that takes so many objects, then fails."""

    def __init__(self, name: str, room: int = 100) -> None:
        self.name, self.room, self.taken, self.calls = name, room, list[str](), 0

    def send(self, files: Sequence[Path], sent: Callable[[Path], None]) -> None:
        self.calls += 1
        for path in files:
            if len(self.taken) >= self.room:
                raise UnreachableError(f"{self.name} cannot be reached; expected a node")
            self.taken.append(path.name)
            sent(path)


class Post:
    """An outbox whose thread does not run and whose clock stands."""

    def __init__(self, home: Path, *places: Destination) -> None:
        self.now, self.lines = 0.0, list[str]()
        self.jobs = JobStore(home, Limits())
        self.outbox = Outbox(self.jobs, places, EventLog(self.lines.append), clock=lambda: self.now)

    def finished(self, name: str, status: str = "done") -> Job:
        job = self.jobs.create(name)
        (self.jobs.folder(job.id) / "dicom").mkdir()
        for number in range(3):
            (self.jobs.folder(job.id) / f"dicom/{number}.dcm").write_bytes(b"x")
        (self.jobs.folder(job.id) / "dicom/fhir.json").write_text("{}")
        return self.jobs.update(job.id, status=status)

    def after(self, seconds: float) -> None:
        self.now += seconds
        self.outbox.send_pending()

    @property
    def events(self) -> list[str]:
        return [json.loads(line)["event"] for line in self.lines]

    def corrected(self, job: Job, results: Path, when: str) -> None:
        """Give a job results that were corrected at a time."""
        folder = self.jobs.folder(job.id) / RESULTS
        if not folder.exists():
            shutil.copytree(results, folder)
        path = folder / "measurements.json"
        record = json.loads(path.read_text())
        record["edits"] = {"steps": [{"time": when, "version": "1"}]}
        path.write_text(json.dumps(record))

    def exported(self, job: Job, when: str) -> None:
        """Write the bundle of a job as of a time."""
        (self.jobs.folder(job.id) / "dicom/fhir.json").write_text(json.dumps({"timestamp": when}))


OBJECTS = ["0.dcm", "1.dcm", "2.dcm"]


def test_each_destination_gets_each_object_once(tmp_path: Path) -> None:
    a, b = Place("A@h:1"), Place("B@h:1")
    post = Post(tmp_path, a, b)
    job = post.finished("a")
    post.finished("b", status="failed")
    for _ in range(3):
        post.after(1)
    assert a.taken == b.taken == OBJECTS and post.events == ["sent", "sent"]
    record = from_dict(SentRecord, read_json(post.jobs.folder(job.id) / SENT_FILE))
    bundle = hashlib.sha256(b"{}").hexdigest()
    assert record == SentRecord(complete=True, files={"A@h:1": OBJECTS, "B@h:1": OBJECTS}, objects=bundle)


def test_a_destination_that_fails_is_tried_again_ever_later(tmp_path: Path) -> None:
    place, other = Place("A@h:1", room=1), Place("B@h:1")
    post = Post(tmp_path, place, other)
    post.finished("a")
    for seconds in (0, 1, 5, 1, 10):
        post.after(seconds)
    assert place.calls == 3 and other.taken == OBJECTS
    assert [json.loads(line).get("next_try_s") for line in post.lines] == [5, None, 10, 20]
    place.room = 100
    post.after(20)
    assert place.taken == OBJECTS and post.events[-1] == "sent"


def test_a_refused_study_does_not_hold_up_the_others(tmp_path: Path) -> None:
    class Picky(Place):
        def send(self, files: Sequence[Path], sent: Callable[[Path], None]) -> None:
            if len(files) == 3 and refused.id in str(files[0]):
                raise DeliveryError(f"{self.name} takes no object of this kind; expected storage")
            super().send(files, sent)

    place = Picky("A@h:1")
    post = Post(tmp_path, place)
    refused = post.finished("a")
    post.finished("b")
    for _ in range(3):
        post.after(1)
    assert place.taken == OBJECTS and sorted(post.events) == ["not-sent", "sent"]


def test_the_delay_has_an_end(tmp_path: Path) -> None:
    post = Post(tmp_path, Place("A@h:1", room=0))
    post.finished("a")
    for _ in range(12):
        post.after(300)
    assert json.loads(post.lines[-1])["next_try_s"] == 300 and len(post.lines) == 12


def test_after_a_restart_the_rest_is_sent(tmp_path: Path) -> None:
    place = Place("A@h:1", room=2)
    post = Post(tmp_path, place)
    post.finished("a")
    post.after(0)
    place.room = 100
    Post(tmp_path, place).after(0)
    assert place.taken == OBJECTS
    Post(tmp_path, place).after(0)
    assert place.taken == OBJECTS


@pytest.mark.parametrize("content", [b"", b"{", b"\x00\xff", b'{"complete": "perhaps"}', b"[]"])
def test_a_damaged_record_holds_up_no_study_and_its_own_is_sent_again(tmp_path: Path, content: bytes) -> None:
    place = Place("A@h:1")
    post = Post(tmp_path, place)
    record = post.jobs.folder(post.finished("a").id) / SENT_FILE
    record.write_bytes(content)
    post.finished("b")
    post.after(1)
    assert place.taken == [*OBJECTS, *OBJECTS] and post.events == ["record-damaged", "sent", "sent"]
    assert record.with_suffix(".damaged").read_bytes() == content and from_dict(SentRecord, read_json(record)).complete
    post.after(1)
    assert place.calls == 2


def test_a_destination_that_is_added_later_gets_new_studies_alone(tmp_path: Path) -> None:
    post = Post(tmp_path, Place("A@h:1"))
    post.finished("a")
    post.after(0)
    new = Place("B@h:1")
    post = Post(tmp_path, new)
    post.after(0)
    assert new.taken == []
    post.finished("b")
    post.after(0)
    assert new.taken == OBJECTS


def test_results_of_a_part_of_a_study_are_not_sent_after_those_of_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Place("A@h:1")
    post = Post(tmp_path, place)
    with monkeypatch.context() as earlier:
        earlier.setattr("cinema_cmr.serve.jobs.now", lambda: "2020-01-01T00:00:00+00:00")
        post.finished("a")
    newest = post.finished("a")
    post.after(0)
    assert place.taken == OBJECTS and json.loads(post.lines[0])["job"] == newest.id


def test_an_error_of_any_kind_does_not_end_the_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = Place("A@h:1")
    post = Post(tmp_path, place)
    monkeypatch.setattr(post.jobs, "listed", lambda: 1 / 0)
    post.outbox.start()
    post.outbox.wake()
    while not post.lines:
        pass
    post.outbox.stop()
    assert post.events[0] == "outbox-failed"


def test_objects_older_than_a_correction_wait_until_they_are_exported_anew(tmp_path: Path, results: Path) -> None:
    place = Place("A@h:1", room=0)
    post = Post(tmp_path, place)
    job = post.finished("a")
    post.exported(job, "2026-12-01T09:00:00+00:00")
    post.after(0)  # the archive is away, and the study is corrected meanwhile
    post.corrected(job, results, "2026-12-01T10:00:00+00:00")
    place.room = 100
    post.after(400)
    assert place.taken == [] and post.events == ["not-sent", "not-sent"]
    assert "cinema export" in json.loads(post.lines[-1])["error"]
    post.exported(job, "2026-12-01T11:00:00+00:00")
    post.after(400)
    assert place.taken == OBJECTS and post.events[-1] == "sent"


def test_objects_that_were_sent_and_exported_anew_are_sent_once_more(tmp_path: Path, results: Path) -> None:
    place = Place("A@h:1")
    post = Post(tmp_path, place)
    job = post.finished("a")
    post.exported(job, "2026-12-01T09:00:00+00:00")
    post.after(0)
    post.corrected(job, results, "2026-12-01T10:00:00+00:00")
    for _ in range(3):
        post.after(1)
    assert place.taken == OBJECTS and post.events == ["sent", "sent-objects-older"]
    post.exported(job, "2026-12-01T11:00:00+00:00")
    for _ in range(3):
        post.after(1)
    assert place.taken == 2 * OBJECTS and post.events[2:] == ["sent"]


def test_a_record_of_an_earlier_version_sends_nothing_again(tmp_path: Path) -> None:
    place = Place("A@h:1")
    post = Post(tmp_path, place)
    job = post.finished("a")
    old = {"complete": True, "files": {"A@h:1": OBJECTS}}
    (post.jobs.folder(job.id) / SENT_FILE).write_text(json.dumps(old))
    post.after(0)
    assert place.taken == [] and post.events == []
