"""How many frames of each study pre-training has shown after so many epochs, beside what even draws would show.

`python benchmarks/pretrain_coverage.py [--studies 40] [--epochs 1 5 10 25 50 100]`. Studies of 50 frames are stored
and drawn from by the sampler, the loader and the task of `cinema pretrain`, with 0, 1 and 4 workers, by one rank and
by two; what was shown is read off the samples (the place in the cycle that each one tells). Even draws give
50 (1 - (1 - 1/50)^E) distinct frames after E epochs. Also counted: epochs that show a study twice or not at all
(none may be). Prints a table and stores benchmarks/results/pretrain_coverage.json. For research use only; not a
medical device.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from torch import nn

from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine
from cinema_cmr.data.loader import EpochSampler, SampleSet, make_loader
from cinema_cmr.data.store import StoredStudy, write_study
from cinema_cmr.recipes.pretraining import tiny
from cinema_cmr.tasks.pretrain import PretrainTask

RESULTS = Path(__file__).parent / "results" / "pretrain_coverage.json"
FRAMES = 50
SETTINGS = ((0, 1), (1, 1), (4, 1), (0, 2))
"""(workers, ranks)."""

Shown = tuple[str, int]


def stored(folder: Path, number: int) -> StoredStudy:
    """A small stack of 50 frames, whose content does not matter here."""
    rng = np.random.default_rng(number)
    cine = Cine(
        array=rng.random((24, 24, 3, FRAMES), dtype=np.float32),
        affine=np.diag([8.0, 8.0, 10.0, 1.0]),
        view=View.SAX,
        slice_positions_mm=10.0 * np.arange(3),
    )
    return write_study(Study(name=f"study-{number:03d}", cines=(cine,)), folder / f"{number:03d}.cine")


def shown(studies: Sequence[StoredStudy], epochs: int, *, workers: int, ranks: int) -> list[Shown]:
    """(study, frame) of every sample of so many epochs, in order; ranks take turns."""
    samples = SampleSet(studies, PretrainTask(tiny().task, nn.Identity()).sample, seed=0)
    found: list[list[Shown]] = []
    for rank in range(ranks):
        sampler = EpochSampler(len(studies), seed=0, rank=rank, world_size=ranks)
        loader = iter(make_loader(samples, sampler, batch_size=1, workers=workers))
        count = epochs * len(studies) // ranks
        found.append([told(next(loader).names[0]) for _ in range(count)])
    return [one for together in zip(*found, strict=True) for one in together]


def told(name: str) -> Shown:
    """The study and the frame that a sample's name tells."""
    study, _, phase = name.partition(", phase ")
    return study, min(int(float(phase) * FRAMES), FRAMES - 1)


def main() -> None:
    """Draw, count, print, store."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=40)
    parser.add_argument("--epochs", type=int, nargs="+", default=[1, 5, 10, 25, 50, 100])
    given = parser.parse_args()
    last = max(given.epochs)
    with tempfile.TemporaryDirectory(prefix="cinema-") as home:
        studies = [stored(Path(home), number) for number in range(given.studies)]
        orders = {f"{w} workers, {r} ranks": shown(studies, last, workers=w, ranks=r) for w, r in SETTINGS}
    first = next(iter(orders.values()))
    epochs = [first[i : i + given.studies] for i in range(0, len(first), given.studies)]
    rows = []
    for epoch in sorted(given.epochs):
        frames = [len({f for name, f in first[: epoch * given.studies] if name == study.name}) for study in studies]
        rows.append(
            {
                "epochs": epoch,
                "distinct_frames_mean": float(np.mean(frames)),
                "distinct_frames_sd": float(np.std(frames)),
                "of_even_draws": FRAMES * (1 - (1 - 1 / FRAMES) ** epoch),
            }
        )
    content = {
        "studies": given.studies,
        "frames": FRAMES,
        "same_samples_in_the_same_order": {name: order == first for name, order in orders.items()},
        "epochs_that_show_a_study_twice_or_not": sum(
            set(Counter(name for name, _ in epoch).values()) != {1} or len({n for n, _ in epoch}) != given.studies
            for epoch in epochs
        ),
        "rows": rows,
    }
    print("| epochs | distinct frames of 50, mean (SD) over studies | even draws |\n|---|---|---|")
    for row in rows:
        mean, sd = row["distinct_frames_mean"], row["distinct_frames_sd"]
        print(f"| {row['epochs']} | {mean:.1f} ({sd:.1f}) | {row['of_even_draws']:.1f} |")
    print(json.dumps({name: value for name, value in content.items() if name != "rows"}))
    RESULTS.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
