"""A process is told by its number and its start."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import pytest

from cinema_cmr.files.owner import this_process


def test_this_process_is_alive_and_another_start_under_its_number_is_not() -> None:
    own = this_process()
    assert own.pid == os.getpid() and own.is_alive
    if own.started:
        assert replace(own, started=own.started - 1).is_alive is False


def test_a_finished_process_is_dead() -> None:
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    assert replace(this_process(), pid=done.pid, started=1).is_alive is False


@pytest.mark.parametrize("pid", [2**31 - 1, 2**70])
def test_a_number_that_no_process_has(pid: int) -> None:
    assert replace(this_process(), pid=pid, started=1).is_alive is False


def test_a_process_of_another_machine_cannot_be_seen() -> None:
    assert replace(this_process(), host="0" * 12).is_alive is None


def test_one_that_cannot_be_seen_lives_by_its_last_sign() -> None:
    own = this_process()
    other = replace(own, host="0" * 12)
    assert (other.lives(299, 300), other.lives(300, 300)) == (True, False)
    assert own.lives(1e9, 300) and not replace(own, pid=2**31 - 1).lives(0, 300)
