"""Versions and seconds of a run."""

from __future__ import annotations

import platform
import subprocess
import sys

import numpy as np

from cinema_cmr.core.run_facts import RunFacts, Stopwatch, installed_version


def test_versions_are_those_installed() -> None:
    run = RunFacts(model_name="m", model_hash=None, device="cpu", precision="fp32")
    assert run.versions["python"] == platform.python_version()
    assert run.versions["numpy"] == np.__version__
    assert list(run.versions) == ["cinema_cmr", "python", "torch", "numpy"]
    assert installed_version("no-such-distribution") is None


def test_version_of_torch_is_read_without_importing_it() -> None:
    code = (
        "import sys; from cinema_cmr.core.run_facts import RunFacts\n"
        "run = RunFacts(model_name='m', model_hash=None, device='cpu', precision='fp32')\n"
        "print(run.torch_version, 'torch' in sys.modules)"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.split() == [str(installed_version("torch")), "False"]


def test_stopwatch_keeps_the_order_of_its_stages() -> None:
    watch = Stopwatch({"read": 0.5})
    for stage in ("segment", "measure"):
        with watch.stage(stage):
            pass
    assert list(watch.seconds) == ["read", "segment", "measure"] and watch.seconds["read"] == 0.5
