"""What `cinema bench` and `cinema sweep` share: data read once, and runs that are kept where they are finished."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser, Namespace

from cinema_cmr.commands.console import Console
from cinema_cmr.commands.training_data import read_training_data
from cinema_cmr.core.errors import CinemaError, InputError, UsageError

__all__ = [
    "RUNS",
    "Bench",
    "Job",
    "Lot",
    "add_trial_options",
    "data_parts",
    "make_bench",
    "models_that_start",
    "names_of",
    "run_or_keep",
    "told_of",
    "write_texts",
]

RUNS = "runs"
"""The folder of the runs, in that of the tables."""


FORMS = {
    "coarse": "Coarse form: grids twice as coarse, narrower networks, for a CPU. Compare its results with each other;"
    " those of the whole recipes are better.",
    "smoke": "Smoke form: grids twice as coarse, narrow networks, few steps. It shows that everything runs, and is no"
    " result of the models.",
    "base": "Base form: the published size and grids of 1 mm, for a GPU.",
}
"""Form that is not the recipes' own -> what every table says of it."""


@dataclass(frozen=True, kw_only=True)
class Lot:
    """One dataset of a call: its name among the others, and its studies in both parts."""

    name: str
    title: str
    data: Any
    """`recipes.finetune.TrainingData`, each part as it was read."""

    def of(self, learn: Sequence[Any], held: Sequence[Any]) -> Any:
        """The same data with fewer studies."""
        return replace(self.data, train=learn, val=held)


@dataclass(frozen=True, kw_only=True)
class Bench:
    """What holds for every run of a call."""

    root: Path
    device: str
    precision: str
    workers: int
    steps: int | None
    """Updates of every run; None leaves each recipe its own."""
    form: str = "whole"
    """"whole", or one of `FORMS`."""
    start: Any = None
    """The pre-training that the model `cinema` starts from, or None."""
    overwrite: bool = False


@dataclass(frozen=True, kw_only=True)
class Job:
    """One run: a task of `bench.tasks`, a model of it, and the data that fits."""

    task: Any
    model: str
    lot: Lot
    bench: Bench
    seed: int
    whole: Lot | None = None
    """All of the data, where `lot` is a share of it: it names the classes, which a share may lack."""

    @property
    def start(self) -> Any:
        """The pre-training that this run starts from, or None."""
        return self.bench.start if self.model == "cinema" else None


def add_trial_options(parser: ArgumentParser, *, smoke: str) -> None:
    """Where data and weights come from, how long runs go, and where results go."""
    parser.add_argument(
        "--data",
        action="append",
        help="NAME:FOLDER of a dataset (see `cinema datasets`), or a folder of images with masks; may be given again",
    )
    parser.add_argument("--split", help="a split file (JSON) for the one dataset, instead of its own or one drawn anew")
    parser.add_argument("--part", default="validation", help="the held-out part that is asked: validation or test")
    parser.add_argument("--models", help="names separated by commas; all that fit a task where absent")
    parser.add_argument("--from", dest="start", help="pre-training that the model `cinema` starts from")
    parser.add_argument("--steps", type=int, help="updates of every run; each recipe's own number where absent")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    parser.add_argument("--precision", default="auto", help="auto, fp32 or bf16")
    parser.add_argument("--workers", type=int, default=0, help="processes that prepare samples")
    parser.add_argument("--coarse", action="store_true", help="narrower networks on half the resolution, for a CPU")
    parser.add_argument("--smoke", action="store_true", help=smoke)
    parser.add_argument(
        "--base",
        action="store_true",
        help="the published size, for a GPU; --from then hf:mathpluscode/CineMA/pretrained or a run of --recipe base",
    )
    parser.add_argument("-o", "--output", required=True, help="folder of the runs and tables; finished runs are kept")
    parser.add_argument("--overwrite", action="store_true", help="run again what is there with other settings")
    parser.add_argument("--json", action="store_true", help="the document on stdout as one JSON line")


def _form(given: Namespace) -> str:
    forms = [name for name in FORMS if given[name]]
    if len(forms) > 1:
        raise UsageError(f"--{' and --'.join(forms)} given; expected one of them: each is a form of its own")
    return forms[0] if forms else "whole"


