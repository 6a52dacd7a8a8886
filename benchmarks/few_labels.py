"""Models that learned from few patients, each for its own number of updates: mean Dice, and differences to the first.

    python benchmarks/few_labels.py "U-Net, 1,200 updates"=RACE/runs/acdc/segment-sax/10-percent/unet NAME=FOLDER ...

Each FOLDER holds the draws of one model and one number of patients as `cinema sweep` writes them
(`seed-*/result.json`). Draws that both models of a pair have are compared: each patient's draws are averaged first,
then the mean over patients has its 95 % BCa interval. Adds a row for each pair to results/few_labels.json. With
`--data NAME:ROOT --by FACT` (group, sex, age_band, ...) each row has the subgroups of patients too: their number, mean
Dice, and the difference to the first model, without intervals, since they are small. For research use only; not a
medical device.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np

from cinema_cmr.datasets.reading import find_cases
from cinema_cmr.evaluation.record import SUBGROUP_FACTS, subgroup_facts
from cinema_cmr.score.statistics import mean_interval

RESULTS = Path(__file__).parent / "results" / "few_labels.json"

Draws = dict[str, dict[str, float]]


def read(folder: Path) -> tuple[Draws, dict[str, int]]:
    """Return draw -> patient -> mean Dice, and the numbers of patients and updates, the same in all draws."""
    draws: Draws = {}
    facts: dict[str, int] = {}
    for path in sorted(folder.glob("seed-*/result.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        draws[path.parent.name] = {row["patient"]: row["values"]["dice_mean"] for row in content["patients"]}
        facts = {"patients": content["n_train_patients"], "updates": content["n_steps"]}
    if not draws:
        raise SystemExit(f"no seed-*/result.json in {folder}; expected a model's folder of a sweep")
    return draws, facts


def mean_of(draws: Draws, chosen: list[str]) -> np.ndarray:
    """Return (patients,) the mean of the chosen draws."""
    patients = sorted(draws[chosen[0]])
    return np.array([np.mean([draws[draw][patient] for draw in chosen]) for patient in patients])


def subgroups(data: str, names: list[str]) -> dict[str, dict[str, str]]:
    """Return fact -> patient -> subgroup; patients without the fact are left out."""
    _, cases = find_cases(data)
    facts = {case.patient: subgroup_facts(case.facts) for case in cases}
    return {name: {patient: its[name] for patient, its in facts.items() if name in its} for name in names}


def grouped(
    patients: list[str], group_of: dict[str, str], values: np.ndarray, off: np.ndarray
) -> dict[str, dict[str, float | int]]:
    """Return subgroup -> number of patients, mean Dice and mean difference."""
    members = {name: [group_of.get(patient) == name for patient in patients] for name in sorted(set(group_of.values()))}
    return {
        name: {
            "n": sum(chosen),
            "mean_dice": round(float(values[chosen].mean()), 4),
            "minus": round(float(off[chosen].mean()), 4),
        }
        for name, chosen in members.items()
        if any(chosen)
    }


def main() -> None:
    """Compare, print, store."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", metavar="NAME=FOLDER")
    parser.add_argument("--data", help="data set of the patients, for --by")
    parser.add_argument("--by", action="append", default=[], choices=SUBGROUP_FACTS)
    given = parser.parse_args()
    groups = subgroups(given.data, given.by) if given.by else {}
    named = [one.partition("=")[::2] for one in given.models]
    found = {name: read(Path(folder)) for name, folder in named}
    (first, (base, _)), *_ = found.items()
    rows = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    for name, (draws, facts) in found.items():
        shared = sorted(set(draws) & set(base))
        values = mean_of(draws, shared)
        row = {
            **facts,
            "draws": len(shared),
            "each": [round(float(mean_of(draws, [draw]).mean()), 4) for draw in shared],
        }
        row["mean_dice"] = asdict(mean_interval(values, seed=0))
        if name != first:
            row["minus"] = {first: asdict(mean_interval(values - mean_of(base, shared), seed=0))}
        off = values - mean_of(base, shared)
        by = {fact: grouped(sorted(draws[shared[0]]), of, values, off) for fact, of in groups.items()}
        row |= {"by": by} if by else {}
        rows[f"{name}, {facts['patients']} patients"] = row
        print(name, json.dumps(row))
    RESULTS.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
