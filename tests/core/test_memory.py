"""A size that a file claims is refused before it is allocated."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from cinema_cmr.core import memory
from cinema_cmr.core.errors import InputError, OutOfMemoryError
from cinema_cmr.core.memory import (
    check_memory,
    free_memory_bytes,
    give_back_memory,
    reuse_freed_memory,
    usable_cores,
    worker_environment,
)


def test_what_fits_passes_and_what_does_not_is_refused_with_both_sizes() -> None:
    free = free_memory_bytes()
    assert 0 < free < 1 << 50
    check_memory(1 << 20, "a stack")
    with pytest.raises(InputError, match=r"a stack takes 1125899\.9 GB of memory, of which .* GB are free"):
        check_memory(1 << 50, "a stack")


def test_the_smallest_of_machine_and_process_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cinema_cmr.core.memory._of_machine", lambda: 5000)
    monkeypatch.setattr("cinema_cmr.core.memory._of_container", lambda: None)
    monkeypatch.setattr("cinema_cmr.core.memory._of_process", lambda: 4000)
    assert free_memory_bytes() == 4000
    monkeypatch.setattr("cinema_cmr.core.memory._of_process", lambda: -1)
    assert free_memory_bytes() == 0


MB = 1 << 20


def group(folder: Path, limit: str, used: int, cached: tuple[int, int] = (0, 0), *, version: int = 2) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    names = ("memory.max", "memory.current") if version == 2 else ("memory.limit_in_bytes", "memory.usage_in_bytes")
    (folder / names[0]).write_text(f"{limit}\n")
    (folder / names[1]).write_text(f"{used}\n")
    total = "" if version == 2 else "total_"
    lines = {"anon": used, f"{total}inactive_file": cached[0], f"{total}active_file": cached[1], "file": 77 * MB}
    (folder / "memory.stat").write_text("".join(f"{name} {value}\n" for name, value in lines.items()))


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(memory, "_CGROUP", tmp_path / "cgroup")
    monkeypatch.setattr(memory, "_OWN_GROUPS", tmp_path / "own")
    monkeypatch.setattr(memory, "_of_machine", lambda: 64 << 30)
    monkeypatch.setattr(memory, "_of_process", lambda: None)
    return tmp_path


def test_what_a_container_read_from_files_is_no_memory_in_use(tree: Path) -> None:
    (tree / "own").write_text("0::/\n")
    group(tree / "cgroup", str(4096 * MB), 4000 * MB, (3000 * MB, 500 * MB))
    assert free_memory_bytes() == 3596 * MB
    (tree / "cgroup" / "memory.stat").unlink()
    assert free_memory_bytes() == 96 * MB


def test_the_tightest_of_nested_groups_counts(tree: Path) -> None:
    (tree / "own").write_text("0::/user.slice/job_7/step_0\n")
    group(tree / "cgroup" / "user.slice", "max", 9000 * MB)
    group(tree / "cgroup" / "user.slice" / "job_7", str(2000 * MB), 1700 * MB, (100 * MB, 50 * MB))
    group(tree / "cgroup" / "user.slice" / "job_7" / "step_0", str(3000 * MB), 200 * MB)
    assert free_memory_bytes() == 450 * MB
    group(tree / "cgroup" / "user.slice" / "job_7" / "step_0", str(500 * MB), 200 * MB)
    assert free_memory_bytes() == 300 * MB


def test_groups_of_version_1_count(tree: Path) -> None:
    (tree / "own").write_text("5:cpu,cpuacct:/a\n4:memory:/slurm/job\n0::/\n")
    group(tree / "cgroup" / "memory", str(0x7FFFFFFFFFFFF000), 90 * MB, version=1)
    group(tree / "cgroup" / "memory" / "slurm", str(1000 * MB), 800 * MB, (100 * MB, 200 * MB), version=1)
    group(tree / "cgroup" / "memory" / "slurm" / "job", str(0x7FFFFFFFFFFFF000), 90 * MB, version=1)
    assert free_memory_bytes() == 500 * MB


@pytest.mark.parametrize("own", [None, "", "0::/../other\n", "nonsense\n0::/absent\n"])
def test_without_groups_the_machine_counts_and_a_container_may_show_its_own_as_the_root(
    own: str | None, tree: Path
) -> None:
    if own is not None:
        (tree / "own").write_text(own)
    assert free_memory_bytes() == 64 << 30
    group(tree / "cgroup", str(400 * MB), 100 * MB)
    assert free_memory_bytes() == (64 << 30 if own == "" else 300 * MB)


def test_the_limit_of_data_counts() -> None:
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (3 << 30, before[1]))
    try:
        assert free_memory_bytes() < 3 << 30
        with pytest.raises(OutOfMemoryError):
            check_memory(4 << 30, "a stack")
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)


def test_cores_are_those_that_this_process_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {3, 5, 6}, raising=False)
    assert usable_cores() == 3
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert usable_cores() == 1


def resident_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / MB


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="measured with glibc")
def test_memory_below_a_block_in_use_is_given_back() -> None:
    blocks = [bytes(64 << 10) for _ in range(1600)]
    kept, full = blocks[-1], resident_mb()
    del blocks
    give_back_memory()
    assert len(kept) == 64 << 10 and resident_mb() < full - 60


def test_another_c_library_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cinema_cmr.core.memory.ctypes.CDLL", lambda name: object())
    give_back_memory()
    monkeypatch.setattr(os, "environ", {})
    reuse_freed_memory()
    assert os.environ == {}


BATCHES = """
import resource, sys
from cinema_cmr.core.memory import reuse_freed_memory
if "reuse" in sys.argv:
    reuse_freed_memory()
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
def batch():
    return len([b"x" * (16 << 20) for _ in range(5)])
