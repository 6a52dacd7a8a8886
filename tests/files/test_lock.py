"""One run in a folder; the lock of a dead process is no lock."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from cinema_cmr.core.errors import InputError
from cinema_cmr.files.lock import LOCK_FILE, folder_lock, waiting_lock
from cinema_cmr.files.owner import Owner, this_process


def leave_lock(folder: Path, owner: Owner, *, age_s: float = 0) -> None:
    (folder / LOCK_FILE).write_text(json.dumps(asdict(owner)))
    os.utime(folder / LOCK_FILE, (time.time() - age_s,) * 2)


def test_a_second_run_is_refused_until_the_first_ends(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with folder_lock(folder):
        with pytest.raises(InputError, match=f"in use by process {os.getpid()} of this machine"), folder_lock(folder):
            pass
        assert [path.name for path in folder.iterdir()] == [LOCK_FILE]
    assert list(folder.iterdir()) == []
    with folder_lock(folder):
        pass


def test_the_lock_of_a_killed_process_is_taken_over(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys\nfrom cinema_cmr.files.lock import folder_lock\n"
        "with folder_lock(sys.argv[1]): os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path], check=False)
    assert done.returncode == -9 and (tmp_path / LOCK_FILE).exists()
    with folder_lock(tmp_path):
        assert json.loads((tmp_path / LOCK_FILE).read_text())["pid"] == os.getpid()


def test_the_number_of_a_dead_process_may_be_that_of_a_living_one(tmp_path: Path) -> None:
    own = this_process()
    if not own.started:
        pytest.skip("this system tells no start times")
    leave_lock(tmp_path, replace(own, started=own.started - 1))
    with folder_lock(tmp_path):
        pass


def test_a_lock_of_another_machine_holds_while_it_is_renewed(tmp_path: Path) -> None:
    other = replace(this_process(), host="0" * 12)
    leave_lock(tmp_path, other)
    with pytest.raises(InputError, match="a process of another machine"), folder_lock(tmp_path):
        pass
    leave_lock(tmp_path, other, age_s=400)
    with folder_lock(tmp_path):
        pass


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b'{"pid": "x"}'])
def test_a_damaged_lock_holds_for_five_minutes(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / LOCK_FILE
    path.write_bytes(content)
    with pytest.raises(InputError, match="in use"), folder_lock(tmp_path):
        pass
    os.utime(path, (time.time() - 400,) * 2)
    with folder_lock(tmp_path):
        pass


def test_a_failure_of_the_run_releases_it(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), folder_lock(tmp_path):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_a_waiting_lock_waits_for_its_holder_and_not_for_ever(tmp_path: Path) -> None:
    order: list[str] = []

    def wait() -> None:
        with waiting_lock(tmp_path, seconds=30):
            order.append("waited")

    with folder_lock(tmp_path):
        with pytest.raises(InputError, match="in use"), waiting_lock(tmp_path, seconds=0.1):
            pass
        thread = threading.Thread(target=wait)
        thread.start()
        time.sleep(0.2)
        order.append("held")
    thread.join()
    assert order == ["held", "waited"]
