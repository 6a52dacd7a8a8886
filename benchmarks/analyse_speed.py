"""Cold start to report: seconds and peak memory of `cinema analyse` on studies of stated size.

`python benchmarks/analyse_speed.py [--model NAME ...] [--threads 2] [--repeat N]` makes two synthetic studies, runs the
command in a process of its own on each with each model, and stores benchmarks/results/analyse_speed.json:

- DICOM, one series a slice, 25 frames, 10 slices and three long-axis views: aim under 60 s on two cores.
- NIfTI of 25 frames x 12 slices of 256 x 256: aim under 3 GB at its peak.

`--repeat N` runs each N times and states their median. `--code FOLDER` times the code of another checkout, as of an
older commit, in turn with this one (this, other, this, other, ...), on the same studies, each with its own packaged
model of the name; commits, times of both and the ratio of the medians, this to the other, go to
analyse_speed_COMMIT.json:

    git worktree add --detach OLD COMMIT && python benchmarks/analyse_speed.py --repeat 5 --code OLD
"""

from __future__ import annotations

import argparse
import compileall
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine
from cinema_cmr.io.dicom.writing.series import write_dicom
from cinema_cmr.io.nifti.image import write_cine
from cinema_cmr.phantom.phantom import make_phantom

RESULTS = Path(__file__).parent / "results" / "analyse_speed.json"

Row = dict[str, Any]
"""What one study took with one model."""


def fitted(cine: Cine, size: int, n_slices: int) -> Cine:
    """The cine in a field of `size` pixels a side, its slices picked or repeated to `n_slices`."""
    picked = np.linspace(0, cine.n_slices - 1, n_slices).round().astype(int)
    array = cine.array[:size, :size, picked]
    border = [(0, size - array.shape[0]), (0, size - array.shape[1]), (0, 0), (0, 0)]
    return replace(
        cine,
        array=np.pad(array, border, mode="edge"),
        slice_positions_mm=np.arange(n_slices) * cine.spacing_mm[2],
        source=None,
    )


@dataclass(frozen=True, kw_only=True)
class Code:
    """A checkout of this project whose `src` is timed."""

    folder: Path

    @property
    def commit(self) -> str | None:
        """Hash of the commit that is checked out; None outside a git checkout."""
        words = ["git", "-C", str(self.folder), "rev-parse", "HEAD"]
        found = subprocess.run(words, capture_output=True, text=True, check=False)
        return found.stdout.strip() or None

    @property
    def src(self) -> Path:
        """The folder that is imported from."""
        return self.folder.resolve() / "src"


def measured(code: Code, source: Path, out: Path, *, model: str, threads: int) -> Row:
    """One run of the command: wall seconds, peak memory, and the stages in run.json (older code may have none)."""
    words = [sys.executable, "-m", "cinema_cmr.cli", "analyse", str(source), "-o", str(out), "--model", model]
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "PYTHONPATH": str(code.src)}
    started = time.perf_counter()
    process = subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"cinema analyse of {code.folder} ended with status {status}")
    return {
        "wall_s": time.perf_counter() - started,
        "processor_s": usage.ru_utime + usage.ru_stime,
        "peak_mib": usage.ru_maxrss / 1024,
        "stages_s": json.loads((out / "run.json").read_text(encoding="utf-8")).get("seconds", {}),
    }


def at_median(runs: Sequence[Row]) -> Row:
    """The run at the median of the wall seconds, the faster of two; of several also their median and all of them."""
    walls = [run["wall_s"] for run in runs]
    row = runs[walls.index(statistics.median_low(walls))]
    return row if len(runs) == 1 else {**row, "wall_s": statistics.median(walls), "runs_s": walls}


def measured_in_turn(
    codes: Sequence[Code], source: Path, out: Path, *, model: str, given: argparse.Namespace
) -> list[Row]:
    """Rows of one study and model, one for each code: first, second, first, second, ..."""
    runs: list[list[Row]] = [[] for _ in codes]
    for turn in range(given.repeat):
        for side, code in enumerate(codes):
            runs[side].append(measured(code, source, out / f"{side}-{turn}", model=model, threads=given.threads))
    return [at_median(its) for its in runs]


def write_studies(folder: Path) -> dict[str, Path]:
    """Write the two studies: name -> where it lies."""
    phantom = make_phantom(0, group="NOR", style="biobank-1.5t", n_frames=25).study
    sax = phantom.cine(View.SAX)
    ten = tuple(fitted(cine, max(cine.array.shape[:2]), 10) if cine is sax else cine for cine in phantom.cines)
    write_dicom(Study(name="ten", cines=ten), folder / "dicom")
    write_cine(fitted(sax, 256, 12), folder / "large.nii.gz")
    return {"dicom_25x10": folder / "dicom", "nifti_25x12x256x256": folder / "large.nii.gz"}


def models_of(codes: Sequence[Code], given: argparse.Namespace) -> list[dict[str, dict[str, Row]]]:
    """Model -> study -> row, for each code."""
    found: list[dict[str, dict[str, Row]]] = [{} for _ in codes]
    with tempfile.TemporaryDirectory(prefix="cinema-") as home:
        sources = write_studies(Path(home))
        for index, model in enumerate(given.model):
            for name, source in sources.items():
                rows = measured_in_turn(codes, source, Path(home) / f"{index}-{name}", model=model, given=given)
                for its, row in zip(found, rows, strict=True):
                    its.setdefault(Path(model).name, {})[name] = row
    return found


def compared(codes: Sequence[Code], found: Sequence[dict[str, dict[str, Row]]]) -> dict[str, object]:
    """Commits of both sides, the rows of the other code, and the ratio of the medians, this code to the other."""
    this, other = found
    return {
        "commit": codes[0].commit,
        "other": {"commit": codes[1].commit, "models": other},
        "wall_ratio_to_other": {
            model: {study: row["wall_s"] / other[model][study]["wall_s"] for study, row in rows.items()}
            for model, rows in this.items()
        },
    }


def options() -> argparse.Namespace:
    """The options of the call."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", nargs="+", default=["cinema-sax"], help="models to compare in one run")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=1, metavar="N", help="runs of each study, model and code")
    parser.add_argument("--code", type=Path, metavar="FOLDER", help="another checkout, timed in turn with this one")
    given = parser.parse_args()
    if given.repeat < 1:
        parser.error(f"--repeat {given.repeat}; expected at least 1")
    if given.code is not None and not (given.code / "src" / "cinema_cmr").is_dir():
        parser.error(f"--code {given.code}; expected a checkout of this project, with src/cinema_cmr")
    return given


def main() -> None:
    """Make the studies, measure, store."""
    given = options()
    codes = [Code(folder=folder) for folder in (Path(__file__).parents[1], given.code) if folder is not None]
    for code in codes:  # no first run of either compiles what the next ones find compiled
        compileall.compile_dir(code.src, quiet=2)
    load_before = os.getloadavg()[0]
    found = models_of(codes, given)
    content = {
        "models": found[0],
        **(compared(codes, found) if given.code else {}),
        "threads": given.threads,
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "load_before": load_before,
        "own_peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    path = RESULTS
    if given.code is not None:
        path = RESULTS.with_stem(f"{RESULTS.stem}_{(codes[1].commit or codes[1].folder.resolve().name)[:8]}")
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(content, indent=1))


if __name__ == "__main__":
    main()
