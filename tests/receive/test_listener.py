"""The DICOM node: what it accepts, what it refuses, and that one sender does not disturb the others."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest

pytest.importorskip("pynetdicom")

from dicom_nodes import PATIENT, file_bytes, free_port, image, images, result_object, send, uids_below
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage
from pynetdicom import AE

from cinema_cmr.core.errors import InputError
from cinema_cmr.receive.event_log import EventLog
from cinema_cmr.receive.inbox import Inbox
from cinema_cmr.receive.listener import Listener
from cinema_cmr.receive.receiver_settings import ReceiverSettings
from cinema_cmr.serve.jobs import JobStore
from cinema_cmr.serve.queue import Queue
from cinema_cmr.serve.server_settings import Limits
from processes import until

SYSTEM_PATH = os.pathsep.join(
    folder for folder in os.environ["PATH"].split(os.pathsep) if Path(folder) != Path(sys.executable).parent
)
"""Without this environment's programs: pynetdicom has some of DCMTK's names."""


@contextmanager
def listening(home: Path, lines: list[str] | None = None, **changes: object) -> Iterator[ReceiverSettings]:
    """A listener with an inbox whose studies never become jobs."""
    settings = ReceiverSettings(home=home, port=free_port(), **changes)  # type: ignore[arg-type]
    log = EventLog([].append if lines is None else lines.append)
    jobs = JobStore(home / "received", settings.limits)
    listener = Listener(settings, Inbox(home / "inbox", Queue(jobs, ()), log), log)
    listener.start()
    try:
        yield settings
    finally:
        listener.stop()


def events(lines: list[str]) -> list[str]:
    return [json.loads(line)["event"] for line in lines]


def echo(settings: ReceiverSettings, *, called: str = "CINEMA", calling: str = "SENDER") -> int | None:
    """Status of C-ECHO; None if the association is refused."""
    entity = AE(ae_title=calling)
    entity.add_requested_context("1.2.840.10008.1.1")
    association = entity.associate("127.0.0.1", settings.port, ae_title=called)
    if not association.is_established:
        return None
    status = association.send_c_echo().Status
    association.release()
    return int(status)


def test_images_are_stored_as_they_are_sent(tmp_path: Path) -> None:
    with listening(tmp_path) as settings:
        assert echo(settings) == 0
        assert send(settings.port, images("a", 3)) == [0, 0, 0]
        assert send(settings.port, images("a", 4)) == [0] * 4
    assert sorted(uids_below(tmp_path).values()) == [1] * 4
    (stored, *_) = sorted((tmp_path / "inbox").rglob("*.dcm"))
    sent = {bytes(file_bytes(one))[-64:] for one in images("a", 4)}
    assert stored.read_bytes()[-64:] in sent


def test_other_titles_are_refused(tmp_path: Path) -> None:
    lines: list[str] = []
    with listening(tmp_path, lines, calling=("SCANNER", "PACS")) as settings:
        assert send(settings.port, images("a"), calling="STRANGER") is None
        assert send(settings.port, images("a"), called="OTHER", calling="PACS") is None
        assert echo(settings, calling="STRANGER") is None
        assert send(settings.port, images("a"), calling="PACS") == [0] * 4
    assert events(lines) == ["association-rejected"] * 3 + ["association", "association-ended"]
    assert json.loads(lines[1])["called"] == "OTHER"


def test_other_objects_are_acknowledged_and_not_kept(tmp_path: Path) -> None:
    with listening(tmp_path) as settings:
        assert send(settings.port, [image("a", 0), result_object(1)]) == [0, 0]
    assert len(uids_below(tmp_path)) == 1


def test_every_object_of_an_association_is_counted_and_a_sender_that_broke_off_is_named(tmp_path: Path) -> None:
    lines: list[str] = []
    damaged = image("a", 9)
    damaged.StudyInstanceUID = ""
    with listening(tmp_path, lines) as settings:
        assert send(settings.port, [*images("a", 3), image("a", 0), result_object(1), damaged]) == [0] * 5 + [0xC000]
        until(lambda: "association-ended" in events(lines))
        entity = AE(ae_title="SENDER")
        entity.add_requested_context(MRImageStorage, ExplicitVRLittleEndian)
        association = entity.associate("127.0.0.1", settings.port, ae_title="CINEMA")
        association.send_c_store(image("a", 4))
        association.abort()
        assert echo(settings) == 0
        until(lambda: events(lines).count("association-ended") == 2)
    first, second = (json.loads(line) for line in lines if "association-ended" in line)
    counts = ("new_images", "known_images", "not_kept", "refused")
    assert (first["ended"], [first[name] for name in counts]) == ("released", [3, 1, 1, 1])
    assert (second["ended"], [second[name] for name in counts]) == ("broken off", [1, 0, 0, 0])


def test_a_study_beyond_its_limits_is_refused(tmp_path: Path) -> None:
    lines: list[str] = []
    with listening(tmp_path, lines, limits=Limits(job_bytes=9_000)) as settings:
        assert send(settings.port, [image("a", n, size=4_000) for n in range(4)]) == [0, 0xA700, 0xA700, 0xA700]
        assert send(settings.port, images("b")) == [0] * 4
    assert events(lines)[:3] == ["association", "study-too-large", "image-refused"]
    assert len(uids_below(tmp_path)) == 4


def test_an_image_without_identifiers_is_refused(tmp_path: Path) -> None:
    damaged = image("a", 0)
    damaged.StudyInstanceUID = ""
    with listening(tmp_path) as settings:
        assert send(settings.port, [damaged, image("a", 1)]) == [0xC000, 0]


def test_an_image_that_memory_could_not_hold_ends_its_association(tmp_path: Path) -> None:
    lines: list[str] = []
    with listening(tmp_path, lines, instance_bytes=100_000) as settings:
        assert send(settings.port, [image("a", 0, size=90_000), image("a", 1, size=90_000)]) == [0, 0]
        assert send(settings.port, [image("b", 0, size=500_000)]) == [None]
        assert send(settings.port, [image("b", 1)]) == [0]
    assert "association-aborted" in events(lines)


def test_a_full_disk_refuses_an_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Inbox, "receive", full)
    with listening(tmp_path) as settings:
        assert send(settings.port, [image("a", 0)]) == [0xA700]


def test_four_senders_at_once(tmp_path: Path) -> None:
    statuses: list[list[int | None] | None] = []
    with listening(tmp_path, associations=4) as settings:
        senders = [
            Thread(target=lambda name=name: statuses.append(send(settings.port, images(name, 20)))) for name in "abcd"
        ]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()
    assert statuses == [[0] * 20] * 4
    assert len(uids_below(tmp_path)) == 80


def test_associations_are_limited(tmp_path: Path) -> None:
    with listening(tmp_path, associations=1) as settings:
        entity = AE(ae_title="FIRST")
        entity.add_requested_context("1.2.840.10008.1.1")
        first = entity.associate("127.0.0.1", settings.port, ae_title="CINEMA")
        assert first.is_established and echo(settings) is None
        first.release()
        until(lambda: echo(settings) == 0)


def test_nothing_listens_beyond_the_loopback_address(tmp_path: Path) -> None:
    with listening(tmp_path) as settings:
        addresses = {found[4][0] for found in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)}
        for address in addresses - {"127.0.0.1", "127.0.1.1"}:
            with socket.socket() as one:
                assert one.connect_ex((address, settings.port)) != 0


def test_a_port_in_use_is_an_error(tmp_path: Path) -> None:
    with listening(tmp_path / "a") as settings:
        second = Listener(settings, None, EventLog())  # type: ignore[arg-type]
        with pytest.raises(InputError, match=r"cannot be listened on.*--port"):
            second.start()


def test_nothing_of_a_patient_is_logged(tmp_path: Path) -> None:
    lines: list[str] = []
    damaged = image("a", 0)
    damaged.StudyInstanceUID = ""
    with listening(tmp_path, lines) as settings:
        send(settings.port, [damaged, *images("a")])
    identifiers = [*PATIENT.values(), image("a", 0).StudyInstanceUID, damaged.SOPInstanceUID]
    assert [value for value in identifiers if value in "".join(lines)] == []


@pytest.mark.medium
@pytest.mark.skipif(shutil.which("storescu", path=SYSTEM_PATH) is None, reason="needs DCMTK")
def test_dcmtk_sends(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    for number, one in enumerate(images("a")):
        (tmp_path / f"out/{number}.dcm").write_bytes(file_bytes(one))
    with listening(tmp_path / "home") as settings:
        to = ["-aec", "CINEMA", "127.0.0.1", str(settings.port)]
        echo_tool, store_tool = (str(shutil.which(name, path=SYSTEM_PATH)) for name in ("echoscu", "storescu"))
        subprocess.run([echo_tool, *to], check=True, timeout=60)
        subprocess.run([store_tool, "+sd", *to, str(tmp_path / "out")], check=True, timeout=60)
        refused = subprocess.run([echo_tool, "-aec", "OTHER", *to[2:]], check=False, capture_output=True, timeout=60)
        assert refused.returncode != 0 and b"Called AE Title Not Recognized" in refused.stderr
    assert len(uids_below(tmp_path / "home")) == 4
