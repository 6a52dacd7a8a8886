"""The options of the workers: the same for every command that works through many studies."""

from __future__ import annotations

import pytest
from jsonargparse import Namespace

from cinema_cmr.commands.command_table import command_parser
from cinema_cmr.commands.options.worker_options import engine_request, in_this_process
from cinema_cmr.core.errors import UsageError

GIVEN = {"workers": 3, "memory": 2.0, "time_limit": 60, "address": None, "jobs": 4, "slurm": ["partition=cpu"]}


@pytest.mark.parametrize("name", ["population", "prepare", "embed"])
def test_the_same_engines_for_each_command(name: str) -> None:
    options = {action.dest: action for action in command_parser(name)._actions}
    assert options["engine"].choices == ["local", "ray", "slurm"]
    assert {"workers", "memory", "time_limit", "address", "jobs", "slurm"} <= set(options)


def test_a_request_is_what_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    request = engine_request(Namespace(engine="local", **GIVEN), threads=2)
    assert (request.workers, request.threads, request.memory_gb, request.seconds) == (3, 2, 2.0, 60)
    assert (request.jobs, request.slurm, request.gpus) == (4, ("partition=cpu",), 0)
    monkeypatch.setattr("cinema_cmr.population.engines.slurm.find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"cinema-cmr\[slurm\]"):
        engine_request(Namespace(engine="slurm", **GIVEN))


def test_one_local_worker_without_limits_is_this_process() -> None:
    free = {"memory": None, "time_limit": None}
    assert in_this_process(Namespace(engine="local", workers=1, **free))
    assert not in_this_process(Namespace(engine="local", workers=2, **free))
    assert not in_this_process(Namespace(engine="ray", workers=1, **free))
    assert not in_this_process(Namespace(engine="local", workers=1, **{**free, "time_limit": 60.0})), "a limit holds"
    assert not in_this_process(Namespace(engine="local", workers=1, **{**free, "memory": 2.0}))
    assert engine_request(Namespace(engine="local", **{**GIVEN, "time_limit": None})).seconds == 1800
