"""One run in a folder; the lock of a dead process is no lock."""

from __future__ import annotations

import errno
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
from cinema_cmr.files import lock
from cinema_cmr.files.lock import LOCK_FILE, folder_lock, is_held, waiting_lock
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


def test_of_two_that_find_a_dead_lock_one_takes_it_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first stops between its look at the lock and the change, until the second holds it or is refused."""
    own = this_process()
    leave_lock(tmp_path, replace(own, pid=2**22 + 5))
    looked, second_done, holders, refused = threading.Event(), threading.Event(), [0], []
    check = lock._check_dead

    def slow_check(path: Path) -> None:
        check(path)
        if threading.current_thread().name == "first":
            looked.set()
            second_done.wait(0.4)

    def take() -> None:
        try:
            with folder_lock(tmp_path):
                holders.append(holders[-1] + 1)
                second_done.set() if threading.current_thread().name == "second" else None
                time.sleep(0.6)
                holders.append(holders[-1] - 1)
        except InputError:
            refused.append(threading.current_thread().name)

    monkeypatch.setattr(lock, "_check_dead", slow_check)
    first, second = (threading.Thread(target=take, name=name) for name in ("first", "second"))
    first.start()
    looked.wait(5)
    second.start()
    first.join()
    second.join()
    assert max(holders) == 1 and refused == ["second"]
    assert list(tmp_path.iterdir()) == []


def test_a_lock_that_another_has_taken_over_is_left_to_it(tmp_path: Path) -> None:
    with folder_lock(tmp_path):
        leave_lock(tmp_path, replace(this_process(), host="0" * 12))
    assert "000000000000" in (tmp_path / LOCK_FILE).read_text()


def test_where_the_system_has_no_such_locks_there_is_no_guard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fcntl = pytest.importorskip("fcntl")

    def refuse(file: int, how: int) -> None:
        raise OSError(errno.ENOLCK, "no locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with folder_lock(tmp_path):
        assert [path.name for path in tmp_path.iterdir()] == [LOCK_FILE]
        with pytest.raises(InputError, match="in use"), folder_lock(tmp_path):
            pass
    assert list(tmp_path.iterdir()) == []


def test_a_guard_that_is_held_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fcntl = pytest.importorskip("fcntl")
    monkeypatch.setattr(lock, "_GUARD_S", 0.2)
    with (tmp_path / f"{LOCK_FILE}-guard").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(InputError, match="in use"), folder_lock(tmp_path):
            pass
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


@pytest.mark.parametrize("age_s", [0, 200, 400])
@pytest.mark.parametrize("change", [{}, {"pid": 2**22 + 5}, {"host": "0" * 12}])
def test_a_lock_is_held_exactly_when_it_is_not_taken_over(
    tmp_path: Path, change: dict[str, object], age_s: float
) -> None:
    assert not is_held(tmp_path) and not is_held(tmp_path / "none")
    leave_lock(tmp_path, replace(this_process(), **change), age_s=age_s)  # type: ignore[arg-type]
    held = is_held(tmp_path)
    try:
        with folder_lock(tmp_path):
            taken = True
    except InputError:
        taken = False
    assert held is not taken
    assert held is (not change or ("host" in change and age_s < 300)), "of this machine by the process, not by age"


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b'{"pid": "x"}'])
def test_a_damaged_lock_holds_for_five_minutes(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / LOCK_FILE
    path.write_bytes(content)
    with pytest.raises(InputError, match="in use"), folder_lock(tmp_path):
        pass
    assert is_held(tmp_path)
    os.utime(path, (time.time() - 400,) * 2)
    assert not is_held(tmp_path)
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
