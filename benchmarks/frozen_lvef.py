"""LVEF of people from frozen features of a pre-trained encoder: how many labels does a linear answer need?

`python benchmarks/frozen_lvef.py --data kaggle:FOLDER --model RUN/model --scratch FOLDER [--untrained 2]`. Official
LVEF of the Data Science Bowl; the encoder sees no label. Features as in `frozen_features.py`, of both frames of a
person. A ridge regression whose penalty is chosen inside of n people, drawn ten times from the training part, predicts
all held-out people (case numbers that end in 0); n is 10, 40, 160 and all. Prints and stores the mean absolute
error over held-out people with its 95 % interval, beside untrained encoders and the mean of the n people
(benchmarks/results/frozen_lvef_MODEL.json). For research use only; not a medical device.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from frozen_features import stored, untrained, vectors
from numpy.typing import NDArray
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from cinema_cmr.core.serialise import json_text
from cinema_cmr.datasets.reading import find_cases, find_split
from cinema_cmr.inference.features import FeatureExtractor
from cinema_cmr.inference.runtime import choose_runtime
from cinema_cmr.models.weights import load_model
from cinema_cmr.score.statistics import mean_interval

RESULTS = Path(__file__).parent / "results"
TARGET = "lv_ef_percent"
LABELS = (10, 40, 160)
DRAWS = 10

Floats = NDArray[np.float64]


def errors(features: Floats, target: Floats, held_out: NDArray[np.bool_], n: int) -> Floats:
    """(held-out people,) absolute error in points, the mean over the draws of `n` people to learn from."""
    known = np.flatnonzero(~held_out)
    total = np.zeros(int(held_out.sum()))
    for draw in range(DRAWS):
        chosen = np.random.default_rng(draw).permutation(known)[:n]
        line = make_pipeline(StandardScaler(), RidgeCV(alphas=np.logspace(0, 5, 16)))
        total += np.abs(line.fit(features[chosen], target[chosen]).predict(features[held_out]) - target[held_out])
    return total / DRAWS


def baseline(target: Floats, held_out: NDArray[np.bool_], n: int) -> Floats:
    """The same for the mean of the people to learn from."""
    return errors(np.zeros((len(target), 1)), target, held_out, n)


def compared(found: dict[str, Floats], target: Floats, held_out: NDArray[np.bool_], n: int) -> dict[str, Any]:
    """Errors of each encoder for one number of labels, and the difference to the untrained ones."""
    rows = {name: errors(features, target, held_out, n) for name, features in found.items()}
    others = np.mean([row for name, row in rows.items() if name != "trained"], axis=0)
    rows["mean of the people learned from"] = baseline(target, held_out, n)
    shown = {name: asdict(mean_interval(row, seed=0)) for name, row in rows.items()}
    shown["trained minus untrained"] = asdict(mean_interval(rows["trained"] - others, seed=0))
    return shown


def embedded(studies: Sequence[Any], encoders: dict[str, Any]) -> dict[str, dict[str, Floats]]:
    """Kind of features -> encoder -> (people, d)."""
    runtime, found = choose_runtime("cpu", "fp32"), dict[str, dict[str, Floats]]()
    for name, encoder in encoders.items():
        featuriser = FeatureExtractor(encoder, runtime)
        made = [vectors(study, featuriser) for study in studies]
        for kind in made[0]:
            found.setdefault(kind, {})[name] = np.stack([its[kind] for its in made])
        print(f"{name}: {len(studies)} people", flush=True)
    return found


def main() -> None:
    """Measure, print, store."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--model", required=True, help="folder or name of an autoencoder")
    parser.add_argument("--untrained", type=int, default=2, help="how many first weights are tried")
    parser.add_argument("--scratch", type=Path, required=True, help="a folder for the prepared studies")
    given = parser.parse_args()
    given.scratch.mkdir(parents=True, exist_ok=True)
    loaded = load_model(given.model)
    dataset, cases = find_cases(given.data)
    cases = [case for case in cases if case.problem is None and TARGET in case.facts]
    held_out = np.isin([case.patient for case in cases], find_split(None, dataset, cases)["validation"])
    target = np.array([float(case.facts[TARGET]) for case in cases])
    encoders = {"trained": loaded} | {f"untrained {seed}": untrained(loaded, seed) for seed in range(given.untrained)}
    found = embedded(stored(dataset, cases, given.scratch), encoders)
    n_all = int((~held_out).sum())
    content = {
        "model": loaded.card.name,
        "weights_sha256": loaded.card.weights_sha256,
        "data": dataset.card.name,
        "people": [n_all, int(held_out.sum())],
        "absolute error, points": {
            kind: {str(n): compared(its, target, held_out, n) for n in (*LABELS, n_all)} for kind, its in found.items()
        },
    }
    print(json.dumps(json.loads(json_text(content)), indent=1))
    path = RESULTS / f"frozen_lvef_{loaded.card.name}.json"
    path.write_text(json_text(content), encoding="utf-8")


if __name__ == "__main__":
    main()
