"""Cold start to report: seconds and peak memory of `cinema analyse` on studies of stated size.

`python benchmarks/analyse_speed.py [--model NAME ...] [--threads 2]` makes two synthetic studies, runs the command in
a process of its own on each with each model, and stores benchmarks/results/analyse_speed.json:

- DICOM, one series a slice, 25 frames, 10 slices and three long-axis views: aim under 60 s on two cores.
- NIfTI of 25 frames x 12 slices of 256 x 256: aim under 3 GB at its peak.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine
from cinema_cmr.io.dicom.writing.series import write_dicom
from cinema_cmr.io.nifti.image import write_cine
from cinema_cmr.phantom.phantom import make_phantom

RESULTS = Path(__file__).parent / "results" / "analyse_speed.json"


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


def measured(source: Path, out: Path, model: str, threads: int) -> dict[str, object]:
    """One run of the command: wall seconds, peak memory, and the stages as run.json tells them."""
    words = [sys.executable, "-m", "cinema_cmr.cli", "analyse", str(source), "-o", str(out), "--model", model]
    started = time.perf_counter()
    process = subprocess.Popen(words, env={**os.environ, "OMP_NUM_THREADS": str(threads)}, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"cinema analyse ended with status {status}")
    return {
        "wall_s": time.perf_counter() - started,
        "processor_s": usage.ru_utime + usage.ru_stime,
        "peak_mib": usage.ru_maxrss / 1024,
        "stages_s": json.loads((out / "run.json").read_text(encoding="utf-8"))["seconds"],
    }


def main() -> None:
    """Make the studies, measure, store."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", nargs="+", default=["cinema-sax"], help="models to compare in one run")
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    load_before = os.getloadavg()[0]
    phantom = make_phantom(0, group="NOR", style="biobank-1.5t", n_frames=25).study
    sax = phantom.cine(View.SAX)
    ten = tuple(fitted(cine, max(cine.array.shape[:2]), 10) if cine is sax else cine for cine in phantom.cines)
    with tempfile.TemporaryDirectory(prefix="cinema-") as home:
        folder = Path(home)
        write_dicom(Study(name="ten", cines=ten), folder / "dicom")
        write_cine(fitted(sax, 256, 12), folder / "large.nii.gz")
        sources = {"dicom_25x10": folder / "dicom", "nifti_25x12x256x256": folder / "large.nii.gz"}
        models = {}
        for index, model in enumerate(given.model):
            rows = {
                name: measured(source, folder / f"{index}-{name}", model, given.threads)
                for name, source in sources.items()
            }
            models[Path(model).name] = rows
    content = {
        "models": models,
        "threads": given.threads,
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "load_before": load_before,
        "own_peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(content, indent=1))


if __name__ == "__main__":
    main()
