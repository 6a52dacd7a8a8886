"""Do frozen features of a pre-trained encoder tell ACDC's five groups apart better than those of an untrained one?

`python benchmarks/frozen_features.py --data acdc:FOLDER --model RUN/model --scratch FOLDER [--untrained 3]`; or with
`--data folder:COHORT`, phantoms, which have the same groups. No weight of the encoder is changed. A patient is the
mean and the difference of two frames' vectors, the first and that at 40 % of the cycle (of ACDC's two labelled frames
both), standardised: of the class token and all short-axis tokens, and of those about the heart in thirds of the stack
(`cinema embed --heart`). A logistic regression whose penalty is chosen inside of the training folds answers for the
patients of the fifth that was held out (5 folds, stratified, drawn four times, the same for all encoders). Prints and
stores balanced accuracy with its interval over patients, and the difference to the mean of the untrained encoders
(benchmarks/results/frozen_features_MODEL_DATASET.json). Images of ACDC patients that pre-training saw, without their
groups, are among them, and are also scored apart.
For research use only; not a medical device.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from cinema_cmr.core.serialise import json_text
from cinema_cmr.core.vocabulary import View
from cinema_cmr.data.store import StoredStudy, open_study, write_study
from cinema_cmr.datasets.reading import find_cases
from cinema_cmr.inference.features import FeatureExtractor
from cinema_cmr.inference.runtime import choose_runtime
from cinema_cmr.models.architectures import build
from cinema_cmr.models.loaded import LoadedModel
from cinema_cmr.models.weights import load_model
from cinema_cmr.score.classification import balanced_accuracy
from cinema_cmr.score.statistics import bootstrap_interval

RESULTS = Path(__file__).parent / "results"
FOLDS = 5
DRAWS = 4


POOLED = {
    "whole": ("cls", "sax"),
    "heart": ("sax/first", "sax/middle", "sax/last"),
    "structures": ("sax/structures",),
}
"""Which vectors make up a patient's; the last only of an encoder that decodes structures, as the logarithms of volumes.
"""


def vectors(study: StoredStudy, featuriser: FeatureExtractor) -> dict[str, NDArray[np.float64]]:
    """Of each kind of `POOLED` (2 n d,): mean and difference of both frames."""
    rows = {(row.tokens, row.frame): row.values.astype(np.float64) for row in featuriser.rows(study, heart=True)}
    made = {}
    for kind, names in POOLED.items():
        if (names[0], 0) not in rows:
            continue
        scale = np.log1p if kind == "structures" else np.asarray
        pairs = [(scale(rows[tokens, 0]), scale(rows[tokens, 1])) for tokens in names]
        made[kind] = np.concatenate([part for a, b in pairs for part in ((a + b) / 2, b - a)])
    return made


def rightness(features: NDArray[np.float64], groups: NDArray[np.str_]) -> NDArray[np.float64]:
    """How often each patient's group is told by the folds it is not in, 0 to 1 over the draws of folds."""
    right = np.zeros(len(groups))
    for draw in range(DRAWS):
        for fit, ask in StratifiedKFold(FOLDS, shuffle=True, random_state=draw).split(features, groups):
            inner = StratifiedKFold(4, shuffle=True, random_state=1)
            line = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
            penalties = {"logisticregression__C": np.logspace(-4, 0, 5)}
            model = GridSearchCV(line, penalties, cv=inner, scoring="balanced_accuracy")
            right[ask] += model.fit(features[fit], groups[fit]).predict(features[ask]) == groups[ask]
    return right / DRAWS


def untrained(loaded: LoadedModel, seed: int) -> LoadedModel:
    """The same network with its first weights."""
    torch.manual_seed(seed)
    return replace(loaded, model=build(loaded.card.architecture, loaded.card.config).eval())


def stored(dataset: Any, cases: Sequence[Any], folder: Path) -> list[StoredStudy]:
    """The short-axis stacks as stored studies of two frames in `folder`."""
    studies = []
    for case in cases:
        path = folder / f"{case.name}.cine"
        if not path.exists():
            study = dataset.read_case(case).study
            cine = study.cine(View.SAX)
            two = cine.array[..., [0, min(cine.n_frames - 1, round(0.4 * cine.n_frames))]]
            write_study(replace(study, cines=(replace(cine, array=two, frame_times_ms=None),)), path)
        studies.append(open_study(path))
    return studies


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
    dataset, cases = find_cases(given.data)
    studies = stored(dataset, cases, given.scratch)
    patients, groups = np.array([c.patient for c in cases]), np.array([str(c.facts["group"]) for c in cases])
    unseen = np.isin(patients, dataset.split()["validation"]) if dataset.card.name == "acdc" else None
    encoders = {"trained": loaded} | {f"untrained {seed}": untrained(loaded, seed) for seed in range(given.untrained)}
    right: dict[str, dict[str, NDArray[np.float64]]] = {kind: {} for kind in POOLED}
    for name, encoder in encoders.items():
        featuriser = FeatureExtractor(encoder, runtime)
        made = [vectors(study, featuriser) for study in studies]
        for kind, its in right.items():
            if kind not in made[0]:
                continue
            its[name] = rightness(np.stack([m[kind] for m in made]), groups)
            print(kind, name, round(_accuracy(groups, its[name]).value, 3), flush=True)
    content: dict[str, Any] = {
        "model": loaded.card.name,
        "weights_sha256": loaded.card.weights_sha256,
        "data": dataset.card.name,
        "patients": len(patients),
        "features": {kind: _compared(groups, its, unseen) for kind, its in right.items() if its},
    }
    print(json.dumps(json.loads(json_text(content)), indent=1))
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"frozen_features_{loaded.card.name}_{dataset.card.name}.json"
    path.write_text(json_text(content), encoding="utf-8")


def _compared(
    groups: NDArray[np.str_], right: dict[str, NDArray[np.float64]], unseen: NDArray[np.bool_] | None
) -> dict[str, Any]:
    mean = np.mean([its for name, its in right.items() if name != "trained"], axis=0)
    told: dict[str, Any] = {name: asdict(_accuracy(groups, its)) for name, its in right.items()}
    told["trained minus mean of untrained"] = asdict(_difference(groups, right["trained"], mean))
    if unseen is not None:
        its = right["trained"][unseen]
        told["trained, patients pre-training never saw"] = asdict(_accuracy(groups[unseen], its))
        told["mean of untrained, the same patients"] = asdict(_accuracy(groups[unseen], mean[unseen]))
    return told


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
