"""What each ingredient of `cinema-sax` brings: the same U-Net with one more of them each time, on the same patients.

    python benchmarks/ingredients.py --data acdc:ROOT --kaggle kaggle:ROOT [--steps 2000] [--work FOLDER]

ACDC's masks alone; Kaggle's masks of the LV beside them, whose other structures are unknown; the same with the first
network's labels where nothing was drawn (distillation); 100 synthetic hearts beside these; and frames of the whole
cycle of ACDC's training patients, labelled by the first network. All at 2 mm (preset medium), from random weights, the
same number of updates and the same seed, ACDC's studies four times an epoch where there are others. Scored like
`cinema-sax`: ACDC's 20 validation patients, and the 40 held-out Kaggle cases against their official volumes. These runs
are much shorter than that of `cinema-sax`, so they compare ingredients, and are no measure of it. Finished runs in
`--work` are kept. Writes results/ingredients.json. For research use only; not a medical device.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from tempfile import gettempdir
from typing import Any

import numpy as np

import cinema_cmr as cmr
from cinema_cmr.score.statistics import mean_interval

RESULTS = Path(__file__).parent / "results" / "ingredients.json"
N_PHANTOMS = 100
SCORES = {"acdc": ("dice_mean", "dice_lv", "dice_myo", "dice_rv"), "kaggle": ("dice_lv",)}
VOLUMES = {"acdc": ("lv_ef_percent", "rv_ef_percent"), "kaggle": ("lv_edv_ml", "lv_esv_ml", "lv_ef_percent")}

Patients = dict[str, dict[str, float]]


def main() -> None:
    """Train with each set of ingredients, score, compare each with the one before, and store."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--kaggle", required=True)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--work", type=Path, default=Path(gettempdir()) / "cinema-ingredients")
    given = parser.parse_args()
    phantoms = given.work / "phantoms"
    if not phantoms.exists():
        words = ["phantom", "-n", N_PHANTOMS, "--frames", 2, "--views", "sax", "--seed", 9000, "-o", phantoms]
        subprocess.run([sys.executable, "-m", "cinema_cmr.cli", *map(str, words)], check=True)
    rows: dict[str, Any] = {}
    before: dict[str, Patients] | None = None
    for name, options in ingredients(given, str(phantoms)).items():
        model = trained(given, name, options)
        scores = {data: scored(model, data, given) for data in SCORES}
        rows[name] = summary(scores, before)
        before = scores
        content = {"steps": given.steps, "preset": "medium", "rows": rows}
        RESULTS.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(rows, indent=1))


def ingredients(given: argparse.Namespace, phantoms: str) -> dict[str, dict[str, Any]]:
    """Return the options of `finetune` of each row, by name; each has what the one before has."""
    first = str(run_folder(given, "ACDC") / "model")
    kaggle = {"add_data": [given.kaggle], "repeat": ["acdc=4"]}
    taught = {**kaggle, "teacher": first}
    synthetic = {**taught, "add_data": [given.kaggle, phantoms]}
    return {
        "ACDC": {},
        "Kaggle's LV": {**kaggle, "teacher": "none"},
        "labels of the first network": taught,
        "phantoms": synthetic,
        "whole cycles": {**synthetic, "cycles": True},
    }


def run_folder(given: argparse.Namespace, name: str) -> Path:
    """Return the folder of a row's run."""
    return Path(given.work) / "runs" / name.replace(" ", "-").replace("'", "")


def trained(given: argparse.Namespace, name: str, options: dict[str, Any]) -> str:
    """Train, or go on, and return the model's folder."""
    folder = run_folder(given, name)
    if not (folder / "model" / "card.json").exists():
        print(f"training with {name}", flush=True)
        cmr.finetune("sax-unet", given.data, folder, preset="medium", steps=given.steps, **options)
    return str(folder / "model")


def scored(model: str, data: str, given: argparse.Namespace) -> Patients:
    """Return patient -> scores, and the absolute errors of volumes, on the held-out part of a data set."""
    folder = Path(model).parent / f"scores-{data}"
    if not (folder / "scores.json").exists():
        cmr.evaluate(model, given.data if data == "acdc" else given.kaggle, folder, overwrite=True)
    rows = json.loads((folder / "scores.json").read_text(encoding="utf-8"))["patients"]
    return {row["patient"]: {**dices(row, data), **errors(row, data)} for row in rows}


def dices(row: dict[str, Any], data: str) -> dict[str, float]:
    """Return the Dice of a patient by name; 0 for a heart that was not found."""
    return {name: float(row["scores"].get(name) or 0.0) for name in SCORES[data]}


def errors(row: dict[str, Any], data: str) -> dict[str, float]:
    """Return absolute errors of volumes and EF: to the expert's masks, of Kaggle to the official values."""
    if data == "kaggle":
        named = {name: row["scores"].get(f"error_to_fact_{name}") for name in VOLUMES[data]}
    else:
        named = {name: difference(row, name) for name in VOLUMES[data]}
    return {name: abs(float(value)) if value is not None else float("nan") for name, value in named.items()}


def difference(row: dict[str, Any], name: str) -> float | None:
    """Return measured minus reference of a measurement; None where either is missing."""
    measured, reference = row["measured"].get(name), row["reference"].get(name)
    return None if measured is None or reference is None else float(measured) - float(reference)


def summary(scores: dict[str, Patients], before: dict[str, Patients] | None) -> dict[str, Any]:
    """Return the mean of each value with its interval over patients, and the difference to the row before."""
    result: dict[str, Any] = {}
    for data, patients in scores.items():
        for name in next(iter(patients.values())):
            values = {patient: row[name] for patient, row in patients.items() if np.isfinite(row[name])}
            entry = {"value": interval(list(values.values())), "patients": len(values)}
            if before is not None:
                pairs = [value - before[data][p][name] for p, value in values.items() if p in before[data]]
                entry["minus_before"] = interval([one for one in pairs if np.isfinite(one)])
            result[f"{data} {name}"] = entry
    return result


def interval(values: list[float]) -> list[float]:
    """Return mean, and the limits of its 95 % BCa interval."""
    found = mean_interval(values, seed=0)
    return [round(float(one), 4) for one in (found.value, found.low, found.high)]


if __name__ == "__main__":
    main()
