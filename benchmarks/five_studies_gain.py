"""What five labelled studies give, from `cinema-sax` and from random weights: three draws of validation patients.

    python benchmarks/five_studies_gain.py --data acdc:ROOT [--steps 100] [--scratch-steps 1200] [--work FOLDER]

A draw is one patient of each of the five groups, of the 20 that `cinema-sax` has not learned from; the fifteen others
are scored, also by the start as it is. As usual, four of the five are learned from and one is held out. Finished runs
in `--work` are kept. Writes results/five_studies_gain.json: the mean Dice of each draw, and the differences to random
weights with their intervals over patients. For research use only; not a medical device.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from tempfile import gettempdir

import numpy as np
from five_studies import OURS, write_lab

import cinema_cmr as cmr
from cinema_cmr.score.statistics import mean_interval

RESULTS = Path(__file__).parent / "results" / "five_studies_gain.json"
VALIDATION = {
    "DCM": (2, 10, 15, 16),
    "HCM": (23, 26, 29, 33),
    "MINF": (44, 45, 50, 52),
    "NOR": (61, 72, 74, 76),
    "RV": (82, 83, 84, 88),
}
"""Group -> numbers of ACDC's patients in our validation part."""
N_DRAWS = 3
START = "cinema-sax"
LEARNED = "four of five, from the start"
SCRATCH = "four of five, from random weights"


def main() -> None:
    """Learn from each draw in both ways, score, and store."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--scratch-steps", type=int, default=1200)
    parser.add_argument("--work", type=Path, default=Path(gettempdir()) / "cinema-five-gain")
    given = parser.parse_args()
    root = Path(given.data.partition(":")[2])
    draws = [learn_and_score(given, root, draw) for draw in range(N_DRAWS)]
    content = {
        "steps": given.steps,
        "scratch_steps": given.scratch_steps,
        "mean_dice": {way: [round(float(np.mean(list(one[way].values()))), 4) for one in draws] for way in draws[0]},
        "minus_scratch": {way: difference(draws, way) for way in (START, LEARNED)},
    }
    RESULTS.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(content, indent=1))


def learn_and_score(given: argparse.Namespace, root: Path, draw: int) -> dict[str, dict[str, float]]:
    """Return, by way to learn, the mean Dice of each patient outside the draw."""
    work = given.work / f"draw-{draw}"
    ours = tuple(f"patient{numbers[draw]:03d}" for numbers in VALIDATION.values())
    others = tuple(f"patient{k:03d}" for numbers in VALIDATION.values() for k in numbers if k != numbers[draw])
    write_lab(root, work / "lab", ours, OURS)
    write_lab(root, work / "others", others, OURS)
    ways = {LEARNED: (START, given.steps, {"lr": 1e-4}), SCRATCH: (None, given.scratch_steps, {})}
    models = {START: START}
    for number, (way, (start, steps, options)) in enumerate(ways.items()):
        run = work / f"run-{number}-{steps}"
        if not (run / "model" / "card.json").exists():
            cmr.finetune("sax-unet", work / "lab", run, start=start, steps=steps, **options)
        models[way] = str(run / "model")
    return {
        way: dice_of_patients(model, work / "others", work / f"scores-{k}")
        for k, (way, model) in enumerate(models.items())
    }


def dice_of_patients(model: str, data: Path, folder: Path) -> dict[str, float]:
    """Return the mean Dice of each patient over structures and both frames."""
    cmr.evaluate(model, data, folder, part="all", overwrite=True)
    rows = json.loads((folder / "scores.json").read_text(encoding="utf-8"))["patients"]
    return {row["patient"]: row["scores"]["dice_mean"] for row in rows}


def difference(draws: list[dict[str, dict[str, float]]], way: str) -> dict[str, float]:
    """Return the mean difference to random weights over patients, each patient's draws averaged first."""
    by_patient: dict[str, list[float]] = {}
    for one in draws:
        for patient, dice in one[way].items():
            by_patient.setdefault(patient, []).append(dice - one[SCRATCH][patient])
    interval = mean_interval([float(np.mean(values)) for values in by_patient.values()], seed=0)
    return {"mean": round(interval.value, 4), "low": round(interval.low, 4), "high": round(interval.high, 4)}


if __name__ == "__main__":
    main()
