"""A study that breaks, kills, hangs or bloats its worker is a failure with its reason, and harms no other."""

from __future__ import annotations

import multiprocessing
import os
import platform
import re
import threading
import time
from collections.abc import Iterator
from multiprocessing.context import SpawnContext, SpawnProcess
from pathlib import Path

import pytest
from stub_works import job, studies

from cinema_cmr.core.errors import InternalError, WeightsError
from cinema_cmr.population.outcome import StudyOutcome, archived_outcome
from cinema_cmr.population.supervisor import Supervisor


@pytest.fixture(scope="module")
def supervisor() -> Iterator[Supervisor]:
    one = Supervisor(job(seconds=2.0))
    yield one
    one.close()


def outcome_of(supervisor: Supervisor, name: str, folder: Path = Path("nowhere")) -> StudyOutcome:
    (study,) = studies(name, folder=folder)
    return archived_outcome(supervisor.run(study), name)


@pytest.mark.medium
def test_a_good_study_has_its_numbers_after_a_broken_one(supervisor: Supervisor) -> None:
    broken, good = (outcome_of(supervisor, name) for name in ("broken-1", "good-7"))
    assert (broken.cause, broken.exit_code, broken.attempts, broken.record) == ("input", 3, 2, None)
    assert "truncated" in str(broken.reason)
    assert good.record is not None and good.record.measurements[0].value == 101.0
    assert (good.cause, good.attempts, good.settings) == (None, 1, "s1")
    assert 0 < good.cost.peak_mb < 2048


@pytest.mark.medium
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="measured with glibc")
def test_a_worker_gives_the_memory_of_a_study_back(supervisor: Supervisor) -> None:
    outcome_of(supervisor, "good-1")
    (before,) = resident_of_children()
    assert outcome_of(supervisor, "pieces-1").cost.peak_mb > before + 100
    (after,) = resident_of_children()
    assert after < before + 40
    record = outcome_of(supervisor, "environment-1").record
    assert record is not None and record.measurements[0].value == 256, "kernels that are kept"


def resident_of_children() -> list[float]:
    """Return the resident memory of each child process that lives, MB."""
    pids = [child.pid for child in multiprocessing.active_children()]
    statuses = [Path(f"/proc/{pid}/status").read_text() for pid in pids]
    return [int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) / 1024 for status in statuses]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "cause", "reason"),
    [
        ("kill-1", "killed", "SIGKILL"),
        ("hang-1", "timeout", "not finished in 2 s"),
        ("bloat-1", "memory", "memory"),
        ("defect-1", "error", "ValueError at"),
    ],
)
def test_each_failure_has_its_true_reason(supervisor: Supervisor, name: str, cause: str, reason: str) -> None:
    outcome = outcome_of(supervisor, name)
    assert (outcome.cause, outcome.attempts) == (cause, 2)
    assert reason in str(outcome.reason) and "secret" not in str(outcome.reason)
    assert outcome_of(supervisor, "good-0").cause is None


@pytest.mark.slow
def test_a_study_that_fails_once_is_done_at_the_second_attempt(supervisor: Supervisor, tmp_path: Path) -> None:
    outcome = outcome_of(supervisor, "flaky-1", tmp_path)
    assert (outcome.cause, outcome.attempts) == (None, 2)


@pytest.mark.medium
def test_a_model_that_does_not_load_is_an_error_of_the_run() -> None:
    with pytest.raises(WeightsError, match="no model"):
        Supervisor(job(error="no model")).run(studies("good-1")[0])


@pytest.mark.medium
@pytest.mark.parametrize("moment", ["before", "starting", "loading"])
def test_a_worker_that_is_stopped_while_it_starts_is_ended(moment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stop comes, from another thread, right before the process, while it is started, or while it loads."""
    one, started = Supervisor(job()), list[SpawnProcess]()
    stopping = threading.Thread(target=one.stop)
    start, pipe = SpawnProcess.start, SpawnContext.Pipe

    def pipe_after_stop(self: SpawnContext) -> object:
        if moment == "before":
            stopping.start()
            stopping.join()
        return pipe(self)

    def start_with_stop(self: SpawnProcess) -> None:
        started.append(self)
        if moment == "starting":
            stopping.start()
            time.sleep(0.05)
        start(self)
        if moment == "loading":
            stopping.start()

    monkeypatch.setattr(SpawnContext, "Pipe", pipe_after_stop)
    monkeypatch.setattr(SpawnProcess, "start", start_with_stop)
    with pytest.raises(InternalError, match=r"was stopped|ended while it loaded"):
        one.run(studies("good-1")[0])
    stopping.join()
    assert len(started) == (moment != "before")
    assert not any(process.is_alive() for process in started)
    one.close()


@pytest.mark.parametrize(
    ("given", "found"),
    [(None, ["0", "1"]), ("4,6", ["4", "6"]), ("GPU-ab, MIG-cd", ["GPU-ab", "MIG-cd"]), ("", ["0", "1"])],
)
def test_workers_share_the_gpus_that_this_process_was_given(
    given: str | None, found: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if given is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", given)
    visible = list[str | None]()

    def start_nothing(self: SpawnProcess) -> None:
        visible.append(os.environ.get("CUDA_VISIBLE_DEVICES"))
        raise InternalError("seen")

    monkeypatch.setattr(SpawnProcess, "start", start_nothing)
    for gpu in (0, 1):
        with pytest.raises(InternalError, match="seen"):
            Supervisor(job(), gpu=gpu).run(studies("good-1")[0])
    assert visible == found
    assert os.environ.get("CUDA_VISIBLE_DEVICES") == given, "this process keeps its own list"
