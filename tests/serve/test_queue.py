"""The queue: one job after another, ended ones run again, and a server that is killed loses and repeats nothing."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from serving import STUB

from cinema_cmr.serve import jobs
from cinema_cmr.serve.jobs import JobStore
from cinema_cmr.serve.queue import Queue
from cinema_cmr.serve.server_settings import Limits
from processes import running, until

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
        path = store.new_file(job.id, "a.dcm")
        path.write_bytes(b"x")
        store.end_file(job.id, path, received=True)
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
    until(lambda: bool(queue.progress(queue.store.listed()[0].id).stage))
    queue.stop()
    assert states(tmp_path) == {"queued": 1}


@pytest.mark.medium
def test_a_running_job_is_cancelled(tmp_path: Path, template: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STUB_SECONDS", "30")
    queue = Queue(home_of(tmp_path, template, 1), STUB)
    (job,) = queue.store.listed()
    queue.start()
    until(lambda: bool(queue.progress(job.id).stage))
    queue.cancel(job.id)
    queue.stop()
    assert queue.store.listed() == [] and not queue.store.folder(job.id).exists()


@pytest.mark.medium
def test_a_worker_that_crashes_fails_its_job_alone(tmp_path: Path, template: Path) -> None:
    queue = Queue(home_of(tmp_path, template, 2), (sys.executable, "-c", "import os; os._exit(9)"))
    queue.start()
    until(lambda: states(tmp_path) == {"failed": 2})
    queue.stop()
    assert [job.error for job in queue.store.listed()] == [queue.store.listed()[0].error] * 2
    assert "ended without a result" in str(queue.store.listed()[0].error)


@pytest.mark.medium
def test_an_analysis_that_cannot_start_fails_its_job_alone(tmp_path: Path, template: Path) -> None:
    """The command does not exist: an error of the system, which is no cancellation."""
    queue = Queue(home_of(tmp_path, template, 2), (str(tmp_path / "none"),))
    queue.start()
    until(lambda: states(tmp_path) == {"failed": 2})
    queue.stop()
    errors = [str(job.error) for job in queue.store.listed()]
    assert len(errors) == 2 and all("could not be run" in one and str(tmp_path) not in one for one in errors)


@pytest.mark.medium
def test_a_full_disk_fails_the_job_and_leaves_the_queue_running(
    tmp_path: Path, template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = home_of(tmp_path, template, 1)
    queue, written = Queue(store, STUB), jobs.write_json

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(jobs, "write_json", full)
    queue.start()
    until(lambda: store.listed()[0].status == "failed")
    assert "No space left" in str(store.listed()[0].error)
    monkeypatch.setattr(jobs, "write_json", written)
    store.update(store.listed()[0].id, status="queued")
    until(lambda: store.listed()[0].status == "done")
    queue.stop()


@pytest.mark.medium
def test_an_analysis_has_ended_before_its_files_are_removed(
    tmp_path: Path, template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker writes into the job's folder without end: nothing of it may be left."""
    writes = 'import sys, pathlib, itertools\nprint(\'{"stage": "s"}\', flush=True)\nfor n in itertools.count():\n'
    writes += " d = pathlib.Path(sys.argv[1]) / f'd{n}'; d.mkdir(parents=True); (d / 'f').touch()"
    queue = Queue(home_of(tmp_path, template, 1), (sys.executable, "-c", writes))
    (job,) = queue.store.listed()
    queue.start()
    until(lambda: bool(queue.progress(job.id).stage))
    queue.cancel(job.id)
    assert not queue.store.folder(job.id).exists()
    queue.stop()
    assert queue.store.listed() == [] and not queue.store.folder(job.id).exists()


@pytest.mark.slow
def test_ten_studies_end_finished_once_though_the_server_is_killed_three_times(tmp_path: Path, template: Path) -> None:
    home_of(tmp_path, template, 10)
    environment = {**os.environ, "STUB_SECONDS": "0.4"}
    log = tmp_path / "finished.log"

    def finished() -> list[str]:
        return log.read_text().split() if log.exists() else []

    for wanted in (2, 5, 7, 10):
        with running([sys.executable, "-c", SERVER, str(tmp_path), *STUB], env=environment):  # killed at its end
            until(lambda n=wanted: len(finished()) >= n, seconds=120)
            if wanted == 10:
                until(lambda: states(tmp_path) == {"done": 10}, seconds=120)
    assert states(tmp_path) == {"done": 10}
    assert len(finished()) == len(set(finished())) == 10


@pytest.mark.medium
def test_the_ends_of_jobs_are_reported(tmp_path: Path, template: Path) -> None:
    ends: list[tuple[str, str]] = []
    queue = Queue(home_of(tmp_path, template, 2), STUB, ended=lambda job: ends.append((job.name, job.status)))
    queue.start()
    until(lambda: len(ends) == 2)
    queue.stop()
    assert sorted(ends) == [("study0", "done"), ("study1", "done")]


@pytest.mark.medium
def test_a_queue_that_stops_while_a_job_starts_ends_its_process(
    tmp_path: Path, template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STUB_SECONDS", "30")
    queue = Queue(home_of(tmp_path, template, 1), STUB)
    (job,) = queue.store.listed()
    update = queue.store.update

    def stop_between(key: str, **changes: object) -> jobs.Job:
        changed = update(key, **changes)
        if changes.get("status") == "running":
            queue.stop()
        return changed

    processes = list[subprocess.Popen[str]]()
    start = queue._started

    def started(key: str) -> subprocess.Popen[str]:
        processes.append(start(key))
        return processes[-1]

    monkeypatch.setattr(queue.store, "update", stop_between)
    monkeypatch.setattr(queue, "_started", started)
    queue._run(job)
    assert processes[0].returncode != 0 and states(tmp_path) == {"queued": 1}