def make_bench(given: Namespace, *, start: Any = None) -> Bench:
    """What the options say; `start` is a pre-training that the call made itself."""
    if given.steps is not None and given.steps < 1:
        raise UsageError(f"{given.steps} steps; expected at least 1")
    if given.start is not None:
        from cinema_cmr.models.weights import load_model

        start = load_model(given.start)
    return Bench(
        root=Path(given.output),
        device=given.device,
        precision=given.precision,
        workers=given.workers,
        steps=given.steps,
        form=_form(given),
        start=start,
        overwrite=given.overwrite,
    )


def data_parts(given: Namespace, console: Console, places: Sequence[str]) -> list[tuple[str, Lot | None, str]]:
    """Of each `--data`: its name, and its studies, or why they cannot be read (told; the others go on)."""
    if given.split is not None and len(places) > 1:
        raise UsageError(f"one --split for {len(places)} datasets; give it with one --data")
    found: list[tuple[str, Lot | None, str]] = []
    for place in places:
        name = _name_of(place, [its for its, _, _ in found])
        one = Namespace(
            data=place, split=given.split, output=str(Path(given.output) / "splits" / name), n_train=None, seed=0
        )
        try:
            data = read_training_data(one, console, drawn_only=False, held_out=given.part)
        except InputError as error:
            console.note(f"left out: {name}: {error}")
            found.append((name, None, str(error)))
            continue
        found.append((name, Lot(name=name, title=data.card.title, data=data), ""))
    return found


def names_of(text: str | None) -> list[str] | None:
    """Names of a list with commas; None where it is absent."""
    return None if text is None else [name.strip() for name in text.split(",") if name.strip()]


def models_that_start(bench: Bench, models: Sequence[str]) -> dict[str, str]:
    """Models among these that cannot run, and why."""
    if bench.start is None and "cinema" in models:
        return {"cinema": "no pre-training was given; give --from"}
    return {}


def run_or_keep(job: Job, folder: Path, console: Console) -> Mapping[str, Any]:
    """The document of the run in `folder`, which is made now where there is none."""
    from cinema_cmr.bench.suite import finished, write_result
    from cinema_cmr.core.serialise import json_text, json_values

    experiment = _experiment(job)
    identity = json_values(_identity(job, experiment))
    if job.bench.overwrite and not _is_same(folder, identity):
        shutil.rmtree(folder, ignore_errors=True)
    kept = finished(folder, identity)
    if kept is not None:
        console.note("  finished before, kept")
        return kept
    if experiment is None:
        document = _measured(job) if job.task.kind == "measurements" else _shipped(job)
    else:
        from cinema_cmr.recipes.trial import trial

        document = trial(experiment, job.lot.data, folder, start=job.start, report=_teller(console))
    told: dict[str, Any] = json_values({**document, "identity": identity})
    write_result(folder, identity, json_text(told))
    return told


def told_of(bench: Bench, given: Namespace, lots: Sequence[Lot]) -> list[str]:
    """What every table of the call says of its runs, in sentences."""
    datasets = "; ".join(
        f"{lot.name} ({lot.title}: {_patients(lot.data.train)} patients to learn from,"
        f" {_patients(lot.data.val)} held out, part {given.part})"
        for lot in lots
    )
    told = [f"Data: {datasets or 'none'}."]
    if bench.start is not None:
        card = bench.start.card
        told.append(f"cinema starts from {card.name} ({card.weights_sha256[:12]}).")
    if bench.form in FORMS:
        told.append(FORMS[bench.form])
    if bench.steps is not None:
        told.append(f"Every run: {bench.steps} updates.")
    return told


def write_texts(folder: Path, texts: Mapping[str, str]) -> None:
    """Write tables over those of an earlier call: they are made of the runs, which are what is kept."""
    from cinema_cmr.io.atomic import write_text

    for name, text in texts.items():
        write_text(folder / name, text, overwrite=True)


