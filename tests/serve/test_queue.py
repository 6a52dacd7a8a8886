"""The queue: one job after another, ended ones run again, and a server that is killed loses and repeats nothing."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from serving import STUB

from cinema_cmr.serve.jobs import JobStore
from cinema_cmr.serve.queue import Queue
from cinema_cmr.serve.server_settings import Limits

SERVER = """
import sys, time
from pathlib import Path
from cinema_cmr.serve.jobs import JobStore
from cinema_cmr.serve.server_settings import Limits
from cinema_cmr.serve.queue import Queue
Queue(JobStore(Path(sys.argv[1]) / "studies", Limits()), sys.argv[2:]).start()
time.sleep(600)
"""


def home_of(folder: Path, template: Path, n_jobs: int) -> JobStore:
    shutil.copytree(template, folder / "template")
    store = JobStore(folder / "studies", Limits())
    for number in range(n_jobs):
        job = store.create(f"study{number}")
        store.new_file(job.id, "a.dcm").write_bytes(b"x")
        store.submit(job.id)
    return store


def states(folder: Path) -> Counter[str]:
    return Counter(job.status for job in JobStore(folder / "studies", Limits()).listed())


@pytest.mark.medium
def test_a_stopped_queue_leaves_its_job_for_the_next_start(
    tmp_path: Path, template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STUB_SECONDS", "30")
    queue = Queue(home_of(tmp_path, template, 1), STUB)
    queue.start()
    while not queue.progress(queue.store.listed()[0].id).stage:
        time.sleep(0.02)
    queue.stop()
    assert states(tmp_path) == {"queued": 1}


@pytest.mark.medium
def test_a_running_job_is_cancelled(tmp_path: Path, template: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STUB_SECONDS", "30")
    queue = Queue(home_of(tmp_path, template, 1), STUB)
    (job,) = queue.store.listed()
    queue.start()
    while not queue.progress(job.id).stage:
        time.sleep(0.02)
    queue.cancel(job.id)
    queue.stop()
    assert queue.store.listed() == [] and not queue.store.folder(job.id).exists()


@pytest.mark.medium
def test_a_worker_that_crashes_fails_its_job_alone(tmp_path: Path, template: Path) -> None:
    queue = Queue(home_of(tmp_path, template, 2), (sys.executable, "-c", "import os; os._exit(9)"))
    queue.start()
    for _ in range(200):
        if states(tmp_path) == {"failed": 2}:
            break
        time.sleep(0.05)
    queue.stop()
    assert [job.error for job in queue.store.listed()] == [queue.store.listed()[0].error] * 2
    assert "ended without a result" in str(queue.store.listed()[0].error)


@pytest.mark.slow
def test_ten_studies_end_finished_once_though_the_server_is_killed_three_times(tmp_path: Path, template: Path) -> None:
    home_of(tmp_path, template, 10)
    environment = {**os.environ, "STUB_SECONDS": "0.4"}
    log = tmp_path / "finished.log"

    def finished() -> list[str]:
        return log.read_text().split() if log.exists() else []

    for wanted in (2, 5, 7, 10):
        server = subprocess.Popen([sys.executable, "-c", SERVER, str(tmp_path), *STUB], env=environment)
        deadline = time.monotonic() + 120
        while len(finished()) < wanted and time.monotonic() < deadline:
            time.sleep(0.03)
        if wanted == 10:
            while states(tmp_path) != {"done": 10} and time.monotonic() < deadline:
                time.sleep(0.1)
        os.kill(server.pid, signal.SIGKILL)
        server.wait()
    assert states(tmp_path) == {"done": 10}
    assert len(finished()) == len(set(finished())) == 10
