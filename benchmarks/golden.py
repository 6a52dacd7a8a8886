"""Golden numbers: what the program computes today, to be found again after a change of its structure.

    python benchmarks/golden.py --data FOLDER            compare with benchmarks/results/golden.json
    python benchmarks/golden.py --data FOLDER --store    store the numbers anew, after a change of meaning
    python benchmarks/golden.py                          only what needs no scans: demo, phantoms, short trainings

Everything goes through the command line, in processes of its own, so that no module of the package is named here.
Two numbers agree when they differ by less than half a unit of the third significant digit. All of it is computed in
float32: processors round bfloat16 each in their own way. FOLDER holds `acdc`,
`multiview_dicom` and `emidec` as described in docs/datasets.md.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from safetensors.numpy import load_file

RESULTS = Path(__file__).with_name("results") / "golden.json"
RELATIVE = 5e-4
ABSOLUTE = 1e-6
TRAININGS = {
    "segment": ["segment", "--recipe", "sax-unet"],
    "landmark": ["landmark", "--recipe", "lax-unet"],
    "coordinates": ["landmark", "--recipe", "lax-coordinates"],
    "regress": ["regress", "--recipe", "ef-resnet", "--target", "lv_ef_percent"],
    "classify": ["classify", "--recipe", "disease-resnet", "--target", "sex"],
}

COMPUTED = ("analyse", "demo", "evaluate", "finetune", "pretrain")
"""Commands that run a network."""

Numbers = dict[str, float | str]


def cinema(*words: str | Path) -> str:
    """What a command prints; raises `RuntimeError` with its messages where it fails."""
    print(*words[:3], file=sys.stderr, flush=True)
    call = [sys.executable, "-c", "import sys; from cinema_cmr.cli import main; sys.exit(main())", *map(str, words)]
    call += ["--precision", "fp32"] if words[0] in COMPUTED else []
    done = subprocess.run(call, capture_output=True, text=True, check=False, env=os.environ)
    if done.returncode:
        raise RuntimeError(f"cinema {' '.join(map(str, words))}: {done.returncode}\n{done.stderr[-2000:]}")
    return done.stdout


def analysis(folder: Path) -> Numbers:
    """Measurements, flags and labelled voxels of a results folder."""
    record = json.loads((folder / "measurements.json").read_text())
    found: Numbers = {
        row["name"]: row["value"] for row in record["measurements"] if isinstance(row["value"], int | float)
    }
    found["flags"] = " ".join(sorted({flag["code"] for flag in record["flags"]}))
    for path in sorted((folder / "segmentation").glob("*.nii.gz")):
        labels = np.asanyarray(nib.load(path).dataobj)  # type: ignore[attr-defined]
        for code in np.unique(labels)[1:]:
            found[f"{path.name.split('.')[0]} voxels {int(code)}"] = int((labels == code).sum())
    return found


def evaluation(folder: Path) -> Numbers:
    """Every finite number of scores.json that belongs to a score, by its place."""
    record = json.loads((folder / "scores.json").read_text())
    skipped = ("hash", "model", "published", "not_scored", "checks")
    return dict(_leaves({name: part for name, part in record.items() if name not in skipped}))


def _leaves(value: Any, place: str = "") -> Iterator[tuple[str, float | str]]:
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from _leaves(item, f"{place}/{name}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _leaves(item, f"{place}/{index}")
    elif isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        yield place, value


def weights(folder: Path) -> Numbers:
    """Size and spread of each tensor's values, summed up over the model."""
    (path,) = folder.glob("*.safetensors")
    tensors = {name: array.astype(np.float64) for name, array in load_file(path).items()}
    return {
        "tensors": len(tensors),
        "parameters": sum(array.size for array in tensors.values()),
        "absolute sum": float(sum(np.abs(array).sum() for array in tensors.values())),
        "square sum": float(sum((array**2).sum() for array in tensors.values())),
        "names": hashlib.sha256("\n".join(sorted(tensors)).encode()).hexdigest()[:16],
    }


