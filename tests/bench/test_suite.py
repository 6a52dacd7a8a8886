"""Runs one after the other: kept where finished, told where failed, none lost for another."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from cinema_cmr.bench.scored_run import PatientValues, RunIdentity, ScoredRun
from cinema_cmr.bench.suite import RESULT_FILE, RunKey, finished, run_all, write_result
from cinema_cmr.core.errors import InputError, OutputExistsError, RunStoppedError, UnreadableFileError

KEYS = [RunKey(dataset="d", run="r", model=model, seed=0) for model in ("a", "b", "c", "d")]
IDENTITY = RunIdentity(
    task="r", model="a", recipe="sax-unet", seed=0, preset="whole", n_steps=3, start="", train="x", val="y"
)


def record(model: str) -> ScoredRun:
    return ScoredRun(
        model=model,
        hash="abc",
        n_steps=3,
        seconds=1.5,
        seconds_to_score=0.5,
        data="hearts",
        split_sha256="0",
        n_train_patients=4,
        patients=(PatientValues(patient="p", values={"dice_lv": 0.9, "dice_rv": math.nan}),),
    )


def test_a_failed_run_does_not_stop_the_others() -> None:
    def do(key: RunKey) -> ScoredRun:
        if key.model == "b":
            raise InputError("no such study")
        if key.model == "c":
            raise ValueError("shapes")
        return record(key.model)

    said: list[str] = []
    outcomes = run_all(KEYS, do, note=said.append)
    found = [outcomes[key].record for key in KEYS]
    assert [one and one.model for one in found] == ["a", None, None, "d"]
    assert [outcomes[key].exit_code for key in KEYS] == [0, 3, 1, 0]
    assert outcomes[KEYS[2]].reason == "ValueError: shapes"
    assert "failed: r, b, seed 0, on d: no such study" in said


def test_a_signal_stops_all() -> None:
    def do(key: RunKey) -> ScoredRun:
        raise RunStoppedError("SIGTERM")

    with pytest.raises(RunStoppedError):
        run_all(KEYS, do)


def test_a_finished_run_is_kept_and_another_is_refused(tmp_path: Path) -> None:
    folder = KEYS[0].folder(tmp_path)
    assert folder == tmp_path / "d" / "r" / "a" / "seed-0"
    assert finished(folder, IDENTITY) is None
    written = write_result(folder, IDENTITY, record("a"))
    kept = finished(folder, IDENTITY)
    assert kept is not None and replace(kept, patients=()) == replace(written, patients=())
    values = kept.patients[0].values
    assert values["dice_lv"] == 0.9 and math.isnan(values["dice_rv"])
    with pytest.raises(OutputExistsError, match="another n_steps"):
        finished(folder, replace(IDENTITY, n_steps=4))
    (folder / RESULT_FILE).write_text("{")
    with pytest.raises(UnreadableFileError, match=r"seed-0/result.json"):
        finished(folder, IDENTITY)


def test_a_result_of_an_older_version_is_kept_although_it_lacks_a_newer_value(tmp_path: Path) -> None:
    write_result(tmp_path, IDENTITY, record("a"))
    values = json.loads((tmp_path / RESULT_FILE).read_text())
    for name in ("patience", "validate_every", "choosing"):
        del values["identity"][name]
    for name in ("choosing_patients", "split_rule"):
        del values[name]
    (tmp_path / RESULT_FILE).write_text(json.dumps(values))
    assert finished(tmp_path, IDENTITY) is not None
    with pytest.raises(OutputExistsError, match="another patience"):
        finished(tmp_path, replace(IDENTITY, patience=4))


def test_a_record_of_another_shape_is_not_read(tmp_path: Path) -> None:
    write_result(tmp_path, IDENTITY, record("a"))
    values = json.loads((tmp_path / RESULT_FILE).read_text())
    (tmp_path / RESULT_FILE).write_text(json.dumps({**values, "patients": [{"patient": 3}]}))
    with pytest.raises(UnreadableFileError, match="remove it"):
        finished(tmp_path, IDENTITY)
