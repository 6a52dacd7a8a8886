"""The state of a run: rate, time left, causes, and whether it still runs."""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from cinema_cmr.core.errors import InputError
from cinema_cmr.files.lock import LOCK_FILE, folder_lock
from cinema_cmr.files.owner import this_process
from cinema_cmr.population.outcome import Attempt, StudyOutcome
from cinema_cmr.population.status import (
    RunStatus,
    StatusFile,
    is_running,
    keep_shards,
    read_statuses,
    status_lines,
    unfinished_shards,
)

STATUS = RunStatus(shard="1-of-1", engine="local", workers=2, total=10, kept=4)


def test_counts_reach_the_file_and_its_line(tmp_path: Path) -> None:
    file = StatusFile(tmp_path, replace(STATUS))
    for cause in (None, "timeout", None):
        file.count(StudyOutcome(name="s", settings="", listing="", cause=cause, cost=Attempt(peak_mb=700.0)))  # type: ignore[arg-type]
    file.finish()
    (status,) = read_statuses(tmp_path)
    assert (status.done, status.failed, status.causes, status.peak_mb) == (2, 1, {"timeout": 1}, 700.0)
    (line,) = status_lines(tmp_path, [status])
    assert "7 of 10 (4 before), 1 failed (1 timeout)" in line and line.endswith("finished")
    lines = (tmp_path / "status" / "1-of-1.metrics.jsonl").read_text().splitlines()
    assert json.loads(lines[-1])["done"] == 2


def test_a_run_goes_on_while_its_process_lives(tmp_path: Path) -> None:
    """A study of half an hour gives no sign of its own for so long; a process that was killed is gone at once."""
    running = replace(STATUS, updated=1, left_s=3700.0)
    lock = tmp_path / "status" / "lock-1-of-1" / LOCK_FILE
    with folder_lock(lock.parent):
        os.utime(lock, (time.time() - 200,) * 2)  # its thread of renewal had no turn
        assert status_lines(tmp_path, [running])[0].endswith("1 h 1 min left")
        assert not is_running(tmp_path, replace(running, shard="1-of-2"))
        assert not is_running(tmp_path, replace(running, finished=True))
    now = replace(running, updated=int(time.time()))
    lock.write_text(json.dumps(asdict(replace(this_process(), pid=2**22 + 5))))
    assert "stopped: call again" in status_lines(tmp_path, [now])[0], "a run that was killed just now"


def test_a_run_of_another_machine_goes_on_while_its_lock_is_renewed(tmp_path: Path) -> None:
    lock = tmp_path / "status" / "lock-1-of-1" / LOCK_FILE
    lock.parent.mkdir(parents=True)
    lock.write_text(json.dumps(asdict(replace(this_process(), host="0" * 12))))
    for age_s, alive in ((200, True), (400, False)):
        os.utime(lock, (time.time() - age_s,) * 2)
        assert is_running(tmp_path, STATUS) is alive, "as a run would take the lock over"


def test_a_folder_without_runs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no status"):
        read_statuses(tmp_path)


def test_what_shards_lack_is_listed(tmp_path: Path) -> None:
    def put(folder: str, shard: str, *, finished: bool, done: int = 3) -> Path:
        path = tmp_path / folder / "status" / f"{shard}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(replace(STATUS, shard=shard, finished=finished, done=done))))
        return tmp_path / folder

    (tmp_path / "all" / "status").mkdir(parents=True)
    first, second = put("a", "1-of-3", finished=True), put("b", "2-of-3", finished=False)
    assert unfinished_shards([tmp_path / "all", first, second]) == [
        "shard 2/3 has not ended: 7 of 10 studies",
        "shard 3/3 is not in these folders",
    ]
    put("c", "2-of-3", finished=True)
    third = put("c", "3-of-3", finished=True)
    assert unfinished_shards([first, second, third]) == []
    put("a", "1-of-16", finished=True)  # an earlier plan, given up
    assert unfinished_shards([first, second, third]) == []
    assert unfinished_shards([put("b", "1-of-1", finished=True)]) == [], "done as a whole"
    assert unfinished_shards([put("d", "1-of-1", finished=False)]) == ["'d' has not ended: 7 of 10 studies"]


def test_a_merged_folder_keeps_what_it_lacks_until_it_has_it(tmp_path: Path) -> None:
    def put(shard: str, *, finished: bool = True, updated: int = 1) -> Path:
        path = tmp_path / shard / "status" / f"{shard}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(replace(STATUS, shard=shard, finished=finished, updated=updated))))
        return tmp_path / shard

    merged = tmp_path / "all"
    keep_shards([put("1-of-3"), put("2-of-3", finished=False)], merged)
    lacks = ["shard 2/3 has not ended: 4 of 10 studies", "shard 3/3 is not in these folders"]
    assert unfinished_shards([merged]) == lacks, "merged again without its sources"
    keep_shards([put("3-of-3")], merged)
    assert unfinished_shards([merged]) == lacks[:1]
    keep_shards([put("2-of-3", updated=2)], merged)
    keep_shards([put("2-of-3", finished=False, updated=3)], merged)
    assert unfinished_shards([merged]) == [], "what has ended once is there"
    keep_shards([put("1-of-1")], merged)
    assert not (merged / "status" / "1-of-1.json").exists(), "the merged folder is no undivided run"