def phantoms(place: Path) -> Iterator[tuple[str, Numbers]]:
    """Yield synthetic studies, a short training and an evaluation of each task on them, and a short pre-training."""
    cohort = place / "cohort"
    cinema("phantom", "-n", "5", "-o", cohort, "--frames", "4", "--seed", "3")
    images = [nib.load(path).get_fdata() for path in sorted(cohort.rglob("*.nii.gz"))]  # type: ignore[attr-defined]
    yield "phantom", {"images": len(images), "mean": float(np.mean([i.mean() for i in images]))}
    for name, words in TRAININGS.items():
        run = place / f"run-{name}"
        cinema("finetune", *words, "--data", cohort, "-o", run, "--steps", "2", "--batch", "1", "--device", "cpu")
        cinema("evaluate", "--data", cohort, "--model", run / "model", "-o", run / "scores", *_part(words[0]))
        yield f"finetune {name}", weights(run / "model")
        yield f"evaluate {name}", evaluation(run / "scores")
    studies = sorted(path for path in cohort.iterdir() if path.is_dir())
    cinema("prepare", *studies, "-o", place / "store")
    cinema("pretrain", "--data", place / "store", "-o", place / "pre", "--recipe", "tiny", "--steps", "2")
    yield "pretrain", weights(place / "pre" / "model")


def _part(task: str) -> list[str]:
    """One number a patient costs little, and an interval needs more than one patient."""
    return ["--part", "all"] if task in ("regress", "classify") else []


def demo(place: Path) -> Iterator[tuple[str, Numbers]]:
    """Yield the embedded synthetic study."""
    cinema("demo", "-o", place / "demo")
    yield "demo", analysis(place / "demo")


def scans(data: Path, place: Path) -> Iterator[tuple[str, Numbers]]:
    """Yield two ACDC validation patients, the multi-view DICOM study with its long axes, an EMIDEC case."""
    pair = place / "pair" / "database" / "training"
    pair.mkdir(parents=True)
    for patient in ("patient002", "patient010"):
        (pair / patient).symlink_to((data / "acdc" / "database" / "training" / patient).resolve())
    cinema("evaluate", "--data", f"acdc:{place / 'pair'}", "--part", "all", "-o", place / "acdc")
    yield "acdc", evaluation(place / "acdc")
    cinema("analyse", data / "multiview_dicom" / "study", "-o", place / "mv", "--long-axis", "cinema-lax-masks")
    yield "multi-view", analysis(place / "mv")
    case = sorted((data / "emidec").glob("Case_P*"))[0]
    (image,) = (case / "Images").glob("*.nii.gz")
    cinema("analyse", image, "-o", place / "scar", "--model", "cinema-scar")
    yield "emidec", analysis(place / "scar")


def differences(stored: Mapping[str, Numbers], found: Mapping[str, Numbers]) -> list[str]:
    """What is in one only, or differs by more than the third digit."""
    lines = []
    for part, numbers in found.items():
        known = stored.get(part, {})
        lines += [f"{part}: {name} is gone" for name in known if name not in numbers]
        for name, value in numbers.items():
            if name not in known:
                lines.append(f"{part}: {name} is new: {value}")
            elif not _same(known[name], value):
                lines.append(f"{part}: {name} was {known[name]}, is {value}")
    return lines


def _same(a: float | str, b: float | str) -> bool:
    if isinstance(a, str) or isinstance(b, str):
        return a == b
    return abs(a - b) <= max(ABSOLUTE, RELATIVE * max(abs(a), abs(b)))


def main() -> int:
    """Compute, and compare or store; the exit code is 1 where a number differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of the development scans")
    parser.add_argument("--store", action="store_true", help="write the numbers instead of comparing them")
    given = parser.parse_args()
    stored: dict[str, Numbers] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    found: dict[str, Numbers] = {}
    with tempfile.TemporaryDirectory() as name:
        for part in (demo(Path(name)), scans(given.data, Path(name)) if given.data else (), phantoms(Path(name))):
            for key, numbers in part:
                found[key] = numbers
                if given.store:
                    RESULTS.write_text(json.dumps(stored | found, indent=1, sort_keys=True) + "\n")
    if given.store:
        return 0
    lines = differences(stored, found)
    print("\n".join(lines) or f"{sum(map(len, found.values()))} numbers as before")
    return int(bool(lines))


if __name__ == "__main__":
    sys.exit(main())