batch()
before = faults()
for _ in range(5):
    batch()
print((faults() - before) * resource.getpagesize() >> 20)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="measured with glibc")
@pytest.mark.parametrize(
    ("words", "variables", "reused"),
    [([], {}, False), (["reuse"], {}, True), (["reuse"], {"MALLOC_TRIM_THRESHOLD_": "0"}, False)],
)
def test_freed_memory_is_used_again_unless_the_user_says_otherwise(
    words: list[str], variables: dict[str, str], reused: bool
) -> None:
    """Each page that the system hands out anew costs time: a tenth of an analysis."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")} | variables
    command = [sys.executable, "-c", BATCHES, *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert (int(done.stdout) < 100) is reused


def test_processes_that_are_started_reuse_memory_too(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[int, int]] = []
    library = type("Library", (), {"mallopt": lambda self, name, value: calls.append((name, value))})()
    monkeypatch.setattr("cinema_cmr.core.memory.ctypes.CDLL", lambda name: library)
    monkeypatch.setattr("cinema_cmr.core.memory.sys.platform", "linux")
    monkeypatch.setattr(os, "environ", {"MALLOC_MMAP_THRESHOLD_": "65536"})
    reuse_freed_memory()
    assert os.environ == {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": str(256 << 20)}
    assert calls == [(-1, 256 << 20)], "what is set is left"


SHAPES = """
import ctypes, torch
class Heap(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in "arena o s h hblkhd u f used free keep".split()]
library = ctypes.CDLL(None)
library.mallinfo2.restype = Heap
torch.set_num_threads(1)
layer, used = torch.nn.Conv2d(16, 16, 3, padding=1), []
with torch.inference_mode():
    for n in range(1, 701):
        layer(torch.zeros(n, 16, 4, 4))
        if n in (350, 700):
            used.append(library.mallinfo2().used >> 10)
print(used[1] - used[0])
"""


CACHES = {"LRU_CACHE_CAPACITY": "256", "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "256"}
THREADS = {"OMP_NUM_THREADS": "3", "MKL_NUM_THREADS": "3", "OPENBLAS_NUM_THREADS": "3"}


def test_workers_keep_few_kernels_and_have_their_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", {"OMP_NUM_THREADS": "8"})
    assert worker_environment() == CACHES
    assert worker_environment(3) == CACHES | THREADS
    os.environ["LRU_CACHE_CAPACITY"] = "100"
    assert worker_environment()["LRU_CACHE_CAPACITY"] == "100", "what is set is left"


@pytest.mark.slow
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="measured with glibc")
@pytest.mark.parametrize(("caches", "grows"), [({}, True), (CACHES, False)])
def test_kernels_of_ever_new_shapes_are_not_all_kept(caches: dict[str, str], grows: bool) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in CACHES} | dict(caches)
    done = subprocess.run([sys.executable, "-c", SHAPES], env=environment, capture_output=True, text=True, check=True)
    assert (int(done.stdout) > 2000) == grows
