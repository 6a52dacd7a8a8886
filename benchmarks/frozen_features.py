"""Do frozen features of a pre-trained encoder tell ACDC's five groups apart better than those of an untrained one?

`python benchmarks/frozen_features.py --data acdc:FOLDER --model RUN/model --scratch FOLDER [--untrained 3]`. No
weight of the encoder is changed. A patient is the mean and the difference of both labelled frames' vectors (class
token and mean of the short-axis tokens), standardised; a logistic regression whose penalty is chosen inside of the
training folds answers for the patients of the fifth that was held out (5 folds, stratified, the same for all
encoders). Prints and stores balanced accuracy with its interval over patients
(benchmarks/results/frozen_features_MODEL.json). Images of patients that pre-training saw, without their groups, are
among them, and are also scored apart.
For research use only; not a medical device.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegressionCV
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from cinema_cmr.commands.training_data import find_cases
from cinema_cmr.data.store import StoredStudy, open_study, write_study
from cinema_cmr.engine.features import Featuriser
from cinema_cmr.engine.runtime import choose_runtime
from cinema_cmr.models.architectures import build
from cinema_cmr.models.loaded import LoadedModel
from cinema_cmr.models.weights import load_model
from cinema_cmr.report.plain import json_text
from cinema_cmr.score.classify import balanced_accuracy
from cinema_cmr.score.statistics import bootstrap_interval

RESULTS = Path(__file__).parent / "results"
FOLDS = 5


def vector(study: StoredStudy, featuriser: Featuriser) -> NDArray[np.float64]:
    """(4 d,) of a study of two frames."""
    rows = {(row.tokens, row.frame): row.values for row in featuriser.rows(study)}
    parts = []
    for tokens in ("cls", "sax"):
        first, second = (rows[tokens, t].astype(np.float64) for t in (0, 1))
        parts += [(first + second) / 2, second - first]
    return np.concatenate(parts)


def answers(features: NDArray[np.float64], groups: NDArray[np.str_]) -> NDArray[np.str_]:
    """The group that each patient gets from the folds it is not in."""
    told = np.empty_like(groups)
    for fit, ask in StratifiedKFold(FOLDS, shuffle=True, random_state=0).split(features, groups):
        inner = StratifiedKFold(4, shuffle=True, random_state=1)
        model = make_pipeline(
            StandardScaler(),
            LogisticRegressionCV(Cs=np.logspace(-5, 0, 6), cv=inner, scoring="balanced_accuracy", max_iter=2000),
        )
        told[ask] = model.fit(features[fit], groups[fit]).predict(features[ask])
    return told


def untrained(loaded: LoadedModel, seed: int) -> LoadedModel:
    """The same network with its first weights."""
    torch.manual_seed(seed)
    return replace(loaded, model=build(loaded.card.architecture, loaded.card.config).eval())


def stored(data: str, folder: Path) -> tuple[list[StoredStudy], NDArray[np.str_], NDArray[np.str_]]:
    """The dataset's studies as stored ones in `folder`, with their patients and groups."""
    dataset, cases = find_cases(data)
    studies = []
    for case in cases:
        path = folder / f"{case.name}.cine"
        if not path.exists():
            write_study(dataset.read_case(case).study, path)
        studies.append(open_study(path))
    return studies, np.array([c.patient for c in cases]), np.array([str(c.facts["group"]) for c in cases])


def main() -> None:
    """Measure, print, store."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--model", required=True, help="folder or name of an autoencoder")
    parser.add_argument("--untrained", type=int, default=3, help="how many first weights are tried")
    parser.add_argument("--scratch", type=Path, required=True, help="a folder for the prepared studies")
    given = parser.parse_args()
    given.scratch.mkdir(parents=True, exist_ok=True)
    loaded, runtime = load_model(given.model), choose_runtime("cpu", "fp32")
    studies, patients, groups = stored(given.data, given.scratch)
    split = find_cases(given.data)[0].split()
    unseen = np.isin(patients, split["validation"])
    encoders = {"trained": loaded} | {f"untrained {seed}": untrained(loaded, seed) for seed in range(given.untrained)}
    content: dict[str, Any] = {
        "model": loaded.card.name,
        "weights_sha256": loaded.card.weights_sha256,
        "patients": len(patients),
        "encoders": {},
    }
    right = {}
    for name, encoder in encoders.items():
        featuriser = Featuriser(encoder, runtime)
        told = answers(np.stack([vector(study, featuriser) for study in studies]), groups)
        right[name] = (told == groups).astype(float)
        content["encoders"][name] = {
            "balanced_accuracy": asdict(_accuracy(groups, right[name])),
            "of_patients_pre_training_never_saw": asdict(_accuracy(groups[unseen], right[name][unseen])),
        }
        print(name, json.dumps(content["encoders"][name]), flush=True)
    for name in list(encoders)[1:]:
        content["encoders"][name]["trained_minus_this"] = asdict(_difference(groups, right["trained"], right[name]))
    print(json.dumps(json.loads(json_text(content)), indent=1))
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"frozen_features_{loaded.card.name}.json").write_text(json_text(content), encoding="utf-8")


def _accuracy(groups: NDArray[np.str_], right: NDArray[np.float64]) -> Any:
    codes = np.unique(groups, return_inverse=True)[1].astype(float)
    return bootstrap_interval(balanced_accuracy, codes, right, seed=0, along_axis=True)


def _difference(groups: NDArray[np.str_], first: NDArray[np.float64], second: NDArray[np.float64]) -> Any:
    codes = np.unique(groups, return_inverse=True)[1].astype(float)
    return bootstrap_interval(
        lambda labels, one, other: balanced_accuracy(labels, one) - balanced_accuracy(labels, other),
        codes,
        first,
        second,
        seed=0,
    )


if __name__ == "__main__":
    main()
