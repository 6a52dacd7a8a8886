"""How near a scar model comes to EMIDEC's experts, from the files alone, nothing cropped by a label.

`python benchmarks/scar.py --data EMIDEC --model FOLDER [--compare FOLDER ...] [--pictures FOLDER]` scores the 16
validation patients of our fixed split on their native grid, the heart found by the model itself: Dice of each class,
share of the myocardium beside the expert's, and how well infarct and normal are told apart by the segmented lesion. The
threshold for that is chosen on the 64 training patients. With `--compare`, other models (from scratch, U-Net, fewer
patients) stand in the same table, each with a paired test against the first. `--pictures` writes the best, median and
worst patient by infarct Dice. Stores benchmarks/results/scar_NAME.json and prints the table of docs/scar.md in
Markdown. For research use only; not a medical device.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from cinema_cmr.core.serialise import json_text, json_values
from cinema_cmr.core.vocabulary import SCAR_LABELS, View
from cinema_cmr.data.cases import AnnotatedStudy
from cinema_cmr.datasets.readers import emidec
from cinema_cmr.evaluation.evaluate import evaluate
from cinema_cmr.inference.loading import load_segmenter
from cinema_cmr.inference.predictor import predict_cine
from cinema_cmr.inference.segmenter import Segmenter
from cinema_cmr.score.detection import choose_cutoff, detection_scores
from cinema_cmr.score.statistics import paired_wilcoxon
from cinema_cmr.tasks.evaluator import PredictionOptions
from cinema_cmr.tasks.result import Result

RESULTS = Path(__file__).parent / "results"
ROWS = (
    ("dice_lv_cavity", "LV cavity"),
    ("dice_myocardium", "whole myocardium"),
    ("dice_myo_normal", "normal myocardium"),
    ("where_present_dice_infarct", "infarct, patients who have one"),
    ("dice_infarct", "infarct, one invented counts 0"),
    ("where_present_dice_no_reflow", "no-reflow, patients who have it"),
    ("dice_no_reflow", "no-reflow, one invented counts 0"),
)
SHARES = (("infarct_percent", "infarct"), ("no_reflow_percent", "no-reflow"))


def studies_of(root: Path, part: str) -> list[AnnotatedStudy]:
    wanted = emidec.packaged_split()[part]
    return [emidec.read_case(case) for case in emidec.list_cases(root) if case.patient in wanted]


def scored(root: Path, model: str, *, tta: int | None) -> tuple[Segmenter, list[Result], dict[str, Any]]:
    """The validation patients' scores, and all results of a model."""
    segmenter, options = load_segmenter(model, tta=tta), PredictionOptions(tta=tta)
    record = evaluate(segmenter.loaded, studies_of(root, "validation"), segmenter.runtime, options=options).evaluation
    scores = list(record.results)
    result = {
        "model": segmenter.card.name,
        "hash": segmenter.card.weights_sha256,
        "split_sha256": emidec.packaged_split().sha256,
        "n_training_studies": segmenter.card.training.get("n_studies"),
        "start": segmenter.card.training.get("start"),
        **vars(record.summary),
        "detection": detected(studies_of(root, "train"), scores, segmenter),
        "patients": [
            {"patient": s.patient, **s.frames[0], "measured": s.measured, "reference": s.reference} for s in scores
        ],
    }
    return segmenter, scores, result


def detected(train: Sequence[AnnotatedStudy], scores: Sequence[Result], segmenter: Segmenter) -> dict[str, Any]:
    """Infarct or normal by the segmented share of the myocardium; the threshold from training patients alone."""
    options = PredictionOptions(tta=segmenter.tta)
    learned = evaluate(segmenter.loaded, train, segmenter.runtime, options=options).evaluation.results
    known = [([_has_infarct(s) for s in part], [_share(s) for s in part]) for part in (learned, scores)]
    threshold = choose_cutoff(*known[0])
    of_train, of_validation = (asdict(detection_scores(*its, threshold=threshold)) for its in known)
    return {"threshold_percent": threshold, "train": of_train, "validation": of_validation}


def _has_infarct(score: Result) -> bool:
    return bool(score.facts["group"] == "infarct")


def _share(score: Result) -> float:
    """Percent of the myocardium; a heart that was not found shows no infarct."""
    return score.measured["infarct_percent"] or 0.0


