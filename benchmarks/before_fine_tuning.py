"""What a network draws that was taught by phantoms alone: Dice on people, before any label of one was seen.

    python benchmarks/before_fine_tuning.py cinema-small-sax [RUN/model ...] --data acdc:ROOT [--part validation]

For autoencoders with a decoder of structures (`cinema pretrain --recipe both`) and short-axis segmentation models:
Dice on the model's own grid, with the labelled heart in the middle, of the frames that experts labelled; mean over
patients with its 95 % BCa interval. The mean probabilities of all models are scored too, where there are several.
Stores results/before_fine_tuning.json. For research use only; not a medical device.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from cinema_cmr.core.vocabulary import CINE_LABELS, View
from cinema_cmr.data.sample import IGNORE_INDEX, collate
from cinema_cmr.datasets.reading import LabelledSource, open_training_data
from cinema_cmr.models.mae import CineMA
from cinema_cmr.models.weights import load_model
from cinema_cmr.score.overlap import dice_by_class
from cinema_cmr.score.statistics import mean_interval
from cinema_cmr.tasks.lessons import LessonConfig, Lessons

RESULTS = Path(__file__).parent / "results" / "before_fine_tuning.json"
MEAN = "mean of all"
SAX = str(View.SAX)

Images = dict[str, torch.Tensor]


def main() -> None:
    """Score, print, store."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", metavar="MODEL")
    parser.add_argument("--data", required=True)
    parser.add_argument("--part", choices=("train", "validation"), default="validation")
    given = parser.parse_args()
    models = [load_model(name) for name in given.models]
    loaded = {f"{one.card.name} {one.card.weights_sha256[:12]}": one for one in models}
    grid = next(iter(loaded.values())).card.grids[View.SAX]
    data = open_training_data(LabelledSource(data=given.data))
    studies = data.train if given.part == "train" else data.val
    lessons = Lessons(LessonConfig(), grid)
    scores: dict[str, dict[str, list[list[float]]]] = defaultdict(lambda: defaultdict(list))
    for study in studies:
        for example in lessons.examples(study):
            batch = collate([lessons.sample(example, None)])
            found = {name: probabilities(one.model.eval(), batch.images) for name, one in loaded.items()}
            if len(found) > 1:
                found[MEAN] = torch.stack(list(found.values())).mean(dim=0)
            truth = batch.labels[SAX][0].numpy()
            for name, one in found.items():
                scores[name][study.patient].append(dice(one, truth))
    content = {"data": given.data.partition(":")[0], "part": given.part, "patients": len(studies)}
    content["dice"] = {name: summary(by_patient) for name, by_patient in scores.items()}
    RESULTS.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(content, indent=1))


@torch.no_grad()
def probabilities(model: torch.nn.Module, images: Images) -> torch.Tensor:
    """Return (1, class, x, y, z) of one frame."""
    logits = model.segment(images) if isinstance(model, CineMA) else model(images)
    return torch.as_tensor(logits[SAX]).float().softmax(dim=1)


def dice(found: torch.Tensor, truth: np.ndarray) -> list[float]:
    """Return the Dice of each structure of one frame."""
    codes = found[0].argmax(dim=0).numpy().astype(np.uint8)
    known = np.where(truth == IGNORE_INDEX, 0, truth).astype(np.uint8)
    by_name = dice_by_class(codes, known, scheme="cine")
    return [by_name[label.name] for label in CINE_LABELS]


def summary(by_patient: dict[str, list[list[float]]]) -> dict[str, object]:
    """Return the mean Dice over frames and structures with its interval over patients, and that of each structure."""
    rows = np.array([np.nanmean(frames, axis=0) for frames in by_patient.values()])
    names = [label.name for label in CINE_LABELS]
    return {
        "mean": asdict(mean_interval(np.nanmean(rows, axis=1), seed=0)),
        **{name: round(float(value), 4) for name, value in zip(names, np.nanmean(rows, axis=0), strict=True)},
    }


if __name__ == "__main__":
    main()
