"""Runs one after the other: kept where finished, told where failed, none lost for another."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from cinema_cmr.bench.suite import RESULT_FILE, RunKey, finished, run_all, write_result
from cinema_cmr.core.errors import InputError, OutputExistsError, RunStoppedError, UnreadableFileError

KEYS = [RunKey(dataset="d", run="r", model=model, seed=0) for model in ("a", "b", "c", "d")]


def test_a_failed_run_does_not_stop_the_others() -> None:
    def do(key: RunKey) -> Mapping[str, Any]:
        if key.model == "b":
            raise InputError("no such study")
        if key.model == "c":
            raise ValueError("shapes")
        return {"model": key.model}

    said: list[str] = []
    outcomes = run_all(KEYS, do, note=said.append)
    assert [outcomes[key].document for key in KEYS] == [{"model": "a"}, None, None, {"model": "d"}]
    assert [outcomes[key].exit_code for key in KEYS] == [0, 3, 1, 0]
    assert outcomes[KEYS[2]].reason == "ValueError: shapes"
    assert "failed: r, b, seed 0, on d: no such study" in said


def test_a_signal_stops_all() -> None:
    def do(key: RunKey) -> Mapping[str, Any]:
        raise RunStoppedError("SIGTERM")

    with pytest.raises(RunStoppedError):
        run_all(KEYS, do)


def test_a_finished_run_is_kept_and_another_is_refused(tmp_path: Path) -> None:
    folder = KEYS[0].folder(tmp_path)
    assert folder == tmp_path / "d" / "r" / "a" / "seed-0"
    identity = {"n_steps": 3, "learn": "x"}
    assert finished(folder, identity) is None
    document = {"identity": identity, "patients": []}
    write_result(folder, identity, json.dumps(document))
    assert finished(folder, identity) == document
    with pytest.raises(OutputExistsError, match="another n_steps"):
        finished(folder, {**identity, "n_steps": 4})
    (folder / RESULT_FILE).write_text("{")
    with pytest.raises(UnreadableFileError, match=r"seed-0/result.json"):
        finished(folder, identity)


def test_a_result_without_its_identity_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="identity"):
        write_result(tmp_path, {"seed": 0}, "{}")
    assert not (tmp_path / RESULT_FILE).exists()