def _experiment(job: Job) -> Any:
    """The run as the recipe has it, with the task's target; None where nothing is trained."""
    if job.task.kind == "measurements" or job.model == "shipped":
        return None
    from cinema_cmr.recipes.presets import COARSE, SMOKE, smaller
    from cinema_cmr.recipes.published_size import at_published_size
    from cinema_cmr.recipes.registry import recipe
    from cinema_cmr.recipes.scalars import with_target

    task, bench = job.task, job.bench
    chosen = recipe(task.recipes[job.model], task=task.kind)
    if task.target is not None:
        chosen = with_target(chosen, task.target, (job.whole or job.lot).data.train)
    if bench.form == "base":
        chosen = at_published_size(chosen)
    if bench.form in ("coarse", "smoke"):
        chosen = smaller(chosen, SMOKE if bench.form == "smoke" else COARSE, n_steps=bench.steps)
    elif bench.steps is not None:
        # No validation in between: the held-out patients choose nothing.
        chosen = chosen.with_train(n_steps=bench.steps, validate_every=bench.steps)
    where = {"accelerator": bench.device, "precision": bench.precision, "workers": bench.workers}
    return chosen.with_train(seed=job.seed, **where)


def _identity(job: Job, experiment: Any) -> dict[str, Any]:
    """All that shapes a run and may differ between two calls on one folder."""
    return {
        "task": job.task.run,
        "model": job.model,
        "recipe": job.task.recipes[job.model],
        "seed": job.seed,
        "form": job.bench.form,
        "n_steps": 0 if experiment is None else experiment.train.n_steps,
        "start": "" if job.start is None else job.start.card.weights_sha256,
        "learn": _hash(job.lot.data.train),
        "held_out": _hash(job.lot.data.val),
    }


def _hash(studies: Sequence[Any]) -> str:
    names = "\n".join(sorted(f"{study.patient} {study.study.name}" for study in studies))
    return hashlib.sha256(names.encode()).hexdigest()


def _is_same(folder: Path, identity: Mapping[str, Any]) -> bool:
    from cinema_cmr.bench.suite import finished

    try:
        return finished(folder, identity) is not None
    except CinemaError:
        return False


def _measured(job: Job) -> Mapping[str, Any]:
    from cinema_cmr.bench.suite import RunKey
    from cinema_cmr.models.weights import load_model
    from cinema_cmr.recipes.trial import measured_number_trial, measured_trial

    recipe, device = job.task.recipes[job.model], job.bench.device
    if job.task.target != "group":
        masks_of = load_model(recipe) if recipe else None
        return measured_number_trial(job.lot.data, job.task.target, masks_of=masks_of, device=device)
    if not recipe:
        return measured_trial(job.lot.data, seed=job.seed)
    if job.model == "shipped":
        return measured_trial(job.lot.data, masks_of=load_model(recipe), device=device, seed=job.seed)
    segmenter = RunKey(dataset=job.lot.name, run="segment-sax", model=job.model, seed=job.seed)
    where = segmenter.folder(job.bench.root / RUNS) / "model"
    if not where.is_dir():
        raise InputError(f"there is no segmentation to measure: {segmenter}; run the task 'segment-sax' too")
    masks_of = load_model(str(where))
    return measured_trial(job.lot.data, masks_of=masks_of, device=device, seed=job.seed)


def _shipped(job: Job) -> Mapping[str, Any]:
    from cinema_cmr.models.weights import load_model
    from cinema_cmr.recipes.trial import shipped_trial

    return shipped_trial(load_model(job.task.recipes[job.model]), job.lot.data, device=job.bench.device)


def _teller(console: Console) -> Callable[[Any], None]:
    tell = console.stage("  training")
    return lambda progress: tell(f"loss {progress.loss:.3f}, step", progress.step, progress.n_steps)


def _name_of(place: str, taken: Sequence[str]) -> str:
    """The dataset's name, or that of one's own folder; numbered where two are alike."""
    name, colon, root = place.partition(":")
    own = Path(root if colon and not Path(place).exists() else place).resolve().name
    first = own if name == "folder" or not colon or Path(place).exists() else name
    found, number = first, 2
    while found in taken:
        found, number = f"{first}-{number}", number + 1
    return found


def _patients(studies: Sequence[Any]) -> int:
    return len({study.patient for study in studies})
