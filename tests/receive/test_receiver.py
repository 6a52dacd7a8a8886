"""The whole receiver: studies in, results out, and SIGKILL while it receives, analyses and sends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from threading import Thread

import pytest

pytest.importorskip("pynetdicom")

from dicom_nodes import (
    N_OBJECTS,
    STUB,
    Archive,
    archive,
    file_bytes,
    free_port,
    images,
    send,
    started_server,
    uids_below,
)
from pydicom import dcmread

from cinema_cmr.core.errors import InputError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.io.dicom.writing.series import DicomShape
from cinema_cmr.phantom.cohort import CohortConfig, write_cohort
from cinema_cmr.receive.event_log import EventLog
from cinema_cmr.receive.receiver import receiving
from cinema_cmr.receive.receiver_settings import ANALYSE_AND_EXPORT, Peer, ReceiverSettings
from processes import until


def settings_of(home: Path, *archives: Archive, **changes: object) -> ReceiverSettings:
    peers = tuple(Peer.parse(one.address) for one in archives)
    values = {"port": free_port(), "quiet_s": 1.0, "command": STUB, "peers": peers, **changes}
    return ReceiverSettings(home=home, **values)  # type: ignore[arg-type]


def finished(home: Path) -> list[str]:
    """Jobs that the stub finished, each as often as it did."""
    log = home / "finished.log"
    return log.read_text().split() if log.exists() else []


@pytest.mark.medium
def test_studies_are_analysed_and_their_results_sent(tmp_path: Path) -> None:
    lines: list[str] = []
    with archive() as one:
        settings = settings_of(tmp_path, one)
        with receiving(settings, EventLog(lines.append)):
            for name in ("a", "b", "a"):
                assert send(settings.port or 0, images(name)) == [0] * 4
            until(lambda: len(one.received) == 2 * N_OBJECTS)
            assert send(settings.port or 0, images("a")) == [0] * 4  # once more, after its end
            until(lambda: sum("sent" in line for line in lines) == 2)
        assert set(one.received.values()) == {1}
        assert one.received == uids_below(tmp_path) - Counter(str(i.SOPInstanceUID) for n in "ab" for i in images(n))
    assert len(finished(tmp_path)) == 2
    counts = Counter(json.loads(line)["event"] for line in lines)
    assert (counts["queued"], counts["analysed"], counts["sent"], counts["stopped"]) == (2, 2, 2, 1)


@pytest.mark.medium
def test_a_watched_folder_needs_no_port(tmp_path: Path) -> None:
    (tmp_path / "drop").mkdir()
    for number, one in enumerate(images("a")):
        (tmp_path / f"drop/{number}.dcm").write_bytes(file_bytes(one))
    with receiving(settings_of(tmp_path / "home", port=None, watched=tmp_path / "drop"), EventLog([].append)) as jobs:
        until(lambda: [job.status for job in jobs.listed()] == ["done"])


@pytest.mark.medium
def test_a_failed_analysis_is_logged_and_nothing_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STUB_FAILS", "1")
    lines: list[str] = []
    with archive() as one:
        settings = settings_of(tmp_path, one)
        with receiving(settings, EventLog(lines.append)):
            send(settings.port or 0, images("a"))
            until(lambda: any('"failed"' in line for line in lines))
        assert not one.received
    assert any("no cine in the input" in line for line in lines)


def test_a_home_has_one_receiver(tmp_path: Path) -> None:
    log = EventLog([].append)
    with (
        receiving(settings_of(tmp_path), log),
        pytest.raises(InputError, match="in use"),
        receiving(settings_of(tmp_path), log),
    ):
        pass


def killed(server: subprocess.Popen[bytes]) -> None:
    os.kill(server.pid, signal.SIGKILL)
    server.wait()


def check_all_sent_once(home: Path, port: int, one: Archive, server: subprocess.Popen[bytes], names: str) -> None:
    """Wait for the end; every study was analysed once and every object is in the archive."""
    try:
        until(lambda: len(one.received) == N_OBJECTS * len(names))
        until(lambda: not list((home / "inbox").rglob("*.dcm")))
        until(lambda: sum('"complete": true' in path.read_text() for path in home.rglob("sent.json")) == len(names))
    finally:
        killed(server)
    done = finished(home)
    assert len(done) == len(set(done)) == len(names)
    sent = Counter(str(dataset.SOPInstanceUID) for name in names for dataset in images(name, 20))
    assert uids_below(home) == sent + Counter(dict.fromkeys(one.received, 1))
    assert not [path for path in home.rglob("*") if path.name.startswith((".cinema-", ".draft")) and path.is_dir()]


@pytest.mark.slow
def test_a_kill_while_receiving(tmp_path: Path) -> None:
    """What was acknowledged is there after the restart; the sender sends the rest, or everything, again."""
    home, port = tmp_path / "home", free_port()
    with archive() as one:
        server = started_server(home, port, one.address)
        acknowledged: list[int] = []

        def slowly() -> None:
            for dataset in images("a", 20):
                acknowledged.extend(status for status in send(port, [dataset]) or [] if status == 0)

        sender = Thread(target=slowly)
        sender.start()
        until(lambda: len(acknowledged) >= 5)
        killed(server)
        sender.join()
        assert sum(uids_below(home / "inbox").values()) >= 5
        server = started_server(home, port, one.address)
        assert send(port, images("a", 20)) == [0] * 20
        check_all_sent_once(home, port, one, server, "a")


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["analysing", "sending"])
def test_a_kill_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str) -> None:
    home, port = tmp_path / "home", free_port()
    with archive() as one:
        monkeypatch.setenv("STUB_SECONDS", "1.0" if moment == "analysing" else "0.05")
        one.pause_s = 0.0 if moment == "analysing" else 0.5
        reached: Callable[[], bool] = (
            (lambda: any('"running"' in path.read_text() for path in home.rglob("job.json")))
            if moment == "analysing"
            else (lambda: any(home.rglob("sent.json")))
        )
        server = started_server(home, port, one.address)
        for name in "ab":
            assert send(port, images(name, 20)) == [0] * 20
        until(reached)
        killed(server)
        monkeypatch.setenv("STUB_SECONDS", "0.05")
        one.pause_s = 0.0
        check_all_sent_once(home, port, one, started_server(home, port, one.address), "ab")
        repeated = {uid: n for uid, n in one.received.items() if n > 1}
        assert len(repeated) <= (moment == "sending")  # the object whose acknowledgement was on its way


@pytest.mark.slow
def test_a_kill_while_the_true_analysis_runs(tmp_path: Path) -> None:
    """A phantom study and the bundled models: the objects of the second attempt are all in the archive, once."""
    views = (View.SAX, View.LAX_4C)
    shape = DicomShape.SERIES_PER_VIEW
    write_cohort(tmp_path / "phantoms", CohortConfig(n=1, views=views, format="dicom", n_frames=8, dicom_shape=shape))
    study = [dcmread(path) for path in sorted((tmp_path / "phantoms").rglob("*.dcm"))]
    home, port = tmp_path / "home", free_port()
    with archive() as one:
        server = started_server(home, port, one.address, ANALYSE_AND_EXPORT)
        assert send(port, study) == [0] * len(study)
        until(lambda: any('"running"' in path.read_text() for path in home.rglob("job.json")))
        time.sleep(5)
        killed(server)
        server = started_server(home, port, one.address, ANALYSE_AND_EXPORT)
        try:
            until(lambda: any('"complete": true' in path.read_text() for path in home.rglob("sent.json")), seconds=400)
        finally:
            killed(server)
        (job,) = (home / "received").iterdir()
        assert one.received == uids_below(job / "dicom") and len(one.received) >= 3
