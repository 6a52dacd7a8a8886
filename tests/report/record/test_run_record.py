"""run.json."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from cinema_cmr.core.errors import OutputExistsError
from cinema_cmr.core.run_facts import RunFacts
from cinema_cmr.core.serialise import json_values
from cinema_cmr.report.record.run_record import run_record, write_run_json
from cinema_cmr.report.record.stored import read_run


def test_no_folder_is_written(run: RunFacts) -> None:
    options = {"input": "/scans/doe_jane/a.zip", "out": "C:\\out\\b", "height": 170, "rule": "scmr", "ed": None}
    record = run_record(replace(run, model_name="/home/anna/models/mine.safetensors", options=options))
    assert record.options == {"input": "a", "out": "b", "height": 170, "rule": "scmr", "ed": None}
    assert record.model.name == "mine"


def test_run_json_reads_back_and_is_not_overwritten(run: RunFacts, tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    write_run_json(run, path)
    assert read_run(path) == run_record(run)
    assert json.loads(path.read_text()) == json_values(run_record(run))
    assert list(run_record(run).seconds) == ["read", "predict"]
    with pytest.raises(OutputExistsError):
        write_run_json(run, path)
    write_run_json(run, path, overwrite=True)


def test_results_are_the_same_on_any_device_but_not_with_other_options(run: RunFacts) -> None:
    record = run_record(run)
    assert record.same_result(run_record(replace(run, device="cuda", seconds={})))
    assert not record.same_result(run_record(replace(run, options={"tta": 4})))
    assert not record.same_result(run_record(replace(run, model_hash="cd" * 32)))
