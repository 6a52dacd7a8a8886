"""The loop of the viewer, end to end: correct ten studies with the truth, fine-tune from them, and score ten others.

`python benchmarks/correction_loop.py [--studies 10] [--steps 200] [--first-steps 200] [--work FOLDER]` trains a coarse
model on phantoms of one scanner style, analyses phantoms of another style with it, corrects ED and ES of ten of them as
the viewer does (`StudyStore.change`, with the true labels), exports them as "Labelled cases" does, and fine-tunes on
these. With `--model cinema-sax --steps 60` the loop begins with a model that is there, at a low rate. Scored are ten
other phantoms of that style, by the model before and after; benchmarks/results/correction_loop.json has the Dice of
every structure of each first model. For research use only; figures of phantoms are no figures of patients.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cinema_cmr.core.vocabulary import View
from cinema_cmr.inference.loading import load_segmenter
from cinema_cmr.inference.predictor import predict_study
from cinema_cmr.io.nifti.image import write_image, write_mask
from cinema_cmr.phantom.phantom import PhantomStudy, make_phantom
from cinema_cmr.pipeline.analysis_options import Options
from cinema_cmr.pipeline.analyzer import Analyzer
from cinema_cmr.report.record.label_runs import to_runs
from cinema_cmr.report.write import write_results
from cinema_cmr.score.overlap import dice_by_class
from cinema_cmr.serve.collection.exports import labelled_cases
from cinema_cmr.serve.library import Library, study_key
from cinema_cmr.serve.messages import Changes
from cinema_cmr.serve.opened_study import OpenedStudy
from cinema_cmr.serve.study_store import StudyStore

RESULTS = Path(__file__).parent / "results" / "correction_loop.json"
OLD_STYLE, NEW_STYLE = "ideal", "noisy"
N_FRAMES = 4


def phantoms(style: str, seeds: Sequence[int]) -> list[PhantomStudy]:
    """Return short-axis phantoms of a style."""
    return [make_phantom(seed, style=style, views=(View.SAX,), n_frames=N_FRAMES) for seed in seeds]


def write_cases(made: Sequence[PhantomStudy], folder: Path) -> Path:
    """Write phantoms with their true labels as cases for training."""
    for number, one in enumerate(made):
        case = folder / f"case{number:02}"
        case.mkdir(parents=True)
        write_image(one.study[View.SAX], case / "sax.nii.gz")
        write_mask(one.labels[View.SAX], one.study[View.SAX], case / "sax_seg.nii.gz")
    return folder


def finetune(data: Path, run: Path, steps: int, *options: str) -> str:
    """Train by the command of the user's; return the folder of the model."""
    command = ["finetune", "--data", str(data), "-o", str(run), "--steps", str(steps), *options]
    subprocess.run([sys.executable, "-c", "from cinema_cmr.cli import main; main()", *command], check=True)
    return str(run / "model")


def analyse(made: Sequence[PhantomStudy], model: str, folder: Path) -> list[Path]:
    """Analyse phantoms, with the images among the results, as the server does."""
    analyzer = Analyzer(Options.of(model=model, landmarks="none", disease="none"))
    for number, one in enumerate(made):
        write_results(analyzer.analyse(one.study, name=f"study{number:02}"), folder / f"study{number:02}", images=True)
    return sorted(folder.iterdir())


def correct(made: Sequence[PhantomStudy], results: Sequence[Path]) -> StudyStore:
    """Give every slice of the true ED and ES its true labels, as a reader of the viewer who sees the truth."""
    store = StudyStore(Library(results))
    for one, folder in zip(made, results, strict=True):
        truth = one.labels[View.SAX].array

        def act(study: OpenedStudy, truth: np.ndarray = truth) -> None:
            shown = study.view("sax").as_shown(truth)
            volumes = (truth == 3).sum(axis=(0, 1, 2))
            slices = [
                {"view": "sax", "frame": int(frame), "slice": index, "runs": to_runs(shown[:, :, index, frame])}
                for frame in {volumes.argmax(), volumes.argmin()}
                for index in range(truth.shape[2])
            ]
            store.change(study, Changes.model_validate({"slices": slices, "what": "the truth"}))

        store.use(study_key(folder), act)
    return store


def dice(made: Sequence[PhantomStudy], model: str) -> dict[str, float]:
    """Return the mean Dice of each structure over phantoms."""
    segmenter = load_segmenter(model)
    scores = [
        dice_by_class(predict_study(one.study, segmenter)[View.SAX].labels.array, one.labels[View.SAX].array)
        for one in made
    ]
    return {name: round(float(np.nanmean([score[name] for score in scores])), 4) for name in scores[0]}


def main() -> None:
    """Run the loop and store the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=10)
    parser.add_argument("--steps", type=int, default=200, help="updates of the fine-tuning")
    parser.add_argument("--first-steps", type=int, default=200, help="updates of the first model")
    parser.add_argument("--model", help="model to begin with, in place of one trained here")
    parser.add_argument("--work", type=Path, help="folder to work in (default: a temporary one)")
    given = parser.parse_args()
    started, n = time.monotonic(), given.studies
    work = given.work or Path(tempfile.mkdtemp())
    first, again = given.model, ["--lr", "1e-4"]
    if first is None:
        old, again = write_cases(phantoms(OLD_STYLE, range(n)), work / "old"), ["--preset", "coarse"]
        first = finetune(old, work / "first", given.first_steps, *again)
    learnt, others = phantoms(NEW_STYLE, range(100, 100 + n)), phantoms(NEW_STYLE, range(200, 200 + n))
    store = correct(learnt, analyse(learnt, first, work / "results"))
    exported = labelled_cases(store.library.listed(), work / "exports")
    second = finetune(work / "exports" / exported.folder, work / "second", given.steps, *again, "--from", first)
    found = {"before": dice(others, first), "after": dice(others, second)}
    record = {
        **{"studies": n, "frames": exported.frames, "steps": given.steps, "new_style": NEW_STYLE, "dice": found},
        **({} if given.model else {"first_steps": given.first_steps, "old_style": OLD_STYLE}),
        "seconds": round(time.monotonic() - started),
    }
    records = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    records[given.model or "trained on the old style"] = record
    RESULTS.write_text(json.dumps(records, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(record, indent=1))
    if given.work is None:
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
