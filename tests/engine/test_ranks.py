"""One process is the first of one; two of them agree and share out what they know."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from cinema_cmr.core.errors import UsageError
from cinema_cmr.engine.ranks import any_rank, gather_rows, is_first_of, is_first_rank, mean_over_ranks, start_fabric
from cinema_cmr.inference.runtime import Runtime

CPU = torch.device("cpu")

TALK = """
import sys
import torch
from torch import distributed
from cinema_cmr.engine.ranks import any_rank, is_first_rank, gather_rows, mean_over_ranks, start_fabric
from cinema_cmr.inference.runtime import Runtime
if __name__ == "__main__":
    fabric = start_fabric(Runtime(device="cpu", precision="fp32"), devices=2)
    rank, cpu = fabric.global_rank, fabric.device
    rows = [{"x": [float(i)]} for i in range(rank, 5, 2)]
    said = [is_first_rank(), any_rank(rank == 1, cpu), any_rank(False, cpu), mean_over_ranks(3.0 + rank, cpu)]
    joined = [row["x"][0] for row in gather_rows(rows)]
    # In one piece: both processes write to one stream.
    sys.stdout.write(f"\\nsaid {said[0]} {said[1]} {said[2]} {said[3]} {joined}\\n")
    sys.stdout.flush()
"""


def test_one_process_is_the_first_and_agrees_with_itself() -> None:
    fabric = start_fabric(Runtime(device="cpu", precision="fp32"))
    assert (fabric.world_size, fabric.global_rank) == (1, 0) and is_first_rank()
    assert any_rank(True, CPU) and not any_rank(False, CPU)
    assert mean_over_ranks(2.5, CPU) == 2.5
    assert gather_rows([{"x": [1.0]}]) == [{"x": [1.0]}]


def test_devices_that_are_not_there_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(UsageError, match="this machine has 1"):
        start_fabric(Runtime(device="cuda", precision="fp32"), devices=2)


@pytest.mark.slow
def test_two_processes_agree(tmp_path) -> None:  # type: ignore[no-untyped-def]
    script = tmp_path / "talk.py"
    script.write_text(TALK)
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    said = sorted(line for line in done.stdout.splitlines() if line.startswith("said"))
    common = "True False 3.5 [0.0, 1.0, 2.0, 3.0, 4.0]"
    assert said == [f"said False {common}", f"said True {common}"]


def test_without_lightning_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lightning.fabric", None)
    with pytest.raises(UsageError, match=r"cinema-cmr\[train\]"):
        start_fabric(Runtime(device="cpu", precision="fp32"))


@pytest.mark.parametrize(
    ("n_processes", "variables", "first"),
    [
        (1, {"SLURM_PROCID": "3"}, True),
        (2, {}, True),
        (2, {"LOCAL_RANK": "1"}, False),
        (4, {"NODE_RANK": "1"}, False),
        (4, {"RANK": "2", "LOCAL_RANK": "0"}, False),
        (4, {"RANK": "0", "LOCAL_RANK": "0", "NODE_RANK": "0", "SLURM_PROCID": ""}, True),
    ],
)
def test_the_first_process_is_known_before_they_meet(
    n_processes: int, variables: dict[str, str], first: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("RANK", "LOCAL_RANK", "NODE_RANK", "SLURM_PROCID"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert is_first_of(n_processes) is first
