"""`cinema bench`: every task of the benchmark on the data at hand, every model, one table with intervals."""

from __future__ import annotations

from argparse import Namespace as Plain
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser, Namespace

from cinema_cmr.commands.console import Console
from cinema_cmr.commands.training_data import read_training_data
from cinema_cmr.core.errors import CinemaError, UsageError, unknown_name

__all__ = ["add_arguments", "run"]

_HOWS = ("pre-trained", "scratch", "shipped", "expert masks", "predicted masks", "measurements")
_SMOKE_SUBJECTS, _SMOKE_FRAMES, _SMOKE_STEPS = 15, 8, 20


def add_arguments(parser: ArgumentParser) -> None:
    """Data, tasks, models, and how much training."""
    parser.add_argument("--data", nargs="+", help="NAME:FOLDER of data sets, or folders of labelled studies")
    parser.add_argument(
        "-o", "--output", required=True, help="folder of all runs; a benchmark that was cut off goes on"
    )
    parser.add_argument("--tasks", help="names with commas between; all where absent (`--tasks list` tells them)")
    parser.add_argument("--models", help=f"kinds with commas between, of: {', '.join(_HOWS)}; all where absent")
    parser.add_argument("--from", dest="start", help="pre-trained weights for the models that start from some")
    parser.add_argument("--steps", type=int, help="updates of each run; each recipe's own number where absent")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--smoke", action="store_true", help="everything once, on synthetic hearts and with few updates, in minutes"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    parser.add_argument("--json", action="store_true", help="the result on stdout as one JSON document")


def run(given: Namespace) -> int:
    """Run what is not finished, write tables and page; the exit code is that of the first data set that failed."""
    from cinema_cmr.recipes.benchmark import TASKS, Bencher

    console = Console(as_json=given.json)
    if given.tasks == "list":
        console.result("\n".join(f"{t.name:<22} {t.title}" for t in TASKS), {t.name: t.title for t in TASKS})
        return 0
    tasks, models = _tasks(given.tasks), _models(given.models)
    folder = Path(given.output)
    sources = _sources(given, folder, console)
    steps = given.steps or (_SMOKE_STEPS if given.smoke else None)
    results, codes = [], list[int]()
    for source in sources:
        bencher = Bencher(
            folder=folder / _name(source),
            start=given.start,
            n_steps=steps,
            seed=given.seed,
            device=given.device,
            report=console.note,
        )
        try:
            data = _read(source, folder / _name(source), console)
        except CinemaError as error:
            codes.append(error.exit_code)
            console.note(f"cinema: {source}: {error}")
            continue
        for task in tasks:
            results.append(_result(task, data, bencher, models))
            _write(folder, results, steps, console, last=False)
    if not results:
        return codes[0]
    _write(folder, results, steps, console, last=True)
    return codes[0] if codes else 0


def _result(task: Any, data: Any, bencher: Any, models: tuple[str, ...]) -> dict[str, Any]:
    from cinema_cmr.bench.published import published_texts

    found: dict[str, Any] = {"name": task.name, "title": task.title, "data": data.card.name, "rows": []}
    try:
        found["rows"] = bencher.rows(task, data, models=models)
    except CinemaError as error:
        found["reason"] = str(error)
    if not found["rows"]:
        found.setdefault("reason", "none of the models asked for answers it")
    metrics = {name for row in found["rows"] for name in row["metrics"]}
    return {**found, "published": published_texts(dict.fromkeys(metrics), task=task.name)}


def _tasks(text: str | None) -> list[Any]:
    from cinema_cmr.recipes.benchmark import TASKS

    known = {task.name: task for task in TASKS}
    names = list(known) if text is None else text.split(",")
    for name in names:
        if name not in known:
            raise unknown_name("task", name, known)
    return [known[name] for name in names]


def _models(text: str | None) -> tuple[str, ...]:
    names = () if text is None else tuple(text.split(","))
    for name in names:
        if name not in _HOWS:
            raise unknown_name("kind of model", name, _HOWS)
    return names


def _sources(given: Namespace, folder: Path, console: Console) -> list[str]:
    if given.data:
        return list(given.data)
    if not given.smoke:
        raise UsageError("no --data to run on; give data sets as NAME:FOLDER, or --smoke for synthetic hearts")
    from cinema_cmr.core.vocabulary import View
    from cinema_cmr.phantom.cohort import CohortConfig, write_cohort

    config = CohortConfig(
        n=_SMOKE_SUBJECTS, n_frames=_SMOKE_FRAMES, views=(View.SAX, View.LAX_2C, View.LAX_4C), seed=given.seed
    )
    tell = console.stage("phantom")
    write_cohort(folder / "phantoms", config, progress=lambda done, n, _name: tell("subjects", done, n))
    return [str(folder / "phantoms")]


def _name(source: str) -> str:
    """The run folder's name of a data set: that of the set, or of one's own folder."""
    name, colon, root = source.partition(":")
    return name if colon else Path(root or source).name


def _read(source: str, output: Path, console: Console) -> Any:
    """All studies of both parts, labelled or not; landmarks and facts count too."""
    wanted = Namespace(Plain(data=source, split=None, output=str(output), n=None))
    return read_training_data(wanted, console, drawn_only=False)


def _write(folder: Path, results: list[dict[str, Any]], steps: int | None, console: Console, *, last: bool) -> None:
    """The tables as they stand; they are told at the end."""
    from dataclasses import asdict

    from cinema_cmr.engine.patient_values import METRICS
    from cinema_cmr.io.atomic import write_text
    from cinema_cmr.report.plain import json_text, plain
    from cinema_cmr.report.series import bench_csv, bench_markdown, bench_page

    metrics = {name: asdict(metric) for name, metric in METRICS.items()}
    budget = f"{steps} updates a run" if steps else "each recipe's own number of updates"
    document = plain(
        {
            "title": "Benchmark",
            "about": f"Models are trained on the part to learn from with {budget} and scored on the validation"
            " part: means over patients, 95 % BCa intervals, and how many patients.",
            "tasks": results,
        }
    )
    texts = {
        "bench.json": json_text(document),
        "bench.md": bench_markdown(document, metrics),
        "bench.csv": bench_csv(document),
        "bench.html": bench_page(document, metrics),
    }
    for name, text in texts.items():
        write_text(folder / name, text, overwrite=True)
    if last:
        console.result(f"{texts['bench.md']}\npage: {folder / 'bench.html'}", document)