def table(results: Sequence[dict[str, Any]], scores: Sequence[Sequence[Result]]) -> str:
    """Markdown: a row a structure, a column a model; p against the first model."""
    head = (
        "| | " + " | ".join(f"{r['model']}, {r['n_training_studies']} patients, {r['start']}" for r in results) + " |"
    )
    lines = [head, "|---" * (len(results) + 1) + "|"]
    for name, title in ROWS:
        cells = [_interval(r["scores"][name], 3) + _p(name, scores, n) for n, r in enumerate(results)]
        lines.append(f"| Dice {title} | " + " | ".join(cells) + " |")
    for name, title in SHARES:
        cells = [
            _interval(r["measurements"][name]["mean_absolute_error"], 1) if name in r["measurements"] else "-"
            for r in results
        ]
        lines.append(f"| {title}, share of the myocardium, absolute error in points | " + " | ".join(cells) + " |")
    for rate in ("sensitivity", "specificity"):
        cells = [_interval(r["detection"]["validation"][rate], 2) for r in results]
        lines.append(f"| infarct or normal, {rate} | " + " | ".join(cells) + " |")
    cells = [f"{r['detection']['threshold_percent']:.1f} %" for r in results]
    return "\n".join([*lines, "| threshold from training patients | " + " | ".join(cells) + " |"])


def _interval(row: dict[str, Any], digits: int) -> str:
    if row["value"] is None or not np.isfinite(row["value"]):
        return "-"
    low, high = (f"{row[end]:.{digits}f}" for end in ("low", "high"))
    return f"{row['value']:.{digits}f} ({low} to {high}, n {row['n']})"


def _p(name: str, scores: Sequence[Sequence[Result]], index: int) -> str:
    if index == 0:
        return ""
    first, other = ([s.value(name) for s in its] for its in (scores[0], scores[index]))
    both = [(a, b) for a, b in zip(first, other, strict=True) if np.isfinite(a) and np.isfinite(b)]
    if len(both) < 6:
        return ""
    return f", p {paired_wilcoxon(*zip(*both, strict=True)).p_value:.2f}"


def pictures(root: Path, segmenter: Segmenter, scores: Sequence[Result], folder: Path) -> None:
    """The best, median and worst patient by infarct Dice: expert above, model below, every slice."""
    name = "where_present_dice_infarct"
    ranked = sorted((s for s in scores if np.isfinite(s.value(name))), key=lambda s: s.value(name))
    chosen = {"best": ranked[-1], "median": ranked[len(ranked) // 2], "worst": ranked[0]}
    studies = {study.patient: study for study in studies_of(root, "validation")}
    folder.mkdir(parents=True, exist_ok=True)
    for title, score in chosen.items():
        study = studies[score.patient]
        cine = study.study.cine(View.SAX)
        maps = [study.labels[View.SAX].array[..., 0], predict_cine(cine, segmenter).labels.array[..., 0]]
        box = _box(maps)
        sheet = np.concatenate([_row(cine.array[..., 0][box], its[box]) for its in maps])
        Image.fromarray(sheet).save(folder / f"scar_{title}.jpg", quality=88)
        print(f"{title}: {score.patient}, infarct Dice {score.value(name):.3f}")


def _box(maps: Sequence[np.ndarray]) -> tuple[slice, slice]:  # type: ignore[type-arg]
    spots = np.argwhere(np.any([its > 0 for its in maps], axis=(0, 3)))
    low, high = np.maximum(spots.min(axis=0) - 12, 0), spots.max(axis=0) + 13
    return slice(int(low[0]), int(high[0])), slice(int(low[1]), int(high[1]))


def _row(image: np.ndarray, labels: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
    """Slices side by side, labels half over them."""
    low, high = np.percentile(image, (1, 99.5))
    grey = np.clip((image - low) / max(high - low, 1e-6), 0, 1)[..., None].repeat(3, axis=-1)
    for label in SCAR_LABELS:
        colour = np.array([int(label.colour[k : k + 2], 16) / 255 for k in (1, 3, 5)])
        grey[labels == label.code] = 0.6 * grey[labels == label.code] + 0.4 * colour
    planes = (255 * grey).astype(np.uint8).transpose(2, 1, 0, 3)
    return np.concatenate(list(planes.repeat(2, axis=1).repeat(2, axis=2)), axis=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the unpacked EMIDEC training set")
    parser.add_argument("--model", required=True, help="an embedded model's name, or a model's folder")
    parser.add_argument("--compare", nargs="*", default=[], help="other models for the same table")
    parser.add_argument("--tta", type=int)
    parser.add_argument("--pictures", type=Path, help="folder for the best, median and worst patient")
    given = parser.parse_args()
    every = [scored(given.data, model, tta=given.tta) for model in (given.model, *given.compare)]
    RESULTS.mkdir(exist_ok=True)
    for segmenter, _, result in every:
        path = RESULTS / f"scar_{segmenter.card.name}_{(segmenter.card.weights_sha256 or '')[:8]}.json"
        path.write_text(json_text(json_values(result)))
        print(json.dumps({"stored": path.name}))
    print(table([json_values(result) for _, _, result in every], [scores for _, scores, _ in every]))
    if given.pictures:
        pictures(given.data, every[0][0], every[0][1], given.pictures)


if __name__ == "__main__":
    main()
