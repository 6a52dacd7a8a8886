"""What a run was made with."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cinema_cmr.core.errors import OutputExistsError
from cinema_cmr.report.run import RunFacts, installed_version, run_document, write_run_json


def test_versions_are_those_installed(run: RunFacts) -> None:
    assert run.versions["python"] == platform.python_version()
    assert run.versions["numpy"] == np.__version__
    assert list(run.versions) == ["cinema_cmr", "python", "torch", "numpy"]
    assert installed_version("no-such-distribution") is None


def test_the_version_of_torch_is_told_without_importing_it() -> None:
    code = (
        "import sys; from cinema_cmr.report.run import RunFacts\n"
        "run = RunFacts(model_name='m', model_hash=None, device='cpu', precision='fp32')\n"
        "print(run.torch_version, 'torch' in sys.modules)"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.split() == [str(installed_version("torch")), "False"]


def test_no_folder_is_written(run: RunFacts) -> None:
    facts = RunFacts(
        model_name="/home/anna/models/mine.safetensors",
        model_hash=None,
        device="cpu",
        precision="fp32",
        options={
            "input": Path("/scans/doe_jane/a.zip"),
            "out": "C:\\out\\b",
            "height": 170,
            "all": ["x/y", "z"],
        },
    )
    document = run_document(facts)
    assert document["options"] == {"input": "a", "out": "b", "height": 170, "all": ["y", "z"]}
    assert document["model"]["name"] == "mine"


def test_run_json_reads_back_and_is_not_overwritten(run: RunFacts, tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    write_run_json(run, path)
    assert json.loads(path.read_text()) == run_document(run)
    assert list(run_document(run)["seconds"]) == ["read", "predict"]
    with pytest.raises(OutputExistsError):
        write_run_json(run, path)
    write_run_json(run, path, overwrite=True)
