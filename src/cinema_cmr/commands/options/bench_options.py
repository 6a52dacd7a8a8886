"""Options that `cinema bench` and `cinema sweep` share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from jsonargparse import ArgumentParser, Namespace

from cinema_cmr.commands.console import Console
from cinema_cmr.core.errors import UsageError

if TYPE_CHECKING:
    from cinema_cmr.bench.data import ReadDataset
    from cinema_cmr.bench.run import BenchOptions
    from cinema_cmr.engine.trainer import Progress
    from cinema_cmr.models.loaded import LoadedModel

__all__ = ["add_bench_options", "bench_options", "read_data", "report_training", "split_names", "write_texts"]


def add_bench_options(parser: ArgumentParser) -> None:
    """Add the options of data, models, training and output."""
    parser.add_argument(
        "--data",
        action="append",
        help="NAME:FOLDER of a dataset (see `cinema datasets`), or a folder of images with masks; can be repeated",
    )
    parser.add_argument("--split", help="split file (JSON) of the one dataset; default: its own, else one is drawn")
    parser.add_argument("--part", default="validation", help="held-out part; default: %(default)s")
    parser.add_argument("--models", help="names separated by commas; default: all that fit a task")
    parser.add_argument("--from", dest="start", help="pre-training from which the model `cinema` starts")
    parser.add_argument(
        "--preset",
        choices=["coarse", "smoke", "base"],
        help="coarse: half the resolution, for a CPU; smoke: small networks and few steps, to see that it runs; base:"
        " the published size, for a GPU; default: whole recipes",
    )
    parser.add_argument("--steps", type=int, help="updates of every run; default: each recipe's number")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps; default: %(default)s")
    parser.add_argument("--precision", default="auto", help="auto, fp32 or bf16; default: %(default)s")
    parser.add_argument("--workers", type=int, default=0, help="processes that prepare samples; default: %(default)s")
    parser.add_argument("-o", "--output", required=True, help="folder of runs and tables; finished runs are kept")
    parser.add_argument("--overwrite", action="store_true", help="replace runs with other settings")
    parser.add_argument("--json", action="store_true", help="print the table as one JSON document")


def bench_options(given: Namespace, *, start: LoadedModel | None = None) -> BenchOptions:
    """Return the `BenchOptions` of a call; `start` is a pre-training that the call made itself."""
    from cinema_cmr.bench.run import BenchOptions

    if given.steps is not None and given.steps < 1:
        raise UsageError(f"{given.steps} steps; expected at least 1")
    if given.start is not None:
        from cinema_cmr.models.weights import load_model

        start = load_model(given.start)
    return BenchOptions(
        root=Path(given.output),
        device=given.device,
        precision=given.precision,
        workers=given.workers,
        steps=given.steps,
        preset=given.preset,
        start=start,
        overwrite=given.overwrite,
    )


def read_data(given: Namespace, sources: Sequence[str], console: Console) -> list[ReadDataset]:
    """Read the datasets of a call."""
    from cinema_cmr.bench.data import read_datasets

    split = Path(given.split) if given.split else None
    return read_datasets(sources, Path(given.output), split=split, part=given.part, note=console.note)


def split_names(text: str | None) -> list[str] | None:
    """Return the names of a list with commas; None if it is not given."""
    return None if text is None else [name.strip() for name in text.split(",") if name.strip()]


def report_training(console: Console, title: str = "  training") -> Callable[[Progress], None]:
    """Return a function that shows the progress of a training."""
    show = console.stage(title)
    return lambda progress: show(f"loss {progress.loss:.3f}, step", progress.step, progress.n_steps)


def write_texts(folder: Path, texts: Mapping[str, str]) -> None:
    """Write tables over those of an earlier call: they are made from the runs, which are kept."""
    from cinema_cmr.io.atomic import write_text

    for name, text in texts.items():
        write_text(folder / name, text, overwrite=True)
