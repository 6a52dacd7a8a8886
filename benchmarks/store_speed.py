"""Frames a second from the prepared store, and from 4D .nii.gz files, of the same study in one run.

The aim: at least 50 times more. Both sides read one random frame of each view of a phantom study per draw, as
pre-training does, and give float32 arrays; files lie in the page cache on both sides (each is read once before),
so this is decompression and conversion, not the disk. `python benchmarks/store_speed.py [--scan STUDY]` prints
the figures and stores benchmarks/results/store_speed.json.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

# One thread, before NumPy's libraries start theirs.
for _name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[_name] = "1"

import nibabel  # noqa: E402
import numpy as np  # noqa: E402

from cinema_cmr.core.study import Study  # noqa: E402
from cinema_cmr.data.store import StoredStudy, write_study  # noqa: E402
from cinema_cmr.io.nifti.study import nifti_name, write_nifti_study  # noqa: E402
from cinema_cmr.io.read import read_study  # noqa: E402
from cinema_cmr.phantom.phantom import make_phantom  # noqa: E402

RESULTS = Path(__file__).parent / "results" / "store_speed.json"


def seconds_each(read: Callable[[int], object], draws: list[int]) -> list[float]:
    """Wall time of each draw, after one that warms the cache."""
    read(draws[0])
    times = []
    for draw in draws:
        start = time.perf_counter()
        read(draw)
        times.append(time.perf_counter() - start)
    return times


def from_store(stored: StoredStudy) -> Callable[[int], object]:
    """One frame of each view."""
    return lambda t: [stored.frame(view, t % stored.cine(view).n_frames) for view in stored.views]


def from_nifti(folder: Path, stored: StoredStudy) -> Callable[[int], object]:
    """The same by opening each file and slicing its last axis."""

    def read(t: int) -> object:
        images = [nibabel.load(folder / nifti_name(view)) for view in stored.views]  # type: ignore[attr-defined]
        return [np.asarray(image.dataobj[..., t % image.shape[3]], np.float32) for image in images]

    return read


def measured(study: Study, home: Path, n_draws: int) -> dict[str, object]:
    """Both sides of one study."""
    write_nifti_study(study, home / "nifti")
    stored = write_study(study, home / "study.cine")
    draws = np.random.default_rng(0).integers(0, 1000, n_draws).tolist()
    n_views = len(stored.views)
    store, nifti = (
        seconds_each(read, its)
        for read, its in ((from_store(stored), draws * 10), (from_nifti(home / "nifti", stored), draws))
    )
    single = {
        str(v): statistics.median(seconds_each(lambda t, v=v: stored.frame(v, t), [0] * 200)) for v in stored.views
    }
    return {
        "shapes": {str(view): list(stored.cine(view).shape) for view in stored.views},
        "store_bytes": stored.path.stat().st_size,
        "nifti_bytes": sum(path.stat().st_size for path in (home / "nifti").iterdir()),
        "store_frames_per_s": n_views / statistics.median(store),
        "nifti_frames_per_s": n_views / statistics.median(nifti),
        "times_faster": statistics.median(nifti) / statistics.median(store),
        "store_ms_a_frame": {view: 1000 * value for view, value in single.items()},
        "checksum_share": checksum_share(stored),
    }


def checksum_share(stored: StoredStudy) -> float:
    """Return how much longer frames with checksums take to read again and again than those without, as a share."""
    plain = replace(
        stored, header=replace(stored.header, cines=tuple(replace(c, frame_crc32=()) for c in stored.header.cines))
    )
    draws, checked, unchecked = list(range(50)), list[float](), list[float]()
    for _ in range(8):  # in turn, as other programs may run beside
        checked += seconds_each(from_store(stored), draws)
        unchecked += seconds_each(from_store(plain), draws)
    return statistics.median(checked) / statistics.median(unchecked) - 1


def processor() -> str:
    """The processor's name, where the system tells it."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def main() -> None:
    """Measure, print, store."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scan", help="a study of your own instead of a phantom with 50 frames")
    parser.add_argument("--draws", type=int, default=20)
    given = parser.parse_args()
    study = read_study(given.scan) if given.scan else make_phantom(3, n_frames=50).study
    with tempfile.TemporaryDirectory(prefix="cinema-") as home:
        found = measured(study, Path(home), given.draws)
    what = "a scan of the caller's" if given.scan else "phantom 3, 50 frames"
    content = {"processor": processor(), "load_at_end": os.getloadavg()[0], "study": what, **found}
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(content, indent=1))


if __name__ == "__main__":
    main()
