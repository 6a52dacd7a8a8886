"""`cinema population` on simple hearts: throughput, memory, broken studies, kills, engines; each stored as it is found.

    python benchmarks/population.py [--studies 2000] [--kills 20] [--work FOLDER] [--study PATH]
        [speed broken kills engines memory cost ...]

The work is reading, measuring, packing and tabulating, with masks from the images themselves and 0.2 s of processor
time that stand for a network: what an engine does does not depend on it. `memory` runs the bundled short-axis model,
in one worker, on phantoms of 2 and 3 frames, again and again; `cost` runs all bundled models on a study.
Writes results/population.json, with the load of the machine, and keeps there what other parts gave.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import re
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import gettempdir

import numpy as np
from population_work import MakeLabelWork, write_simple_heart

from cinema_cmr.core.vocabulary import View
from cinema_cmr.phantom.cohort import CohortConfig, write_cohort
from cinema_cmr.pipeline.analysis_options import Options
from cinema_cmr.population.engines.local import work_locally
from cinema_cmr.population.engines.ray import work_on_ray
from cinema_cmr.population.listed_studies import ListedStudy
from cinema_cmr.population.outcome import StudyOutcome, archived_outcome
from cinema_cmr.population.outcome_store import OutcomeStore
from cinema_cmr.population.run import Engine, RunSettings, make_tables, run_population
from cinema_cmr.population.supervisor import Job, Supervisor
from cinema_cmr.population.work import WorkOptions
from cinema_cmr.population.worker import WorkerLimits

RESULTS = Path(__file__).parent / "results" / "population.json"
SPIN_S = 0.2
BROKEN = ("truncated", "bomb", "missing", "hang", "kill", "memory")
BROKEN_CAUSES = {"hang": "timeout", "kill": "killed", "memory": "memory"}
POPULATION = 74_916
"""Studies that CineMA was made from."""


def main() -> None:
    """Run the parts, and store what each found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", default=list(PARTS))
    parser.add_argument("--studies", type=int, default=2000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--work", type=Path, default=Path(gettempdir()) / "cinema-population")
    parser.add_argument("--study", type=Path, help="of `cost`; default: a phantom of 25 frames")
    parser.add_argument("--run", metavar="FOLDER", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.run is not None:
        run(hearts(given.work, given.studies), given.run, partial(work_locally, workers=2))
        return
    found = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    for part in given.parts:
        result = PARTS[part](given)
        found[part] = {**result, "studies": given.studies, "load_average": round(os.getloadavg()[0], 1)}
        print(part, found[part], flush=True)
        RESULTS.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def speed(given: argparse.Namespace) -> dict[str, object]:
    """One worker against two, a thread each; resident memory over the run."""
    studies, rates, digests, memory = hearts(given.work, given.studies), {}, set(), []
    for workers in (1, 2):
        folder, started = fresh(given.work, f"speed{workers}"), time.perf_counter()
        outcomes: list[StudyOutcome] = []
        digests.add(run(studies, folder, partial(work_locally, workers=workers), outcomes.append))
        rates[workers] = len(studies) / (time.perf_counter() - started)
        memory = [one.cost.peak_mb for one in outcomes]
    middle = memory[min(100, len(memory) // 2)]
    return {
        "per_second": {str(workers): round(rate, 2) for workers, rate in rates.items()},
        "ratio": round(rates[2] / rates[1], 2),
        "same_table": len(digests) == 1,
        "peak_mb": {"100th": middle, "last": memory[-1]},
    }


def broken(given: argparse.Namespace) -> dict[str, object]:
    """Broken studies among good ones: one row each with its cause, the others unharmed."""
    good, folder = hearts(given.work, given.studies), fresh(given.work, "broken")
    bad = broken_studies(given.work, good[0].path, 8)
    mixed = sorted([*good, *bad], key=lambda study: random.Random(study.name).random())
    causes: dict[str, str | None] = {}
    mixed_digest = run(
        mixed, folder, partial(work_locally, workers=2), lambda one: causes.update({one.name: one.cause})
    )
    wrong = [one.name for one in bad if causes[one.name] != BROKEN_CAUSES.get(one.name.partition("-")[0], "input")]
    whole = run(good, fresh(given.work, "unbroken"), partial(work_locally, workers=2))
    return {"broken": len(bad), "wrong_cause": wrong, "others_the_same": mixed_digest == whole}


def kills(given: argparse.Namespace) -> dict[str, object]:
    """The driver killed at random moments and started again, until all studies are done."""
    studies, folder = hearts(given.work, given.studies), fresh(given.work, "killed")
    words = [sys.executable, __file__, "--run", str(folder), "--studies", str(given.studies), "--work", str(given.work)]
    draw, half, done = random.Random(0), 0, []
    for _ in range(given.kills):
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(draw.uniform(4, 10))
        process.send_signal(signal.SIGKILL)
        process.wait()
        time.sleep(1)
        try:
            done.append(len(OutcomeStore(folder).outcomes()))
        except Exception:  # a half file
            half += 1
    subprocess.run(words, check=True)
    digest = make_tables(folder, {})["measurements_sha256"]
    whole = run(studies, fresh(given.work, "unkilled"), partial(work_locally, workers=2))
    return {"kills": given.kills, "done_after_each": done, "half_files": half, "same_table": digest == whole}


def engines(given: argparse.Namespace) -> dict[str, object]:
    """The local engine and a local cluster of Ray."""
    studies, seconds, digests = hearts(given.work, given.studies), {}, {}
    made: dict[str, Engine] = {
        "local": partial(work_locally, workers=2),
        "ray": partial(work_on_ray, address=None, workers=2),
    }
    for name, engine in made.items():
        folder, started = fresh(given.work, name), time.perf_counter()
        digests[name] = run(studies, folder, engine)
        seconds[name] = round(time.perf_counter() - started, 1)
    return {"seconds": seconds, "same_table": len(set(digests.values())) == 1}


def memory(given: argparse.Namespace) -> dict[str, object]:
    """Resident memory of one worker between studies and at its highest, with a network; a pass is all phantoms once."""
    paths = [path for n_frames in (2, 3) for path in phantoms(given.work, n_frames)]
    listed = [ListedStudy(name=f"study-{k:05d}", path=paths[k % len(paths)]) for k in range(given.studies)]
    work = WorkOptions(options=Options.of(long_axis=None, landmarks=None, disease=None))
    job = Job(make=work, settings="memory", limits=WorkerLimits(memory_mb=4000))
    supervisor, resident, peaks, failed = Supervisor(job), [], [], 0
    for study in listed:
        failed += archived_outcome(supervisor.run(study), study.name).cause is not None
        now, peak = memory_of_worker()
        resident.append(now)
        peaks.append(peak)
    supervisor.close()
    passes = range(0, len(listed), len(paths))
    return {
        "phantoms": len(paths),
        "failed": failed,
        "between_studies_mb": {
            str(n): resident[n - 1] for n in (1, 2, 5, 10, 20, 50, 100, 200, 500) if n <= len(listed)
        },
        "last_mb": resident[-1],
        "highest_of_each_pass_mb": [max(peaks[first : first + len(paths)]) for first in passes],
    }


def cost(given: argparse.Namespace) -> dict[str, object]:
    """Processor seconds and bytes of a study with the bundled models, and of all on so many cores."""
    cohort = given.work / "phantoms"
    if given.study is None:
        write_cohort(cohort, CohortConfig(n=1, n_frames=25))
    listed = [ListedStudy(name="study", path=given.study or cohort / "subject-0000" / "images")]
    work = WorkOptions(options=Options())
    job = Job(make=work, settings=work.settings(), limits=WorkerLimits(seconds=3600))
    outcomes: list[StudyOutcome] = []
    folder = fresh(given.work, "cost")
    settings = RunSettings(folder=folder)
    run_population(listed, job, partial(work_locally, workers=1), settings, lambda one, status: outcomes.append(one))
    content = make_tables(folder, {})
    seconds = outcomes[0].cost.cpu_seconds
    days = {str(cores): round(seconds * POPULATION / cores / 86400, 3) for cores in (1, 16, 256)}
    return {"cpu_seconds": seconds, "bytes": content["bytes"], "peak_mb": outcomes[0].cost.peak_mb, "days": days}


PARTS: dict[str, Callable[[argparse.Namespace], dict[str, object]]] = {
    "speed": speed,
    "broken": broken,
    "kills": kills,
    "engines": engines,
    "memory": memory,
    "cost": cost,
}


def run(
    studies: list[ListedStudy], folder: Path, engine: Engine, each: Callable[[StudyOutcome], None] = lambda one: None
) -> object:
    """Run, and return the hash of the table."""
    job = Job(make=MakeLabelWork(SPIN_S), settings="benchmark", limits=WorkerLimits(memory_mb=2000, seconds=20))
    run_population(studies, job, engine, RunSettings(folder=folder, workers=2), lambda one, status: each(one))
    return make_tables(folder, {})["measurements_sha256"]


def phantoms(work: Path, n_frames: int) -> list[Path]:
    """Return short-axis phantoms, made where they are not there; they differ in slices."""
    folder = work / f"phantoms-{n_frames}"
    config = CohortConfig(n=8, n_frames=n_frames, views=(View.SAX,), seed=n_frames)
    write_cohort(folder, config)
    return [folder / f"subject-{k:04d}" / "images" for k in range(config.n)]


def memory_of_worker() -> tuple[float, float]:
    """Return what the one worker has now, and the most that it had since the call before, MB."""
    (worker,) = multiprocessing.active_children()
    status = Path(f"/proc/{worker.pid}/status").read_text(encoding="ascii")
    now, most = (int(re.findall(rf"{name}:\s+(\d+) kB", status)[0]) for name in ("VmRSS", "VmHWM"))
    Path(f"/proc/{worker.pid}/clear_refs").write_text("5", encoding="ascii")
    return round(now / 1024, 1), round(most / 1024, 1)


def hearts(work: Path, n: int) -> list[ListedStudy]:
    """Return the simple hearts, made where they are not there."""
    listed = [ListedStudy(name=f"heart-{k:05d}", path=work / "hearts" / f"{k:05d}.nii.gz") for k in range(n)]
    for k, study in enumerate(listed):
        if not study.path.exists():
            write_simple_heart(study.path, k)
    return listed


def broken_studies(work: Path, good: Path, each: int) -> list[ListedStudy]:
    """Return studies that cannot be done, so many of each kind, and two more that are truncated: fifty of eight."""
    folder = work / "broken-inputs"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "truncated.nii.gz").write_bytes(good.read_bytes()[:900])
    with zipfile.ZipFile(folder / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as bomb:
        bomb.writestr("image.dcm", np.zeros(300 << 20, np.uint8).tobytes())
    paths = {"truncated": folder / "truncated.nii.gz", "bomb": folder / "bomb.zip", "missing": folder / "none"}
    names = [f"{kind}-{k}" for kind in BROKEN for k in range(each)] + ["truncated-x", "truncated-y"]
    return [ListedStudy(name=name, path=paths.get(name.partition("-")[0], good)) for name in names]


def fresh(work: Path, name: str) -> Path:
    """Return a folder that is not there."""
    folder = work / f"{name}-{time.time_ns()}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    return folder


if __name__ == "__main__":
    main()
