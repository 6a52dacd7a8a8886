"""Time and memory of making one phantom study, and of writing it, on one core.

The aim: a short-axis stack of 10 slices x 25 frames and three long-axis views of 25 frames in at most 4 s and
1 GB. Stacks differ in slices and matrix, so the time for 10 slices beside 3 planes is given too.
`python benchmarks/phantom_speed.py [--subjects 5] [--frames 25]` prints a table and stores
benchmarks/results/phantom_speed.json. Times are processor seconds: what else runs does not count.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

# One thread, before NumPy's libraries start theirs.
for _name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[_name] = "1"

from cinema_cmr.io.dicom.writing.series import Compression, DicomShape, write_dicom  # noqa: E402
from cinema_cmr.io.nifti.study import write_nifti_study  # noqa: E402
from cinema_cmr.phantom.phantom import PhantomStudy, make_phantom  # noqa: E402
from cinema_cmr.phantom.subject import GROUPS  # noqa: E402

RESULTS = Path(__file__).parent / "results" / "phantom_speed.json"
PLANES = 10 + 3
"""Image planes of the study that the aim is about."""


def seconds(action: Callable[[], object]) -> float:
    """Processor time of one call."""
    start = time.process_time()
    action()
    return time.process_time() - start


def row_of(seed: int, n_frames: int) -> dict[str, object]:
    """Times of one subject, in the group and style of its seed."""
    made: list[PhantomStudy] = []
    group = GROUPS[seed % len(GROUPS)]
    making = seconds(lambda: made.append(make_phantom(seed, group=group, n_frames=n_frames)))
    (phantom,) = made
    cines = phantom.study.cines
    n_planes = sum(cine.n_slices for cine in cines)
    row: dict[str, object] = {
        "seed": seed,
        "group": phantom.group,
        "style": phantom.style,
        "matrix": list(cines[0].array.shape[:2]),
        "n_planes": n_planes,
        "make_s": making,
        "make_13_planes_s": making * PLANES / n_planes,
    }
    with tempfile.TemporaryDirectory(prefix="cinema-") as home:
        folder, study = Path(home), phantom.study
        row["write_nifti_s"] = seconds(lambda: write_nifti_study(study, folder / "nifti"))
        row["write_dicom_s"] = seconds(lambda: write_dicom(study, folder / "dicom", bits=12))
        packed = {"shape": DicomShape.ENHANCED, "compression": Compression.JPEG_LS, "bits": 12}
        row["write_packed_dicom_s"] = seconds(lambda: write_dicom(study, folder / "packed", **packed))
    return row


def processor() -> str:
    """The processor's name, where the system tells it."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def main() -> None:
    """Measure, print, store."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subjects", type=int, default=5)
    parser.add_argument("--frames", type=int, default=25)
    given = parser.parse_args()
    rows = [row_of(seed, given.frames) for seed in range(given.subjects)]
    for row in rows:
        print("  ".join(f"{key} {value:.2f}" if isinstance(value, float) else str(value) for key, value in row.items()))
    content = {
        "processor": processor(),
        "load_at_end": os.getloadavg()[0],
        "frames": given.frames,
        "peak_memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "median_make_13_planes_s": statistics.median(float(str(row["make_13_planes_s"])) for row in rows),
        "rows": rows,
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    print(f"median {content['median_make_13_planes_s']:.2f} s, peak {content['peak_memory_mib']:.0f} MiB")


if __name__ == "__main__":
    main()
