"""Pre-training from a store of 74,916 studies: the time to the first batch, and the memory of a shuffled run.

    python benchmarks/store_population.py [--studies 74916] [--scratch FOLDER] [--parts start order read real plan]

The store is simulated: files of the true form, with a header of four views of 25 frames each and frames of a few
voxels, written once into the scratch folder. Each measurement runs in a process of its own:

start   from `open_stores` to the first batch of the recipe `tiny`, with 0 and 2 workers, and memory after it and later
order   the order of an epoch: every study once, and the time to draw it
read    one frame of each view of many studies, each read for the first time, and memory on the way
real    bytes and processor time of a sample of a study of true size, for the recipes `small` and `base`
plan    operations of a training step by recipe, and what a population takes by these and a measured speed on a GPU

Results: benchmarks/results/store_population.json.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import os
import platform
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

for _name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[_name] = "1"

import numpy as np  # noqa: E402

from cinema_cmr.core.serialise import to_dict  # noqa: E402
from cinema_cmr.core.study import Study  # noqa: E402
from cinema_cmr.core.vocabulary import View  # noqa: E402
from cinema_cmr.core.volume import Cine  # noqa: E402
from cinema_cmr.data.population import open_population  # noqa: E402
from cinema_cmr.data.store import StoredHeader, open_study, write_study  # noqa: E402
from cinema_cmr.recipes.registry import recipe  # noqa: E402

RESULTS = Path(__file__).parent / "results" / "store_population.json"
POPULATION = 74_916
VIEWS = (View.SAX, View.LAX_2C, View.LAX_3C, View.LAX_4C)
N_FRAMES = 25
TRUE_SIZES = {View.SAX: (208, 168, 10), **dict.fromkeys(VIEWS[1:], (208, 168, 1))}
GPU_STUDIES_PER_S = 3500 * 32 / (16 * 60)
"""Recipe `small` with four complementary masks on one H200, beside six other runs (LOG.md)."""
GPU_MASKS = 4
EPOCHS = 800


def cine(view: View, size: tuple[int, int, int], rng: np.random.Generator) -> Cine:
    """A cine of noise at the spacing of a biobank."""
    array = rng.integers(0, 4000, (*size, N_FRAMES)).astype(np.float32)
    affine = np.diag([1.8, 1.8, 10.0, 1.0])
    times, positions = np.arange(N_FRAMES) * 31.25, 10.0 * np.arange(size[2])
    return Cine(array=array, affine=affine, view=view, slice_positions_mm=positions, frame_times_ms=times)


def noise_study(sizes: dict[View, tuple[int, int, int]]) -> Study:
    """A study of four views of noise."""
    rng = np.random.default_rng(0)
    return Study(name="noise", cines=tuple(cine(view, size, rng) for view, size in sizes.items()))


def make_store(folder: Path, n: int) -> None:
    """Write n studies of a few voxels, each with its own name, and their manifest; what is there is kept."""
    if (folder / "manifest.jsonl").is_file():
        return
    folder.mkdir(parents=True, exist_ok=True)
    small = {View.SAX: (8, 8, 3), **dict.fromkeys(VIEWS[1:], (8, 8, 1))}
    first = write_study(noise_study(small), folder / "noise.cine")
    frames = first.path.read_bytes()[first.frames_start :]
    header = first.header
    first.path.unlink()
    views = {str(one.view): {"shape": one.shape, "spacing_mm": one.spacing_mm} for one in header.cines}
    rows = []
    for number in range(n):
        name = f"study-{number:06d}"
        text = _header_text(replace(header, name=name))
        start = struct.pack("<8sII", b"CINEMAS1", len(text), zlib.crc32(text)) + text
        (folder / f"{name}.cine").write_bytes(start.ljust(-(-len(start) // 64) * 64, b"\0") + frames)
        row = {"name": name, "file": f"{name}.cine", "sha256": hashlib.sha256(text).hexdigest()}
        rows.append(json.dumps({**row, "source_sha256": "0" * 64, "views": views, "subject": {}}) + "\n")
    open_study(folder / "study-000000.cine").check()
    (folder / "manifest.jsonl").write_text("".join(rows), encoding="utf-8")


def _header_text(header: StoredHeader) -> bytes:
    return json.dumps(to_dict(header, "header"), ensure_ascii=False, sort_keys=True).encode()


def memory_mb(pid: int | str = "self") -> float:
    """Resident memory of a process that no other shares, and its part of what is shared."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
        if line.startswith("Pss:"):
            return round(int(line.split()[1]) / 1024, 1)
    return 0.0


