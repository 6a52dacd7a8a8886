"""The page of a population of phantoms: do its centiles agree with their own anatomy, and are broken studies found?

    python benchmarks/cohort_centiles.py [--subjects 500] [--frames 2] [--work FOLDER]

Phantoms of all groups and scanner styles, short axis alone, with ten truncated copies among them, go through `cinema
population` and `cinema cohort` as a user would call them. Each centile is given of the exact anatomy over the whole
cycle, of the exact masks measured in the same few slices and frames (of which none need be the end of systole: what the
sampling does), and of the results; beside what they are off the masks stands the spread that so many studies have by
chance (standard error, by bootstrap). Writes results/cohort_centiles.json; the page stays in `--work`. For research use
only.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import time
from pathlib import Path
from tempfile import gettempdir

import numpy as np

import cinema_cmr as cmr
from cinema_cmr.io.nifti.labels import read_label_codes

RESULTS = Path(__file__).parent / "results" / "cohort_centiles.json"
NAMES = ("lv_edv_ml", "lv_esv_ml", "lv_ef_percent", "lv_mass_g", "rv_edv_ml", "rv_ef_percent")
CENTILES = (2.5, 50.0, 97.5)
N_BROKEN = 10
N_DRAWS = 2000


def main() -> None:
    """Make the studies, run both commands, compare, and store."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--subjects", type=int, default=500)
    parser.add_argument("--frames", type=int, default=2)
    parser.add_argument("--work", type=Path, default=Path(gettempdir()) / "cinema-cohort")
    given = parser.parse_args()
    made, results = given.work / "phantoms", given.work / "results"
    cinema("phantom", "-n", given.subjects, "--frames", given.frames, "--views", "sax", "--seed", 29, "-o", made)
    truth = read_csv(made / "manifest.csv")
    broken = write_manifest(given.work / "studies.csv", made, truth)
    started = time.perf_counter()
    cinema("population", "--manifest", given.work / "studies.csv", "-o", results, "--landmarks", "none")
    seconds = time.perf_counter() - started
    page = given.work / "cohort.html"
    cinema("cohort", results, "-o", page, "--facts", "group")
    measured = {row["study"]: row for row in read_csv(results / "measurements.csv")}
    masks = {row["name"]: measured_masks(made / row["name"]) for row in truth}
    failed = {row["study"] for row in read_csv(results / "failures.csv")}
    content = {
        "subjects": given.subjects,
        "seconds": round(seconds),
        "broken_found": f"{len(failed & set(broken))} of {len(broken)}",
        "others_failed": sorted(failed - set(broken)),
        "centiles": {sex: {name: compared(truth, masks, measured, name, sex) for name in NAMES} for sex in ("F", "M")},
    }
    RESULTS.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(content, indent=1))


def cinema(*words: object) -> None:
    """Run a command; failures of single studies are no reason to end."""
    command = [sys.executable, "-m", "cinema_cmr.cli", *map(str, words)]
    subprocess.run(command, check=words[0] != "population")


def read_csv(path: Path) -> list[dict[str, str]]:
    """Return the rows of a table."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write_manifest(path: Path, made: Path, truth: list[dict[str, str]]) -> list[str]:
    """Write the manifest of all studies, and of truncated copies of the first; return the names of the latter."""
    columns = {"age_years": "age", "height_cm": "height", "weight_kg": "weight", "sex": "sex", "group": "group"}
    rows = [
        {"id": row["name"], "path": str(made / row["images"]), **{new: row[old] for old, new in columns.items()}}
        for row in truth
    ]
    names = [f"broken-{number}" for number in range(N_BROKEN)]
    for name, row in zip(names, list(rows), strict=False):
        copy = path.parent / "broken" / f"{name}.nii.gz"
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(next(Path(row["path"]).glob("*.nii.gz")).read_bytes()[:5000])
        rows.append({**row, "id": name, "path": str(copy)})
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return names


def measured_masks(subject: Path) -> dict[str, float | None]:
    """Return the numbers of a phantom's exact masks, measured in its slices and frames."""
    cine = cmr.Cine.from_nifti(subject / "images" / "sax.nii.gz")
    codes = read_label_codes(subject / "labels" / "sax.nii.gz", cine.shape, codes={1: 1, 2: 2, 3: 3})
    measurements = cmr.measure_masks(cine, cmr.LabelMap(array=codes))
    return {name: measurements.value(name) for name in NAMES}


def compared(
    truth: list[dict[str, str]],
    masks: dict[str, dict[str, float | None]],
    measured: dict[str, dict[str, str]],
    name: str,
    sex: str,
) -> dict[str, dict[str, float]]:
    """Return the centiles of anatomy, exact masks and results, what the last are off, and the error of chance."""
    rows = [
        (row[name], masks[row["name"]][name], measured.get(row["name"], {}).get(name))
        for row in truth
        if row["sex"] == sex
    ]
    values = np.array([[float(one or 0) for one in row] for row in rows if all(row)]).T
    draws = np.random.default_rng(0).choice(values[1], (N_DRAWS, values.shape[1]))
    chance = np.percentile(draws, CENTILES, axis=1).std(axis=1)
    return {
        f"{centile:g}": {
            "anatomy": round(anatomy, 1),
            "masks": round(mask, 1),
            "off": round(found - mask, 1),
            "chance": round(error, 1),
            "n": values.shape[1],
        }
        for centile, (anatomy, mask, found), error in zip(
            CENTILES, np.percentile(values, CENTILES, axis=1), chance, strict=True
        )
    }


if __name__ == "__main__":
    main()
