"""Seconds for the masks of an ED/ES pair, files in and masks out, of one model or several.

`python benchmarks/pair_speed.py [--data acdc:ROOT] [--model NAME ...] [--threads 2]` takes the first five validation
patients of our fixed split, or without data five phantoms: each frame is a NIfTI file of its own, read, the heart
found, segmented, cleaned and written, as `cinema segment ED ES -o DIR` does after Python has started. Also measured:
the start of that command until it can work. `--planes 5 10 20 40 80` measures instead how long a slice takes in
passes of so many slices. Stores benchmarks/results/pair_speed.json (or pair_speed_planes.json). Aim: 4 s a pair on
two cores.
For research use only; not a medical device.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import torch

from cinema_cmr.core.serialise import json_text
from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine
from cinema_cmr.datasets.registry import DATASETS
from cinema_cmr.inference.loading import load_segmenter
from cinema_cmr.inference.segmenter import Segmenter
from cinema_cmr.io.nifti.image import write_cine
from cinema_cmr.phantom.phantom import make_phantom
from cinema_cmr.pipeline.segment import segment_to_file

RESULTS = Path(__file__).parent / "results"
N_PAIRS = 5
REPEATS = 3


def pairs(data: str | None) -> Iterator[tuple[str, Cine, tuple[int, int]]]:
    """Name, short-axis cine, and its ED and ES frames."""
    if data is None:
        for seed in range(N_PAIRS):
            made = make_phantom(seed, views=(View.SAX,), n_frames=3)
            yield f"phantom-{seed}", made.study.cine(View.SAX), (0, 1)
        return
    dataset, root = DATASETS["acdc"], Path(data.removeprefix("acdc:"))
    assert dataset.split is not None
    wanted = set(list(dataset.split()["validation"])[:N_PAIRS])
    for case in dataset.list_cases(root):
        if case.patient in wanted:
            annotated = dataset.read_case(case)
            first, last = annotated.labelled_frames[View.SAX][:2]
            yield case.patient, annotated.study.cine(View.SAX), (first, last)


def seconds_of_pair(cine: Cine, frames: Sequence[int], segmenters: dict[str, Segmenter]) -> dict[str, float]:
    """The fastest of some repeats for each segmenter, one after the other."""
    with tempfile.TemporaryDirectory(prefix="cinema-") as home:
        files = []
        for frame in frames:
            one = replace(cine, array=cine.array[..., [frame]], frame_times_ms=None, source=None)
            files.append(Path(home) / f"{frame}.nii.gz")
            write_cine(one, files[-1])
        best = dict.fromkeys(segmenters, float("inf"))
        for _ in range(REPEATS):
            for name, segmenter in segmenters.items():
                started = time.perf_counter()
                for file in files:
                    segment_to_file(file, Path(home) / "mask.nii.gz", segmenter=segmenter, overwrite=True)
                best[name] = min(best[name], time.perf_counter() - started)
    return best


def seconds_to_start() -> float:
    """From the command line to a model that is ready, the fastest of some repeats."""
    code = "from cinema_cmr.inference.loading import load_segmenter; load_segmenter('cinema-sax')"
    best = float("inf")
    for _ in range(REPEATS):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        best = min(best, time.perf_counter() - started)
    return best


@torch.inference_mode()
def seconds_of_planes(segmenter: Segmenter, counts: Sequence[int]) -> dict[str, float]:
    """Seconds a slice in passes of so many slices."""
    size, found = segmenter.grid(View.SAX).size, {}
    for count in counts:
        images = torch.rand(1, 1, *size, count)
        times = []
        for _ in range(REPEATS):
            started = time.perf_counter()
            segmenter.model({str(View.SAX): images})
            times.append(time.perf_counter() - started)
        found[str(count)] = min(times) / count
    return found


def main() -> None:
    """Measure, store, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="acdc:ROOT; phantoms where not given")
    parser.add_argument("--model", nargs="+", default=["cinema-sax"], help="models to compare in one run")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--planes", type=int, nargs="+", help="slices a pass to compare")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    segmenters = {Path(model).name: load_segmenter(model) for model in given.model}
    facts: dict[str, Any] = {
        "threads": given.threads,
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "load_before": os.getloadavg()[0],
    }
    name = "pair_speed"
    if given.planes:
        name, content = (
            "pair_speed_planes",
            {**facts, "seconds_a_slice": seconds_of_planes(next(iter(segmenters.values())), given.planes)},
        )
    else:
        rows = {}
        for patient, cine, frames in pairs(given.data):
            rows[patient] = {"slices": cine.n_slices, **seconds_of_pair(cine, frames, segmenters)}
        content = {**facts, "data": given.data and "acdc", "seconds_to_start": seconds_to_start(), "pairs": rows}
        content["median_seconds"] = {name: median(row[name] for row in rows.values()) for name in segmenters}
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json_text(content), encoding="utf-8")
    print(json_text(content))


if __name__ == "__main__":
    main()
