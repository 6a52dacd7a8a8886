"""What other scanners, operators and files cost a model: overlap, EF and flags of changed stacks.

`nice python benchmarks/robustness.py --data acdc:ROOT [--part validation] [--share 1/2]` measures the patients of a
part of our fixed split, ED and ES on the native grid as one cine, the heart found by the model; about 8 s a case on one
core. Each case is a line of benchmarks/results/robustness_cases.jsonl as soon as it is known, and a case that is
there is not measured again: stop and start at will, or run shares of the work side by side. `--part phantom` (no data)
takes phantoms in every scanner style, against their exact labels; `--part train` gives each training patient one of the
changes in turn. `--table` measures nothing: it prints the table of docs/study.md and stores
benchmarks/results/robustness.json. For research use only; not a medical device.
"""

from __future__ import annotations

import argparse
import json
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from cinema_cmr.bench.changed_case import ChangedCase
from cinema_cmr.bench.perturb import PERTURBATIONS
from cinema_cmr.bench.robustness import outcome
from cinema_cmr.bench.robustness_table import markdown, summary
from cinema_cmr.core.annotation import LabelMap
from cinema_cmr.core.serialise import from_result, json_text, json_values
from cinema_cmr.core.vocabulary import View
from cinema_cmr.data.cases import AnnotatedStudy, Case
from cinema_cmr.datasets.registry import DATASETS
from cinema_cmr.inference.loading import load_segmenter
from cinema_cmr.phantom.phantom import make_phantom
from cinema_cmr.phantom.styles import STYLES

RESULTS = Path(__file__).parent / "results"
CASES = RESULTS / "robustness_cases.jsonl"
PHANTOMS = (9101, 9102)
"""Seeds of subjects."""

Job = tuple[str, str, Callable[[], AnnotatedStudy]]
"""Patient, change, and how the study is read."""


def validation_jobs(cases: list[Case]) -> Iterator[Job]:
    """Every change of every second patient, then of the others, so that a run cut short is still balanced."""
    for half in (cases[::2], cases[1::2]):
        for change in PERTURBATIONS:
            for case in half:
                yield case.patient, change, partial(DATASETS["acdc"].read_case, case)


def train_jobs(cases: list[Case]) -> Iterator[Job]:
    """One change a patient, in turn."""
    changes = list(PERTURBATIONS)
    for index, case in enumerate(cases):
        yield case.patient, changes[index % len(changes)], partial(DATASETS["acdc"].read_case, case)


def phantom_jobs() -> Iterator[Job]:
    for style in STYLES:
        for seed in PHANTOMS:
            yield f"phantom-{seed}", f"style {style}", partial(phantom, seed, style)


def phantom(seed: int, style: str) -> AnnotatedStudy:
    """A subject at the R wave and a third of the cycle later; both frames labelled."""
    made = make_phantom(seed, style=style, views=(View.SAX,), n_frames=3)
    labels = {View.SAX: LabelMap(array=made.labels[View.SAX].array)}
    return AnnotatedStudy(
        study=made.study, patient=f"phantom-{seed}", labels=labels, labelled_frames={View.SAX: (0, 1)}
    )


def jobs_of(part: str, data: str | None) -> list[Job]:
    if part == "phantom":
        return list(phantom_jobs())
    if data is None:
        raise SystemExit("patients need --data acdc:ROOT")
    root = Path(data.removeprefix("acdc:"))
    split = DATASETS["acdc"].split
    assert split is not None
    wanted = split()[part]
    cases = [case for case in DATASETS["acdc"].list_cases(root) if case.patient in wanted]
    return list(train_jobs(cases) if part == "train" else validation_jobs(cases))


def measure(jobs: list[Job], part: str, model: str) -> None:
    """Every job that has no line yet; lines are appended."""
    segmenter = load_segmenter(model)
    asked = (segmenter.card.weights_sha256, segmenter.inference_settings)
    known = {(line.patient, line.change) for line in lines() if (line.model, line.inference_settings) == asked}
    for patient, change, read in jobs:
        if (patient, change) in known:
            continue
        start = time.perf_counter()
        applied = change if change in PERTURBATIONS else "none"
        seed = zlib.crc32(f"{patient} {change}".encode())
        found = outcome(read(), segmenter, change=applied, seed=seed)
        seconds = round(time.perf_counter() - start, 1)
        found = replace(found, change=change, part=part, seconds=seconds, model=asked[0], inference_settings=asked[1])
        with CASES.open("a", encoding="utf-8") as file:
            file.write(json.dumps(json_values(found)) + "\n")
        print(patient, change, found.dice, found.flags, f"{seconds} s", flush=True)


def lines() -> list[ChangedCase]:
    """All cases measured so far."""
    texts = CASES.read_text(encoding="utf-8").splitlines() if CASES.exists() else []
    return [from_result(ChangedCase, json.loads(text), "case") for text in texts]


def main() -> None:
    """Measure, or make the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="acdc:ROOT")
    parser.add_argument("--part", choices=("validation", "train", "phantom"), default="validation")
    parser.add_argument("--model", default="cinema-sax")
    parser.add_argument("--share", default="1/1", help="which part of the work, e.g. 2/3 of three processes")
    parser.add_argument("--table", action="store_true", help="the table of what is measured; nothing is measured")
    given = parser.parse_args()
    RESULTS.mkdir(exist_ok=True)
    if not given.table:
        which, of = (int(number) for number in given.share.split("/"))
        measure(jobs_of(given.part, given.data)[which - 1 :: of], given.part, given.model)
        return
    content = summary(lines())
    (RESULTS / "robustness.json").write_text(json_text(content), encoding="utf-8")
    print(markdown(content))


if __name__ == "__main__":
    main()
