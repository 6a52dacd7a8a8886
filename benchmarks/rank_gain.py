"""Are the studies that `cinema rank` puts first worth more than others? 8 and 16 labelled patients of ACDC.

    python benchmarks/rank_gain.py --data acdc:ROOT [--draws 2] [--work FOLDER]

As a lab would go: two patients are labelled, a network learns from them (from `cinema-small-sax`, 300 updates), `rank`
orders the other training patients by its doubt and by what they look like, and the first of them are labelled, up to
8 and 16 in all. Beside it as many drawn at random, the same two among them. The draw goes round the five disease
groups, which a lab cannot do, so it is a hard opponent. From both the network learns anew from the same start, 1,200
updates at 2 mm, as in docs/pretraining.md. Scored: mean Dice of the 20 validation patients; differences with their
95 % BCa interval over patients, each patient's draws averaged first. The runs' folder is that of a sweep: finished
runs are kept. Writes results/rank_gain.json. For research use only; not a medical device.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from tempfile import gettempdir
from typing import Any

import numpy as np

import cinema_cmr as cmr
from cinema_cmr.bench.data import BenchDataset, read_datasets
from cinema_cmr.bench.run import BenchOptions, BenchRun
from cinema_cmr.bench.suite import RunKey
from cinema_cmr.bench.tasks import TASKS
from cinema_cmr.core.vocabulary import View
from cinema_cmr.data.cases import AnnotatedStudy, subset_patients
from cinema_cmr.io.nifti.image import write_cine
from cinema_cmr.models.weights import load_model
from cinema_cmr.score.statistics import mean_interval

RESULTS = Path(__file__).parent / "results" / "rank_gain.json"
START = "cinema-small-sax"
N_FIRST = 2
COUNTS = (8, 16)
UPDATES = {N_FIRST: 300, 8: 1200, 16: 1200}


def main() -> None:
    """Rank, learn in both ways, score, and store."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--draws", type=int, default=2)
    parser.add_argument("--work", type=Path, default=Path(gettempdir()) / "cinema-rank-gain")
    given = parser.parse_args()
    (found,) = read_datasets([given.data], given.work, split=None, part="validation", note=print)
    if found.dataset is None:
        raise SystemExit(found.reason)
    inputs = written_inputs(found.dataset.data.train, given.work / "inputs")
    rows: dict[str, Any] = {}
    scores: dict[str, list[dict[str, float]]] = {}
    for draw in range(given.draws):
        groups = {study.patient: str(study.facts.get("group")) for study in found.dataset.data.train}
        random = subset_patients(groups, n=max(COUNTS), seed=draw)
        ranked = random[:N_FIRST] + order(given, found.dataset, inputs, random[:N_FIRST], draw)
        for n in COUNTS:
            for way, patients in (("ranked", ranked[:n]), ("random", random[:n])):
                run = scored(given, found.dataset, patients, f"{way}-{n}", n=n, draw=draw)
                scores.setdefault(f"{way}, {n} patients", []).append(run)
                counts = Counter(groups[patient] for patient in patients)
                rows.setdefault(f"{way}, {n} patients", {}).setdefault("groups", []).append(dict(counts))
                store(rows, scores)
    print(json.dumps(rows, indent=1))


def written_inputs(studies: list[AnnotatedStudy], folder: Path) -> dict[str, Path]:
    """Write the stack of each patient, ED and ES as two frames, as a file of its own; patient -> file."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {study.patient: folder / f"{study.patient}.nii.gz" for study in studies}
    for study in studies:
        if not files[study.patient].exists():
            write_cine(study.study.cine(View.SAX), files[study.patient])
    return files


def order(
    given: argparse.Namespace, dataset: BenchDataset, inputs: dict[str, Path], first: list[str], draw: int
) -> list[str]:
    """Return the other patients in the order of `rank`, by a network that learned from the first ones."""
    scored(given, dataset, first, f"first-{N_FIRST}", n=N_FIRST, draw=draw)
    model = key(f"first-{N_FIRST}", draw).folder(given.work / "runs") / "model"
    others = [patient for patient in sorted(inputs) if patient not in first]
    ranking = cmr.rank(
        [inputs[patient] for patient in others],
        labelled=[inputs[patient] for patient in first],
        model=model,
        encoder=START,
        names=others,
    )
    ranking.write(given.work / f"order-{draw}.csv", overwrite=True)
    return [one.name for one in ranking]


def key(run: str, draw: int) -> RunKey:
    """The run of one set of patients."""
    return RunKey(dataset="acdc", run=f"segment-sax/{run}", model="both", seed=draw)


def scored(
    given: argparse.Namespace, dataset: BenchDataset, patients: list[str], run: str, *, n: int, draw: int
) -> dict[str, float]:
    """Learn from these patients, or keep the finished run; mean Dice by validation patient."""
    train = [study for study in dataset.data.train if study.patient in patients]
    options = BenchOptions(
        root=given.work, steps=UPDATES[n], preset="medium", precision="bf16", starts={"both": load_model(START)}
    )
    few = dataset.select(train, dataset.data.val)
    bench = BenchRun(task=TASKS["segment-sax"], model="both", dataset=few, options=options, seed=draw, whole=dataset)
    print(f"{run}, draw {draw}: {', '.join(patients)}", flush=True)
    record = bench.run_or_keep(key(run, draw), note=print)
    return {row.patient: row.values["dice_mean"] for row in record.patients}


def store(rows: dict[str, Any], scores: dict[str, list[dict[str, float]]]) -> None:
    """Store the mean of each way, and ranked minus random on the draws that both have."""
    for name, draws in scores.items():
        rows[name]["each"] = [round(float(np.mean(list(one.values()))), 4) for one in draws]
        rows[name]["mean_dice"] = asdict(mean_interval(mean_of(draws), seed=0))
    for n in COUNTS:
        ranked, random = (scores.get(f"{way}, {n} patients", []) for way in ("ranked", "random"))
        both = min(len(ranked), len(random))
        if both:
            difference = mean_of(ranked[:both]) - mean_of(random[:both])
            rows[f"ranked, {n} patients"]["minus_random"] = asdict(mean_interval(difference, seed=0))
    RESULTS.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


def mean_of(draws: list[dict[str, float]]) -> np.ndarray:
    """(n_patients,) mean over the draws of each patient."""
    return np.mean([[one[patient] for patient in sorted(draws[0])] for one in draws], axis=0)


if __name__ == "__main__":
    main()
