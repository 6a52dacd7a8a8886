"""Files at rest are received; nothing in the folder is changed."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path

import pytest

pytest.importorskip("pynetdicom")

from dicom_nodes import PATIENT, file_bytes, image, images, result_object

from cinema_cmr.core.errors import InputError
from cinema_cmr.receive.event_log import EventLog
from cinema_cmr.receive.inbox import BusyError, Inbox
from cinema_cmr.receive.watched_folder import WatchedFolder
from cinema_cmr.serve.jobs import JobStore
from cinema_cmr.serve.queue import Queue
from cinema_cmr.serve.server_settings import Limits


class Drop:
    """A watched folder whose clock stands."""

    def __init__(self, home: Path, **limits: int) -> None:
        self.folder, self.now, self.lines = home / "drop", 0.0, list[str]()
        self.folder.mkdir(exist_ok=True)
        log = EventLog(self.lines.append)
        self.inbox = Inbox(home / "inbox", Queue(JobStore(home / "received", Limits(**limits)), ()), log)
        self.watched = WatchedFolder(self.folder, self.inbox, log, quiet_s=10, clock=lambda: self.now)
        self._home = home

    def after(self, seconds: float) -> int:
        """Scan at a later time; number of received images."""
        self.now += seconds
        self.watched.scan()
        return len(list((self._home / "inbox").rglob("*.dcm")))


def test_files_are_taken_once_they_are_at_rest(tmp_path: Path) -> None:
    drop = Drop(tmp_path)
    path = drop.folder / "Secret Patient/series 1/1.dcm"
    path.parent.mkdir(parents=True)
    content = file_bytes(image("a", 0))
    path.write_bytes(content[:300])
    assert drop.after(0) == drop.after(9) == 0
    path.write_bytes(content)
    assert drop.after(1) == drop.after(9) == 0
    assert drop.after(1) == drop.after(10) == 1
    assert path.read_bytes() == content


def test_a_changed_file_is_taken_again(tmp_path: Path) -> None:
    drop = Drop(tmp_path)
    path = drop.folder / "1.dcm"
    path.write_bytes(file_bytes(image("a", 0)))
    drop.after(0)
    assert drop.after(10) == 1
    path.write_bytes(file_bytes(image("a", 1)))
    os.utime(path, ns=(1, 1))
    drop.after(0)
    assert drop.after(10) == 2


def test_zips_are_unpacked_and_other_files_left(tmp_path: Path) -> None:
    drop = Drop(tmp_path)
    with zipfile.ZipFile(drop.folder / "study.zip", "w") as archive:
        for number, one in enumerate([*images("a", 3), result_object(1)]):
            archive.writestr(f"series/{number}", file_bytes(one))
    (drop.folder / "notes.txt").write_text("nothing")
    (drop.folder / "gone").symlink_to(drop.folder / "nowhere")
    drop.after(0)
    assert drop.after(10) == 3 and drop.lines == []


def test_a_damaged_file_is_logged_once_and_without_its_name(tmp_path: Path) -> None:
    drop = Drop(tmp_path)
    (drop.folder / "Secret^Patient.zip").write_bytes(b"no zip")
    (drop.folder / "Secret^Patient.dcm").write_bytes(bytes(128) + b"DICM")
    for seconds in (0, 10, 10):
        drop.after(seconds)
    found = [json.loads(line) for line in drop.lines]
    assert [(one["event"], one["reason"]) for one in found] == [("file-refused", "UnreadableFileError")] * 2
    assert not any(value in "".join(drop.lines) for value in PATIENT.values())


def test_files_without_room_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drop = Drop(tmp_path)
    (drop.folder / "1.dcm").write_bytes(file_bytes(image("a", 0)))
    drop.after(0)

    def full(*_: object) -> bool:
        raise BusyError("the disk is almost full; expected room")

    with monkeypatch.context() as patched:
        patched.setattr(Inbox, "receive", full)
        assert drop.after(10) == 0
    assert json.loads(drop.lines[0])["event"] == "file-waits"
    assert drop.after(10) == 1


def test_after_a_restart_files_are_the_same_images(tmp_path: Path) -> None:
    drop = Drop(tmp_path)
    (drop.folder / "1.dcm").write_bytes(file_bytes(image("a", 0)))
    drop.after(0)
    assert drop.after(10) == 1
    drop = Drop(tmp_path)
    drop.after(0)
    assert drop.after(10) == 1


def test_a_folder_that_is_missing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a folder"):
        WatchedFolder(tmp_path / "none", None, EventLog(), quiet_s=1)  # type: ignore[arg-type]
