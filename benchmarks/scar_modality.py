"""The rule that tells a still cine frame from late enhancement: fitted anew, and how often it errs.

`python benchmarks/scar_modality.py --data FOLDER` where FOLDER holds `acdc/` and `emidec/`. Linear discriminant
analysis with a shrinkage of 0.3 on `inference.modality.intensity_features` of the reference masks of the training
patients (both ACDC frames); errors are counted on the validation patients. Prints the weights that stand in
`inference/modality.py`. In use there is no expert: so each embedded model draws on the other's validation images too,
and who is flagged then is counted. For research use only; not a medical device.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from cinema_cmr.core.vocabulary import View
from cinema_cmr.datasets.registry import DATASETS
from cinema_cmr.inference.loading import load_segmenter
from cinema_cmr.inference.modality import intensity_features, late_enhancement_score
from cinema_cmr.inference.predictor import predict_cine

RESULTS = Path(__file__).parent / "results" / "scar_modality.json"


def features(root: Path, name: str) -> dict[str, np.ndarray[Any, Any]]:
    """Part of the split -> (n, 9), a row a labelled frame."""
    dataset = DATASETS[name]
    assert dataset.split is not None
    split = dataset.split()
    rows: dict[str, list[Any]] = {"train": [], "validation": []}
    for case in dataset.list_cases(root / name):
        annotated = dataset.read_case(case)
        labels, image = annotated.labels[View.SAX], annotated.study.cine(View.SAX).array
        part = "train" if case.patient in split["train"] else "validation"
        rows[part] += [
            intensity_features(image[..., t], labels.array[..., t], labels.scheme)
            for t in annotated.labelled_frames[View.SAX]
        ]
    return {part: np.array(its) for part, its in rows.items()}


def flagged(root: Path, name: str, model: str) -> dict[str, int]:
    """Validation frames of a dataset given, as stills, to the model of the other kind: how many it draws enough
    on to be judged, and how many are flagged."""
    dataset, segmenter = DATASETS[name], load_segmenter(model)
    assert dataset.split is not None
    patients, found = dataset.split()["validation"], {"images": 0, "drawn enough": 0, "flagged": 0}
    for case in dataset.list_cases(root / name):
        if case.patient in patients:
            annotated = dataset.read_case(case)
            cine = annotated.study.cine(View.SAX)
            for frame in annotated.labelled_frames[View.SAX]:
                still = replace(cine, array=cine.array[..., [frame]], frame_times_ms=None)
                labels = predict_cine(still, segmenter).labels
                row = intensity_features(still.array[..., 0], labels.array[..., 0], labels.scheme)
                found["images"] += 1
                found["drawn enough"] += row is not None
                wrong = row is not None and (late_enhancement_score(row) > 0) == (name == "emidec")
                found["flagged"] += wrong
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    root = parser.parse_args().data
    late, cine = features(root, "emidec"), features(root, "acdc")
    x = np.concatenate([late["train"], cine["train"]])
    y = np.repeat([1, 0], [len(late["train"]), len(cine["train"])])
    scale = x.std(axis=0)
    rule = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.3, priors=[0.5, 0.5]).fit(x / scale, y)
    scores = {
        f"{name} {part}": [late_enhancement_score(row) for row in its[part]]
        for name, its in (("late enhancement", late), ("cine", cine))
        for part in ("train", "validation")
    }
    result = {
        "weights": np.round(rule.coef_[0] / scale, 2).tolist(),
        "offset": round(float(rule.intercept_[0]), 2),
        "errors of the rule in the package": {
            name: [int(sum((s > 0) != name.startswith("late") for s in its)), len(its)] for name, its in scores.items()
        },
        "late enhancement given to cinema-sax": flagged(root, "emidec", "cinema-sax"),
        "cine frames given to cinema-scar": flagged(root, "acdc", "cinema-scar"),
        "nearest to 0": {name: round(min(its, key=abs), 2) for name, its in scores.items()},
    }
    RESULTS.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