def peak_mb() -> float:
    """Largest resident memory of this process."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return round(next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024, 1)


def of_workers() -> list[float]:
    """Memory of the processes that this one started."""
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text(encoding="ascii").split()
    return [memory_mb(int(pid)) for pid in children]


def start(folder: Path, *, workers: int, batches: int = 400) -> dict[str, Any]:
    """Open the store as `cinema pretrain` does, and draw batches of four."""
    from cinema_cmr.data.loader import EpochSampler, SampleSet, make_loader
    from cinema_cmr.engine.trainer import collate_by_views
    from cinema_cmr.recipes.pretrain import open_stores, with_views
    from cinema_cmr.recipes.run import prepare_run

    before, began, cpu = memory_mb(), time.perf_counter(), time.process_time()
    experiment = recipe("tiny", task="pretrain")
    data = with_views(open_stores(folder), experiment.task)  # type: ignore[arg-type]
    opened = time.perf_counter() - began
    with tempfile.TemporaryDirectory() as run_folder:
        run = prepare_run(experiment, data, Path(run_folder))
    samples = SampleSet(run.train, run.task.sample, seed=0)
    loader = make_loader(
        samples, EpochSampler(len(samples), seed=0), batch_size=4, workers=workers, collate_fn=collate_by_views
    )
    found, memory = iter(loader), []
    next(found)
    first = {
        "s": round(time.perf_counter() - began, 2),
        "processor_s": round(time.process_time() - cpu, 2),
        "with_imports_s": round(time.time() - float(os.environ.get("STARTED", "nan")), 2),
    }
    for number in range(1, batches):
        next(found)
        if number in (50, batches // 2, batches - 1):
            memory.append({"studies": 4 * (number + 1), "main_mb": memory_mb(), "workers_mb": of_workers()})
    return {
        "studies": len(data.train) + len(data.val),
        "opened_s": round(opened, 2),
        "first_batch": first,
        "before_mb": before,
        "memory": memory,
        "peak_mb": peak_mb(),
    }


def order(n: int) -> dict[str, Any]:
    """Draw the order of two epochs."""
    from cinema_cmr.data.loader import EpochSampler

    began = time.perf_counter()
    drawn = list(itertools.islice(EpochSampler(n, seed=0), 2 * n))
    seconds = time.perf_counter() - began
    epochs = [[index for epoch, index in drawn if epoch == number] for number in (0, 1)]
    once = [sorted(one) == list(range(n)) for one in epochs]
    return {"every_study_once": all(once), "epochs_differ": epochs[0] != epochs[1], "s_an_epoch": round(seconds / 2, 3)}


def read(folder: Path, *, n: int = 5_000) -> dict[str, Any]:
    """Read one frame of each view of n studies in a random order, each for the first time in this process."""
    studies = open_population(folder)
    drawn = np.random.default_rng(0).permutation(len(studies))[:n]
    began, memory = time.process_time(), []
    for number, index in enumerate(drawn, 1):
        study = studies[index]
        for view in study.views:
            study.frame(view, int(index) % N_FRAMES)
        if number in (n // 20, n // 2, n):
            memory.append({"studies": number, "mb": memory_mb()})
    return {"ms_a_study": round(1000 * (time.process_time() - began) / n, 3), "memory": memory}


def real(folder: Path, *, n: int = 20) -> dict[str, Any]:
    """Bytes of a study of true size, and the processor time of a sample of it."""
    from cinema_cmr.tasks.pretrain import PretrainTask

    stored = write_study(noise_study(TRUE_SIZES), folder / "true.cine", overwrite=True)
    found: dict[str, Any] = {
        "sizes": {str(view): [*size, N_FRAMES] for view, size in TRUE_SIZES.items()},
        "bytes": stored.path.stat().st_size,
        "bytes_read_a_sample": sum(one.frame_bytes for one in stored.header.cines),
    }
    import torch

    torch.set_num_threads(1)
    for name in ("small", "base"):
        task = PretrainTask(recipe(name, task="pretrain").task, torch.nn.Identity())  # type: ignore[arg-type]
        task.sample(stored, np.random.default_rng(0))
        began = time.process_time()
        for number in range(n):
            task.sample(stored, np.random.default_rng(number))
        found[f"sample_ms_{name}"] = round(1000 * (time.process_time() - began) / n, 1)
    stored.path.unlink()
    return found


def plan(folder: Path) -> dict[str, Any]:
    """Operations of a step a study, and hours of `EPOCHS` epochs of the population at the speed that was measured."""
    from torch.utils.flop_counter import FlopCounterMode

    from cinema_cmr.data.sample import collate
    from cinema_cmr.recipes.pretrain import stored_data
    from cinema_cmr.recipes.run import prepare_run

    stored = write_study(noise_study(TRUE_SIZES), folder / "true.cine", overwrite=True)
    tera = {}
    for name, masks in (("small", GPU_MASKS), ("base", 1)):
        chosen = recipe(name, task="pretrain").with_values({"task.complementary_masks": masks})
        with tempfile.TemporaryDirectory() as run_folder:
            run = prepare_run(chosen, stored_data([stored]), Path(run_folder))
        batch = collate([run.task.sample(stored, np.random.default_rng(0))])
        with FlopCounterMode(display=False) as counter:
            run.task.loss(batch).total.backward()
        tera[name] = counter.get_total_flops() / 1e12
    stored.path.unlink()
    reached = GPU_STUDIES_PER_S * tera["small"]
    per_s = reached / tera["base"]
    hours = EPOCHS * POPULATION / per_s / 3600
    return {
        "teraflops_a_study": {name: round(value, 4) for name, value in tera.items()},
        "measured_small_studies_per_s": round(GPU_STUDIES_PER_S, 1),
        "reached_teraflops_per_s": round(reached, 2),
        "base_studies_per_s": round(per_s, 1),
        "epochs": EPOCHS,
        "gpu_hours": round(hours),
        "hours": {str(gpus): round(hours / gpus, 1) for gpus in (1, 8, 32, 64)},
    }


def measured(part: str, folder: Path, workers: int) -> dict[str, Any]:
    """Run one part in this process."""
    parts = {
        "start": lambda: start(folder, workers=workers),
        "order": lambda: order(len(open_population(folder))),
        "read": lambda: read(folder),
        "real": lambda: real(folder.parent),
        "plan": lambda: plan(folder.parent),
    }
    return parts[part]()


def in_own_process(part: str, folder: Path, workers: int = 0) -> dict[str, Any]:
    """Run one part in a process of its own."""
    words = [sys.executable, __file__, "--one", part, "--scratch", str(folder), "--workers", str(workers)]
    environment = {**os.environ, "STARTED": repr(time.time())}
    done = subprocess.run(words, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    print(part, workers or "", json.dumps(found), flush=True)
    return found


def main() -> None:
    """Make the store and measure; figures of parts that are not asked for stay as they were."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=POPULATION)
    parser.add_argument("--scratch", type=Path, default=Path(tempfile.gettempdir()) / "store-population")
    parser.add_argument("--parts", nargs="*", default=["start", "order", "read", "real", "plan"])
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--workers", type=int, default=0, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(measured(given.one, given.scratch, given.workers)))
        return
    folder = given.scratch / f"store-{given.studies}"
    began = time.perf_counter()
    make_store(folder, given.studies)
    print(f"store: {time.perf_counter() - began:.0f} s", flush=True)
    found: dict[str, Any] = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.is_file() else {}
    found |= {
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "studies": given.studies,
    }
    for part in given.parts:
        if part == "start":
            found[part] = {f"{n} workers": in_own_process(part, folder, n) for n in (0, 2)}
        else:
            found[part] = in_own_process(part, folder)
        found["load_at_end"] = round(os.getloadavg()[0], 1)
        RESULTS.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
